#!/bin/sh
# django_helpdesk_up.sh DIR PORT: a django-helpdesk of its own in DIR, with its packages; DIR/pid stops it.
set -e
D=$1; PORT=$2; V=$D/venv; HERE=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$D/outbox" "$D/media"
[ -x "$V/bin/gunicorn" ] || { python3 -m venv "$V"; "$V/bin/pip" install -q django-helpdesk==2.6.1 gunicorn; }
export DESK_DIR="$D" DJANGO_SETTINGS_MODULE=django_settings PYTHONPATH="$HERE" PYTHONDONTWRITEBYTECODE=1
if [ ! -s "$D/token" ]; then
  "$V/bin/python" -m django migrate -v0 > "$D/init.log" 2>&1
  "$V/bin/python" "$HERE/django_seed.py" "$D" >> "$D/init.log" 2>&1
fi
setsid "$V/bin/gunicorn" --chdir "$D" -b "127.0.0.1:$PORT" -w 1 --threads 4 --no-control-socket django_settings:application > "$D/server.log" 2>&1 < /dev/null &
echo $! > "$D/pid"
