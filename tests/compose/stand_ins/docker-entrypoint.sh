#!/bin/sh
# As PostgreSQL's image begins: makes a cluster whose user has the password of the file, and executes the server.
set -e
PGDATA=/var/lib/postgresql/data/pgdata
bin=/opt/postgres/pgserver/pginstall/bin
if [ ! -d "$PGDATA" ]; then
  "$bin/initdb" --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --encoding=UTF8 --locale=C $POSTGRES_INITDB_ARGS
  echo "CREATE DATABASE $POSTGRES_DB" | "$bin/postgres" --single -D "$PGDATA" postgres
fi
shift
exec "$bin/postgres" -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql "$@"
