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

# shellcheck source=deploy/environment.sh
. "$(dirname "$0")/environment.sh"
check_arguments 1 "$@"
[ ! -r /etc/microblog/env ] || load_environment /etc/microblog/env
VAR_DIR=${VAR_DIR:-/var/lib/microblog}
folder=$1/$(date -u +%Y%m%dT%H%M%SZ)
mkdir -p "$folder.part"

path=$(sqlite_path)
if [ -n "$path" ]; then
    "${PYTHON:-python3}" - "$path" "$folder.part/database.sqlite3" <<'PYTHON'
import contextlib, pathlib, sqlite3, sys
source, target = sys.argv[1:]
source = pathlib.Path(source).resolve(strict=True).as_uri() + "?mode=rw"  # creates no new database
with contextlib.closing(sqlite3.connect(source, uri=True)) as source:
    with contextlib.closing(sqlite3.connect(target)) as target:
        source.backup(target)
PYTHON
else
    as_microblog pg_dump --format=custom --no-owner --dbname="$DATABASE_URL" \
        >"$folder.part/database.dump"
fi

# Archives in a bucket are not copied: they expire after days, and can be built again.
if [ -z "${EXPORT_BUCKET:-}" ] && [ -d "$VAR_DIR/archives" ]; then
    cp -R -p "$VAR_DIR/archives" "$folder.part/archives"
fi
mv "$folder.part" "$folder"
printf '%s\n' "$folder"
