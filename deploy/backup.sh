#!/bin/sh
# Writes database and archives into a new folder, named by the time, below the one given; sites and workers go on.
#
#   deploy/backup.sh /var/backups/microblog
#
# The environment is the services': /etc/microblog/env is read where there is one. PostgreSQL's client programs must be
# as new as its server. The database comes first: an archive that is built meanwhile is then one too many, which the
# sweeper removes, and not one too few.
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
folder=${1:?the folder of the backups}/$(date -u +%Y%m%dT%H%M%SZ)
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
    as_microblog pg_dump --format=custom --no-owner --dbname="$DATABASE_URL" >"$folder.part/database.dump"
    ;;
esac

# In a bucket they are the bucket's to keep: turn its versioning on.
if [ -z "${EXPORT_BUCKET:-}" ] && [ -d "$VAR_DIR/archives" ]; then
    cp -R -p "$VAR_DIR/archives" "$folder.part/archives"
fi
mv "$folder.part" "$folder"
printf '%s\n' "$folder"
