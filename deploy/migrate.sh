#!/bin/sh
# Migrate the database while the site runs.
#
#   deploy/migrate.sh            as root, with the environment of the services
#
# A build reads one snapshot for its whole length, so a migration of the same table waits for it,
# and on PostgreSQL every page then waits behind the migration. The migration therefore waits for a
# lock only for seconds, lets the pages go first, and tries again.
#
# LOCK_TIMEOUT   how long it waits for a lock (default: 3s)
# LOCK_PAUSE     seconds until it tries again (default: 10)
# LOCK_TRIES     how often it tries (default: 400, longer than the longest build)
# DESTDIR        as in install.sh
set -eu

# shellcheck source=deploy/environment.sh
. "$(dirname "$0")/environment.sh"
check_arguments 0 "$@"
export PGOPTIONS="${PGOPTIONS:-} -c lock_timeout=${LOCK_TIMEOUT:-3s}"
tries=${LOCK_TRIES:-400}
while ! output=$("$(dirname "$0")/manage.sh" migrate --no-input --verbosity 1 2>&1); do
    tries=$((tries - 1))
    case $output in
    *"due to lock timeout"*) ;;
    *) tries=0 ;;
    esac
    if [ "$tries" = 0 ]; then
        printf '%s\n' "$output" >&2
        exit 1
    fi
    echo "A build holds a table that the migration changes. Trying again in ${LOCK_PAUSE:-10} s ..."
    sleep "${LOCK_PAUSE:-10}"
done
printf '%s\n' "$output"
