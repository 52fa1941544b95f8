#!/bin/sh
# Before removal, not before an upgrade.
set -e
case "$1" in remove | 0) ;; *) exit 0 ;; esac
if [ -d /run/systemd/system ]; then
  systemctl disable --now ankisyncd.service ankisyncd.socket
fi
