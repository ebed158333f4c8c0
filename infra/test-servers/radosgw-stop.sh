#!/usr/bin/env bash
# Stop the server that radosgw.sh started in STATE_DIR, by the process ids that it wrote there. Usage: radosgw-stop.sh STATE_DIR
set -u
for file in "$1"/run/*.pid; do
    [ -s "$file" ] && kill "$(cat "$file")" 2> /dev/null
done
for _ in $(seq 40); do
    alive=0
    for file in "$1"/run/*.pid; do
        [ -s "$file" ] && kill -0 "$(cat "$file")" 2> /dev/null && alive=1
    done
    [ $alive = 0 ] && exit 0
    sleep 0.25
done
for file in "$1"/run/*.pid; do
    [ -s "$file" ] && kill -9 "$(cat "$file")" 2> /dev/null
done
exit 0
