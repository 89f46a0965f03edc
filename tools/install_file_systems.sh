#!/bin/sh
# What the power cuts of `make torture` need: XFS, whose files share extents. Needs root.
set -eu
command -v mkfs.xfs >/dev/null 2>&1 && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends xfsprogs >/dev/null
