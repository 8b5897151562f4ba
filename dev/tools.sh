#!/bin/sh
# Install the system packages that some tests need, or list them if that takes more rights.
set -eu
[ $# = 0 ] || { echo "usage: $0 (without arguments)" >&2 && exit 2; }

missing=""
command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null ||
    command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
    missing="$missing chromium"
command -v xgettext >/dev/null && command -v msgfmt >/dev/null || missing="$missing gettext"
command -v nginx >/dev/null || missing="$missing nginx"
command -v systemd-analyze >/dev/null || missing="$missing systemd"
command -v promtool >/dev/null || missing="$missing prometheus"
command -v unzip >/dev/null || missing="$missing unzip"

if [ -z "$missing" ]; then
    echo "Chromium, GNU gettext, nginx, systemd, promtool and unzip are installed."
    exit 0
fi

if [ "$(id -u)" = 0 ]; then
    sudo=""
elif sudo -n true 2>/dev/null; then
    sudo="sudo"
else
    sudo="none"
fi

if [ "$sudo" = none ] || ! command -v apt-get >/dev/null; then
    echo "Missing packages; install them with your system's package manager:$missing" >&2
    exit 1
fi

echo "Installing$missing ..."
$sudo apt-get update
# Debian's headless Chromium is smaller and makes the tests faster.
if apt-cache show chromium-headless-shell >/dev/null 2>&1; then
    missing="$(echo "$missing" | sed s/chromium/chromium-headless-shell/)"
fi
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $missing

# The packages start these servers as services, but the tests run their own.
for server in nginx prometheus; do
    case "$missing" in *$server*) $sudo systemctl disable --now $server 2>/dev/null || true ;; esac
done
