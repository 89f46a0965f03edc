#!/bin/sh
# Request Tracker and Redmine for tests/connectors/real, from Debian's packages: no questions, no daemons.
# Roundup and django-helpdesk come with the first run. Needs root; nothing to do where they are there.
set -eu
[ -d /usr/share/request-tracker5 ] && [ -d /usr/share/redmine ] && command -v thin >/dev/null 2>&1 && exit 0

# A package that starts a service would take a port: none may, for as long as this lasts.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends ruby-bundler >/dev/null
# Redmine's gems are Debian's: only Debian's bundler knows where they are, not the one within Ruby.
BUNDLER_VERSION=$(dpkg-query -W -f '${Version}' ruby-bundler | cut -d- -f1)
export BUNDLER_VERSION
# Request Tracker wants a mail transport agent; the smallest does. The databases are the tests' own.
MTA=msmtp-mta
if command -v sendmail >/dev/null 2>&1; then MTA=; fi
apt-get install -y -qq --no-install-recommends dbconfig-no-thanks $MTA \
  request-tracker5 rt5-db-sqlite rt5-standalone redmine redmine-sqlite thin >/dev/null
