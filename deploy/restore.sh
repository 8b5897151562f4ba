#!/bin/sh
# Restore a backup into an empty database and a VAR_DIR without archives. Never overwrites anything.
#
#   deploy/restore.sh FOLDER     the folder that backup.sh printed
#
# Stop site, workers and sweeper first. Afterwards run `manage.py migrate` and start them again.
set -eu
umask 077

# shellcheck source=deploy/environment.sh
. "$(dirname "$0")/environment.sh"
check_arguments 1 "$@"
[ ! -r /etc/microblog/env ] || load_environment /etc/microblog/env
VAR_DIR=${VAR_DIR:-/var/lib/microblog}
folder=$1
path=$(sqlite_path)
if [ -n "$path" ]; then saved=$folder/database.sqlite3; else saved=$folder/database.dump; fi
if [ ! -e "$saved" ]; then
    echo "$saved does not exist: name a folder that backup.sh printed." >&2
    exit 1
fi
mkdir -p "$VAR_DIR"

if [ -e "$VAR_DIR/archives" ] && [ -d "$folder/archives" ]; then
    echo "$VAR_DIR/archives already exists." >&2
    exit 1
fi
if [ -n "$path" ]; then
    if [ -e "$path" ]; then
        echo "$path already exists." >&2
        exit 1
    fi
    cp "$saved" "$path"
else
    as_microblog pg_restore --exit-on-error --single-transaction --no-owner \
        --dbname="$DATABASE_URL" <"$saved"
fi
if [ -d "$folder/archives" ]; then
    cp -R -p "$folder/archives" "$VAR_DIR/archives"
fi
if [ "$(id -u)" = 0 ] && id microblog >/dev/null 2>&1; then
    chown -R microblog:microblog "$VAR_DIR"
fi
