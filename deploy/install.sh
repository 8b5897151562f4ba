#!/bin/sh
# Install this version of Microblog as a new release and switch to it. Run it as root from the
# folder that holds manage.py; see docs/deployment.md. Running it again is safe.
#
#   deploy/install.sh            install and switch
#   deploy/install.sh --back     switch back to the previous release
#
# VERSION   name of the release (default: tag or commit, or the time)
# PYTHON    Python for the virtual environment (default: python3)
# VENV      existing virtual environment to use instead of a new one
# DESTDIR   prefix of every path; no user is created and systemd is left alone
set -eu
umask 022

DESTDIR=${DESTDIR:-}
home=$DESTDIR/srv/microblog
etc=$DESTDIR/etc/microblog
units=$DESTDIR/etc/systemd/system
state=$DESTDIR/var/lib/microblog
source=$(cd "$(dirname "$0")/.." && pwd)
KEEP=5

# shellcheck source=deploy/environment.sh
. "$source/deploy/environment.sh"

say() { printf '%s\n' "$*"; }

# Refuse a Python that is too old, or that the services could not see: the units hide the homes
# (ProtectHome) and replace the temporary folders (PrivateTmp).
check_python() {
    python=${PYTHON:-python3}
    [ -z "${VENV:-}" ] || python=$VENV/bin/python
    "$python" - "$DESTDIR" <<'PYTHON'
import os, sys
if sys.version_info < (3, 11):
    sys.exit(f"{sys.executable} is Python {sys.version.split()[0]}; Microblog needs 3.11 or newer.")
hidden = [f"{sys.argv[1]}/{name}/" for name in ("home", "root", "run/user", "tmp", "var/tmp")]
used = [sys.executable, sys.prefix, sys.base_prefix, os.__file__]
for path in used + [os.path.realpath(path) for path in used]:
    for folder in hidden:
        if path.startswith(folder):
            sys.exit(
                f"{path} is below {folder}, which systemd hides from the services (ProtectHome, "
                "PrivateTmp): set PYTHON to a Python of the system, for example /usr/bin/python3."
            )
PYTHON
}

create_folders() {
    if [ -z "$DESTDIR" ] && ! id microblog >/dev/null 2>&1; then
        useradd --system --user-group --home-dir /srv/microblog --shell /usr/sbin/nologin microblog
    fi
    mkdir -p "$home/releases" "$etc" "$units" "$state"
    [ -n "$DESTDIR" ] || { chown microblog:microblog "$state" && chmod 710 "$state"; }
}

# The environment file belongs to root, because systemd reads it before it switches the user.
create_environment() {
    [ ! -e "$etc/env" ] || return 0
    key=$("${PYTHON:-python3}" -c 'import secrets; print(secrets.token_urlsafe(50))')
    (umask 077 && sed "s/^SECRET_KEY=.*/SECRET_KEY=$key/" "$source/deploy/env.example" >"$etc/env")
    say "Created $etc/env. Fill it in, then run this script again."
    exit 0
}

# The file .complete marks a complete release; an incomplete one is created again.
create_release() {
    release=$home/releases/$1
    if [ -e "$release/.complete" ]; then
        say "Release $1 already exists."
        return 0
    fi
    say "Creating release $1 ..."
    rm -rf "$release"
    mkdir -p "$release"
    tar -C "$source" --exclude=./.git --exclude=./.venv --exclude=./.env --exclude='./.*_cache' \
        --exclude=./var --exclude=./staticfiles --exclude=__pycache__ -cf - . |
        tar -C "$release" --no-same-owner -xf -
    if [ -n "${VENV:-}" ]; then
        ln -s "$VENV" "$release/.venv"
    else
        "${PYTHON:-python3}" -m venv "$release/.venv"
        "$release/.venv/bin/python" -m pip install --quiet --disable-pip-version-check \
            -r "$release/requirements.txt"
    fi
    cd "$release"
    .venv/bin/pybabel --quiet compile --directory locale --domain django
    key=$(.venv/bin/python -c 'import secrets; print(secrets.token_urlsafe(50))')
    DEBUG=false STATIC_COLLECTED=true VAR_DIR="$state" SECRET_KEY="$key" \
        .venv/bin/python manage.py collectstatic --no-input --verbosity 0
    .venv/bin/python -m compileall -q api blog exports microblog staff tasks
    chmod -R a+rX,go-w "$release"
    touch .complete
}

# The old version keeps running during the migration, so migrations must work with its code.
migrate() {
    scripts=$home/releases/$1/deploy
    DESTDIR=$DESTDIR "$scripts/manage.sh" check --deploy --database default --fail-level ERROR
    DESTDIR=$DESTDIR "$scripts/migrate.sh"
}

switch() {
    release=$home/releases/$1
    old=$(readlink "$home/current" 2>/dev/null || true)
    if [ -n "$old" ] && [ "$old" != "releases/$1" ]; then
        ln -sfn "$old" "$home/previous"
    fi
    ln -sfn "releases/$1" "$home/current.new"
    mv -T "$home/current.new" "$home/current"  # atomic: `current` always exists
    rm -rf "$units/microblog-.service.d"
    cp -R "$release/deploy/systemd/"microblog* "$units/"
    say "Switched to release $1."
    [ -z "$DESTDIR" ] || return 0
    systemctl daemon-reload
    systemctl enable --quiet microblog.target microblog-web.socket microblog-web.service \
        microblog-sweeper.service
    ls "$units"/microblog.target.wants/microblog-worker@* >/dev/null 2>&1 ||
        systemctl enable --quiet microblog-worker@1
    systemctl start microblog.target
    # The socket stays open, so requests wait for the new processes.
    systemctl restart microblog-web.service microblog-sweeper.service
    # Workers finish their builds first, so do not wait for them.
    systemctl restart --no-block 'microblog-worker@*.service'
}

# Delete all but the newest releases and those that a process still runs in.
prune() {
    # shellcheck disable=SC2012  # release names have no special characters
    for release in $(ls -t "$home/releases" | tail -n +$((KEEP + 1))); do
        path=$home/releases/$release
        case "$(readlink "$home/current") $(readlink "$home/previous" 2>/dev/null || true)" in
        *"releases/$release"*) continue ;;
        esac
        if readlink /proc/[0-9]*/cwd 2>/dev/null | grep -qxF "$(readlink -f "$path")"; then
            continue
        fi
        rm -rf "$path"
    done
}

if [ "$*" != --back ]; then
    check_arguments 0 "$@"
else
    [ -e "$home/previous" ] || { say "No previous release." >&2 && exit 1; }
    switch "$(basename "$(readlink "$home/previous")")"
    exit 0
fi

check_python
now=$(date +%Y%m%d%H%M%S)
version=${VERSION:-}
if [ -z "$version" ]; then
    version=$(git -C "$source" describe --always --tags "--dirty=-$now" 2>/dev/null || echo "$now")
fi
case $version in
.* | *[!A-Za-z0-9._+-]*)
    echo "VERSION is '$version'; it may be letters, digits and ._+- and not begin with a dot." >&2
    exit 2
    ;;
esac
create_folders
create_environment
create_release "$version"
migrate "$version"
switch "$version"
prune
