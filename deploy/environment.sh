# shellcheck shell=sh
# Functions that the scripts of this folder share. They read this file; it does nothing by itself.

# Print the comment at the top of the script that runs.
usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

# Accept only the number of arguments $1, none of them an option. The script's own follow.
check_arguments() {
    expected=$1
    shift
    case "${1:-}" in
    -h | --help) usage && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
    esac
    [ $# = "$expected" ] || { usage >&2 && exit 2; }
}

# Export the variables of the file $1. systemd reads the same file, but knows neither $NAME nor
# `...`, and the shell ends a value at a blank: refuse lines that the two would read differently.
load_environment() {
    same='[A-Za-z0-9_./:@%+,=?^-]*'
    value="$same|'[^']*'|\"[^\"\$\`\\\\]*\""
    if lines=$(grep -nEv "^([A-Za-z_][A-Za-z0-9_]*=($value)|#.*|[[:space:]]*)\$" "$1"); then
        number=$(printf '%s\n' "$lines" | sed -n '1s/:.*//p')
        echo "Line $number of $1 is not NAME=value, or needs single quotes around the value." >&2
        exit 2
    fi
    set -a
    # shellcheck source=deploy/env.example
    . "$1"
    set +a
}

# Run a command as the services' user, because PostgreSQL may authenticate by the operating
# system's user (peer authentication).
as_microblog() {
    if [ "$(id -u)" = 0 ] && id microblog >/dev/null 2>&1; then
        runuser -u microblog -- "$@"
    else
        "$@"
    fi
}

# Print the path of the SQLite database; nothing if DATABASE_URL names another one.
sqlite_path() {
    case ${DATABASE_URL-} in
    '') printf '%s\n' "$VAR_DIR/db.sqlite3" ;;
    sqlite:///*)
        "${PYTHON:-python3}" -c 'if True:
            import os, sys, urllib.parse
            path = urllib.parse.unquote_to_bytes(sys.argv[1].removeprefix("sqlite:///"))
            sys.stdout.buffer.write(path + os.linesep.encode())' "$DATABASE_URL"
        ;;
    esac
}
