#!/bin/bash
# What the official PostgreSQL image does at its start, in the parts a stack of ours relies on.
set -euo pipefail

if [ "$(id -u)" = 0 ]; then
    install -d -o postgres -g postgres -m 700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
fi

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}

create_cluster() {
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        exit 1
    fi
    # A file descriptor keeps the password out of every process list.
    # shellcheck disable=SC2086 -- POSTGRES_INITDB_ARGS is a list of words
    initdb --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
        --auth=trust --encoding=UTF8 ${POSTGRES_INITDB_ARGS:-}
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
    pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
    # The official image knows the collations of ICU, the wheel's PostgreSQL does not; the product
    # sorts folders by this one. In pg_catalog of template1 it reaches databases, but no dump.
    psql --username="$user" --dbname=template1 --quiet <<'SQL'
SET allow_system_table_mods = on;
CREATE COLLATION pg_catalog."en-x-icu" FROM "C";
SQL
    if [ "$database" != postgres ]; then
        createdb --username="$user" --maintenance-db=postgres "$database"
    fi
    pg_ctl -D "$PGDATA" -m fast -w stop
}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    create_cluster
fi
unset POSTGRES_PASSWORD
exec "$@"
