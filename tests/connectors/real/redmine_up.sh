#!/bin/sh
# redmine_up.sh DIR PORT: a Redmine 5 of its own in DIR (Debian's package, SQLite); DIR/pid stops it.
# Redmine looks for instances in one folder: a link there points to DIR.
set -e
D=$1; PORT=$2; HERE=$(cd "$(dirname "$0")" && pwd)
N=hub-$(printf %s "$D" | cksum | cut -d' ' -f1)
mkdir -p "$D/config" "$D/files" "$D/log" "$D/tmp/cache" "$D/tmp/pids" "$D/tmp/pdf" "$D/outbox" "$D/plugin_assets"
ln -sfn "$D" "/var/lib/redmine/$N"
# Two hundred and sixty migrations sync as many times: in memory where there is some.
DB=$D/redmine.db; [ -w /dev/shm ] && DB=/dev/shm/$N.db
cat > "$D/config/database.yml" <<CONFIG
production: {adapter: sqlite3, database: "$DB", timeout: 20000}
CONFIG
cat > "$D/config/configuration.yml" <<CONFIG
default:
  email_delivery:
    delivery_method: :file
    file_settings:
      location: "$D/outbox"
  attachments_storage_path: $D/files
CONFIG
[ -s "$D/config/secret_key.txt" ] || head -c 40 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$D/config/secret_key.txt"
export RAILS_ENV=production REDMINE_INSTANCE="$N" REDMINE_LANG=en RUBYOPT=-W0 SCHEMA="$D/schema.rb"
BUNDLER_VERSION=$(dpkg-query -W -f '${Version}' ruby-bundler | cut -d- -f1); export BUNDLER_VERSION
cd /usr/share/redmine
LOCK=/var/lib/redmine/Gemfile.lock
grep -qs ' sqlite3' $LOCK && grep -qs ' thin' $LOCK || { rm -f $LOCK; bundle lock --local > "$D/bundle.log" 2>&1; }
if [ ! -s "$D/tokens" ] || [ ! -s "$DB" ]; then
  rm -f "$DB"
  bin/rake db:migrate > "$D/init.log" 2>&1
  bin/rake redmine:load_default_data >> "$D/init.log" 2>&1  # fails in the same process as the first
  bin/rails runner "$HERE/redmine_seed.rb" > "$D/tokens.new" 2>> "$D/init.log"
  mv "$D/tokens.new" "$D/tokens"
fi
setsid thin start -a 127.0.0.1 -p "$PORT" -e production --threaded > "$D/server.log" 2>&1 < /dev/null &
echo $! > "$D/pid"
