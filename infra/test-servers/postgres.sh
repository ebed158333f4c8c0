#!/usr/bin/env bash
# Start an empty PostgreSQL on loopback, database "prefect", user "postgres" without a password. Usage: postgres.sh FOLDER PORT
# Ends when it is killed. Package: postgresql. PostgreSQL refuses to run as root, so root becomes the user "postgres".
set -eu
folder=$1 port=$2
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
mkdir -p "$folder"
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid postgres --regid postgres --clear-groups "$@"; else "$@"; fi; }
[ "$(id -u)" = 0 ] && chown postgres "$folder"
if [ ! -f "$folder/data/PG_VERSION" ]; then
    as "$bin/initdb" -D "$folder/data" -U postgres --auth=trust -E UTF8 --no-sync >/dev/null
    as "$bin/pg_ctl" -D "$folder/data" -w -s -o "-c listen_addresses= -p $port -k $folder" start >/dev/null
    as "$bin/createdb" -h "$folder" -p "$port" -U postgres prefect
    as "$bin/pg_ctl" -D "$folder/data" -w -s stop
fi
cd "$folder"
if [ "$(id -u)" = 0 ]; then exec setpriv --reuid postgres --regid postgres --clear-groups "$bin/postgres" -D "$folder/data" -c listen_addresses=127.0.0.1 -p "$port" -k "$folder" -c fsync=off; fi
exec "$bin/postgres" -D "$folder/data" -c listen_addresses=127.0.0.1 -p "$port" -k "$folder" -c fsync=off
