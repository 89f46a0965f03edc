#!/bin/sh
# roundup_up.sh DIR PORT: three Roundup 2.6 trackers in DIR, one for each role a desk can have, with their
# packages, served by one process; DIR/pid stops it.
set -e
D=$1; PORT=$2; V=$D/venv
mkdir -p "$D"
[ -x "$V/bin/roundup-server" ] || { python3 -m venv "$V"; "$V/bin/pip" install -q roundup==2.6.0; }
SERVED=
for NAME in desk own vendor; do
  T=$D/$NAME
  SERVED="$SERVED $NAME=$T"
  if [ ! -s "$D/$NAME.ready" ]; then
    rm -rf "$T"
    "$V/bin/roundup-admin" -i "$T" install classic sqlite \
      "tracker_web=http://127.0.0.1:$PORT/$NAME/,mail_domain=desk.test,admin_email=admin@desk.test,mail_host=127.0.0.1,rdbms_backend=sqlite" > "$D/install.log" 2>&1
    # No mail leaves; passwords of a test need no two million rounds.
    sed -i "s#^debug = *\$#debug = $T/outbox.mbox#; s/^#* *password_pbkdf2_default_rounds = .*/password_pbkdf2_default_rounds = 1000/" "$T/config.ini"
    # The field for our marker, the way Roundup's documentation adds one.
    sed -i 's/status=Link("status"))/status=Link("status"), hub_id=String())/' "$T/schema.py"
    grep -q hub_id "$T/schema.py"
    "$V/bin/roundup-admin" -i "$T" initialise admin-password-1 >> "$D/install.log" 2>&1
    for who in hub petr; do
      "$V/bin/roundup-admin" -i "$T" create user username=$who password=$who-password-1 address=$who@desk.test roles=User >> "$D/install.log"
    done
    echo ready > "$D/$NAME.ready"
  fi
  sed -i "s#^web = .*#web = http://127.0.0.1:$PORT/$NAME/#" "$T/config.ini"  # writes are checked against it
  sed -i "s/^#* *api_failed_login_limit = .*/api_failed_login_limit = 0/" "$T/config.ini"  # the suite tries a wrong password
  [ "$(id -u)" != 0 ] || chown -R nobody "$T"
done
chmod 755 "$D"
AS=""; [ "$(id -u)" = 0 ] && AS="setpriv --reuid=nobody --clear-groups"  # it refuses root
setsid $AS "$V/bin/roundup-server" -n 127.0.0.1 -p "$PORT" -t thread $SERVED > "$D/server.log" 2>&1 < /dev/null &
echo $! > "$D/pid"
