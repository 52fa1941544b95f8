#!/bin/sh
# After installation or upgrade, of deb and of rpm. Without systemd the account and the folder are left to whoever starts the server.
set -e
if command -v systemd-sysusers >/dev/null 2>&1; then
  systemd-sysusers ankisyncd.conf
  systemd-tmpfiles --create ankisyncd.conf || true
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  case "$1" in
    # deb: "configure" with the version before, rpm: how many are installed now
    configure) before="${2:-}" ;;
    1) before="" ;;
    *) before=yes ;;
  esac
  if [ -n "$before" ]; then
    systemctl try-restart ankisyncd.service
  else
    systemctl enable --now ankisyncd.service
    echo "ankisyncd serves on port 27701. The first account: sudo -u ankisyncd ankisyncd adduser NAME"
  fi
fi
