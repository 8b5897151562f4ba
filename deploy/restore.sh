#!/bin/sh
# Restore a backup into an empty database and a VAR_DIR without archives. Never overwrites anything.
#
#   deploy/restore.sh FOLDER     the folder that backup.sh printed
#
# Stop site, workers and sweeper first. Afterwards run `manage.py migrate` and start them again.
set -eu
umask 077

# PostgreSQL may authenticate by the operating system's user (peer authentication).
as_microblog() {
    if [ "$(id -u)" = 0 ] && id microblog >/dev/null 2>&1; then
        runuser -u microblog -- "$@"
    else
        "$@"
    fi
}

if [ -r /etc/microblog/env ]; then
    set -a
    # shellcheck source=deploy/env.example
    . /etc/microblog/env
    set +a
fi
VAR_DIR=${VAR_DIR:-/var/lib/microblog}
DATABASE_URL=${DATABASE_URL:-sqlite:///$VAR_DIR/db.sqlite3}
[ $# = 1 ] || { echo "usage: restore.sh FOLDER" >&2 && exit 2; }
folder=$1
mkdir -p "$VAR_DIR"

if [ -e "$VAR_DIR/archives" ] && [ -d "$folder/archives" ]; then
    echo "$VAR_DIR/archives already exists." >&2
    exit 1
fi
case $DATABASE_URL in
sqlite:*)
    path=${DATABASE_URL#sqlite:///}
    if [ -e "$path" ]; then
        echo "$path already exists." >&2
        exit 1
    fi
    cp "$folder/database.sqlite3" "$path"
    ;;
*)
    as_microblog pg_restore --exit-on-error --single-transaction --no-owner \
        --dbname="$DATABASE_URL" <"$folder/database.dump"
    ;;
esac
if [ -d "$folder/archives" ]; then
    cp -R -p "$folder/archives" "$VAR_DIR/archives"
fi
if [ "$(id -u)" = 0 ] && id microblog >/dev/null 2>&1; then
    chown -R microblog:microblog "$VAR_DIR"
fi
