#!/bin/sh
# Installs the version of Microblog that this file is part of beside those that are there, and switches to it.
# As root, from the folder that holds manage.py; see docs/deployment.md. It can be run again at any time.
#
#   deploy/install.sh            install and switch
#   deploy/install.sh --back     switch to the version that was current before
#
# VERSION   the release's name; by default the tag or commit, or the time
# PYTHON    what makes the virtual environment; by default python3
# VENV      a virtual environment that is there already, to be used instead of a new one
# DESTDIR   an absolute path, put before every other; systemd is not asked for anything then, and no user is made
set -eu
umask 022

DESTDIR=${DESTDIR:-}
home=$DESTDIR/srv/microblog
etc=$DESTDIR/etc/microblog
units=$DESTDIR/etc/systemd/system
state=$DESTDIR/var/lib/microblog
source=$(cd "$(dirname "$0")/.." && pwd)
KEEP=5

say() { printf '%s\n' "$*"; }

make_places() {
    if [ -z "$DESTDIR" ] && ! id microblog >/dev/null 2>&1; then
        useradd --system --user-group --home-dir /srv/microblog --shell /usr/sbin/nologin microblog
    fi
    mkdir -p "$home/releases" "$etc" "$units" "$state"
    [ -n "$DESTDIR" ] || { chown microblog:microblog "$state" && chmod 710 "$state"; }
}

# The environment is root's: systemd reads it before it changes the user.
make_environment() {
    [ ! -e "$etc/env" ] || return 0
    key=$("${PYTHON:-python3}" -c 'import secrets; print(secrets.token_urlsafe(50))')
    (umask 077 && sed "s/^SECRET_KEY=.*/SECRET_KEY=$key/" "$source/deploy/env.example" >"$etc/env")
    say "Fill in $etc/env, and run this again."
    exit 0
}

# A release is whole once it has the file .whole; one that is not is made anew.
make_release() {
    release=$home/releases/$1
    if [ -e "$release/.whole" ]; then
        say "Release $1 is there."
        return 0
    fi
    say "Making release $1 ..."
    rm -rf "$release"
    mkdir -p "$release"
    tar -C "$source" --exclude=./.git --exclude=./.venv --exclude=./.env --exclude='./.*_cache' --exclude=./var \
        --exclude=./staticfiles --exclude=__pycache__ -cf - . | tar -C "$release" --no-same-owner -xf -
    if [ -n "${VENV:-}" ]; then
        ln -s "$VENV" "$release/.venv"
    else
        "${PYTHON:-python3}" -m venv "$release/.venv"
        "$release/.venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$release/requirements.txt"
    fi
    cd "$release"
    .venv/bin/pybabel --quiet compile --directory locale --domain django
    DEBUG=false STATIC_COLLECTED=true VAR_DIR="$state" SECRET_KEY=unused \
        .venv/bin/python manage.py collectstatic --no-input --verbosity 0
    .venv/bin/python -m compileall -q api blog exports microblog
    chmod -R a+rX,go-w "$release"
    touch .whole
}

# The old version still runs meanwhile, and gets on with the new tables.
migrate() {
    manage=$home/releases/$1/deploy/manage.sh
    DESTDIR=$DESTDIR "$manage" check --deploy --fail-level ERROR
    DESTDIR=$DESTDIR "$manage" migrate --no-input --verbosity 1
}

switch() {
    release=$home/releases/$1
    old=$(readlink "$home/current" 2>/dev/null || true)
    if [ -n "$old" ] && [ "$old" != "releases/$1" ]; then
        ln -sfn "$old" "$home/previous"
    fi
    ln -sfn "releases/$1" "$home/current.new"
    mv -T "$home/current.new" "$home/current"  # in one step: there is always one
    rm -rf "$units/microblog-.service.d"
    cp -R "$release/deploy/systemd/"microblog* "$units/"
    say "Current is $1."
    [ -z "$DESTDIR" ] || return 0
    systemctl daemon-reload
    systemctl enable --quiet microblog.target microblog-web.socket microblog-web.service microblog-sweeper.service
    ls "$units"/microblog.target.wants/microblog-worker@* >/dev/null 2>&1 || systemctl enable --quiet microblog-worker@1
    systemctl start microblog.target
    systemctl restart microblog-web.service microblog-sweeper.service  # the socket stays open: requests wait
    systemctl restart --no-block 'microblog-worker@*.service'          # each when it has finished its build
}

# Keeps the newest releases, and those that some process still runs in.
prune() {
    # shellcheck disable=SC2012  # the names are ours
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

if [ "${1:-}" = --back ]; then
    [ -e "$home/previous" ] || { say "There is no version before this one." >&2 && exit 1; }
    switch "$(basename "$(readlink "$home/previous")")"
    exit 0
fi

now=$(date +%Y%m%d%H%M%S)
version=${VERSION:-$(git -C "$source" describe --always --tags "--dirty=-$now" 2>/dev/null || echo "$now")}
make_places
make_environment
make_release "$version"
migrate "$version"
switch "$version"
prune
