#!/bin/sh
# request_tracker_up.sh DIR PORT HOOK: a Request Tracker 5 of its own in DIR (Debian's packages, SQLite);
# DIR/pid stops it. Its mail stays in DIR/outbox.mbox; the scrip that sends webhooks sends them to HOOK.
set -e
D=$1; PORT=$2; HOOK=$3; HERE=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$D/mason" "$D/session" "$D/var"
printf '#!/bin/sh\ncat >> "%s/outbox.mbox"\n' "$D" > "$D/sendmail"
chmod 755 "$D/sendmail"
cat > "$D/RT_SiteConfig.pm" <<CONFIG
use utf8;
Set(\$rtname, 'desk.test'); Set(\$Organization, 'desk.test');
Set(\$WebDomain, '127.0.0.1'); Set(\$WebPort, $PORT); Set(\$WebPath, '');
Set(\$DatabaseType, 'SQLite'); Set(\$DatabaseName, '$D/rt.db');
Set(\$CorrespondAddress, 'support\@desk.test'); Set(\$CommentAddress, 'notes\@desk.test');
Set(\$MailCommand, 'sendmailpipe'); Set(\$SendmailPath, '$D/sendmail'); Set(\$SendmailArguments, '');
Set(\$LogToSyslog, undef); Set(\$LogToSTDERR, 'warning'); Set(\$LogToFile, undef);
Set(\$Timezone, 'UTC'); Set(\$WebSessionClass, 'Apache::Session::File');
Set(\$RestrictReferrer, 0); Set(\$DisableGraphViz, 1); Set(\$DisableGD, 1);
Set(%FullTextSearch, Enable => 0);
Set(\$BcryptCost, 4);  # tokens of tests, checked with every request
Set(\$HubWebhook, '$HOOK');
# As the default, and one status more than our table knows.
Set(%Lifecycles, desk => {
    initial => ['new'], active => ['open', 'stalled', 'quarantine'],
    inactive => ['resolved', 'rejected', 'deleted'],
    defaults => { on_create => 'new', on_merge => 'resolved' },
    transitions => { '' => ['new', 'open', 'resolved'], map {
        \$_ => [qw(new open stalled quarantine resolved rejected deleted)]
    } qw(new open stalled quarantine resolved rejected deleted) },
    rights => { '* -> deleted' => 'DeleteTicket', '* -> *' => 'ModifyTicket' },
});
\$RT::VarPath = '$D/var'; \$RT::MasonDataDir = '$D/mason'; \$RT::MasonSessionDir = '$D/session';
1;
CONFIG
export RT_SITE_CONFIG="$D/RT_SiteConfig.pm" RT_SITE_CONFIG_DIR=/dev/null
if [ ! -s "$D/tokens" ]; then
  rm -f "$D/rt.db"
  rt-setup-database-5 --action init --skip-create --dba-password '' > "$D/init.log" 2>&1
  perl -I/usr/share/request-tracker5/lib -I/usr/local/share/request-tracker5/lib \
    "$HERE/request_tracker_seed.pl" > "$D/tokens.new" 2>> "$D/init.log"
  mv "$D/tokens.new" "$D/tokens"
fi
cd "$D"
setsid /usr/share/request-tracker5/libexec/rt-server --server Starlet --max-workers 3 \
  --host 127.0.0.1 --port "$PORT" > "$D/server.log" 2>&1 < /dev/null &
echo $! > "$D/pid"
