#!/bin/sh
# The browser that the tests of the console drive: Debian's Chromium. Nothing where it is there.
set -eu
[ -x /usr/bin/chromium ] && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends chromium >/dev/null
