#!/bin/sh
# The data stays, also when the package is purged: people's reviews are not configuration.
set -e
[ ! -d /run/systemd/system ] || systemctl daemon-reload
if [ "$1" = purge ] && [ -d /var/lib/ankisyncd ]; then
  echo "The collections are still in /var/lib/ankisyncd."
fi
