#!/bin/sh
# Back up the database and the archives while the services run.
#
#   deploy/backup.sh FOLDER      write a new subfolder, named by date and time, and print its path
#
# Reads /etc/microblog/env if it exists. PostgreSQL's client programs must be at least as new as its
# server. The database is copied first: an archive built during the backup is then an extra file,
# which the sweeper deletes. The other order could miss a file.
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
[ $# = 1 ] || { echo "usage: backup.sh FOLDER" >&2 && exit 2; }
folder=$1/$(date -u +%Y%m%dT%H%M%SZ)
mkdir -p "$folder.part"

case $DATABASE_URL in
sqlite:*)
    "${PYTHON:-python3}" - "${DATABASE_URL#sqlite:///}" "$folder.part/database.sqlite3" <<'PYTHON'
import contextlib, sqlite3, sys
source, target = (contextlib.closing(sqlite3.connect(path)) for path in sys.argv[1:])
with source as source, target as target:
    source.backup(target)
PYTHON
    ;;
*)
    as_microblog pg_dump --format=custom --no-owner --dbname="$DATABASE_URL" \
        >"$folder.part/database.dump"
    ;;
esac

# Archives in a bucket are not copied: turn on the versioning of the bucket.
if [ -z "${EXPORT_BUCKET:-}" ] && [ -d "$VAR_DIR/archives" ]; then
    cp -R -p "$VAR_DIR/archives" "$folder.part/archives"
fi
mv "$folder.part" "$folder"
printf '%s\n' "$folder"
