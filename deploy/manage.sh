#!/bin/sh
# Run manage.py of this release with the user and the environment of the services. Run it as root:
#
#   /srv/microblog/current/deploy/manage.sh createsuperuser
#
# DESTDIR   as in install.sh; the command then runs as the current user
set -eu
umask 077

cd "$(dirname "$0")/.."
. deploy/environment.sh
export VAR_DIR="${DESTDIR:-}/var/lib/microblog"
load_environment "${DESTDIR:-}/etc/microblog/env"
if [ -n "${DESTDIR:-}" ]; then
    exec .venv/bin/python manage.py "$@"
fi
exec runuser -u microblog -- .venv/bin/python manage.py "$@"
