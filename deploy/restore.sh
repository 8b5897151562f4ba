#!/bin/sh
# Brings a backup of deploy/backup.sh back, into an empty database and a VAR_DIR without archives; nothing that is there
# is written over. Stop site, workers and sweeper before, run `manage.py migrate` after, then start them.
#
#   deploy/restore.sh /var/backups/microblog/20261123T101500Z
set -eu
umask 077

# PostgreSQL on a socket may know people by the user who asks.
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
folder=${1:?the folder of one backup}
mkdir -p "$VAR_DIR"

if [ -e "$VAR_DIR/archives" ] && [ -d "$folder/archives" ]; then
    echo "$VAR_DIR/archives is there already." >&2
    exit 1
fi
case $DATABASE_URL in
sqlite:*)
    path=${DATABASE_URL#sqlite:///}
    if [ -e "$path" ]; then
        echo "$path is there already." >&2
        exit 1
    fi
    cp "$folder/database.sqlite3" "$path"
    ;;
*)
    as_microblog pg_restore --exit-on-error --single-transaction --no-owner --dbname="$DATABASE_URL" \
        <"$folder/database.dump"
    ;;
esac
if [ -d "$folder/archives" ]; then
    cp -R -p "$folder/archives" "$VAR_DIR/archives"
fi
if [ "$(id -u)" = 0 ] && id microblog >/dev/null 2>&1; then
    chown -R microblog:microblog "$VAR_DIR"
fi
