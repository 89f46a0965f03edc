#!/bin/sh
# The mail servers that `pytest -m slow tests/mail` starts, from Debian's packages. Needs root.
set -eu
command -v postfix >/dev/null 2>&1 && command -v dovecot >/dev/null 2>&1 && exit 0
export DEBIAN_FRONTEND=noninteractive
echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
apt-get update -q
apt-get install -q -y --no-install-recommends postfix dovecot-imapd dovecot-lmtpd
