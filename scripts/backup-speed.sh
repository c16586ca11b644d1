#!/bin/sh
# Times the data stage of verify-backup against pg_restore on the same dump, for docs/backup-speed.md.
#   PGBIN=…/bin sh scripts/backup-speed.sh FOLDER
# RUN='chrt -f 10' gives the measured programs real-time priority, for a machine that is busy otherwise (as root).
# FOLDER (2 GB free) keeps the dumps; a second run uses them again. PGBIN needs lz4 and zstd built in.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:?a folder for the dumps}
mkdir -p "$folder"
as=''
if [ "$(id -u)" = 0 ]; then as='setpriv --reuid=postgres --regid=postgres --clear-groups'; fi
if [ ! -e "$folder/zstd.dump" ]; then
    work=$(mktemp -d /tmp/speed.XXXXXX)
    if [ -n "$as" ]; then chown postgres "$work"; fi
    trap 'cd /; $as "$PGBIN/pg_ctl" -s -D "$work/data" -m immediate stop || true; rm -rf "$work"' EXIT
    cd "$work"
    $as "$PGBIN/initdb" -N -A trust -U postgres --locale=C -E UTF8 -D "$work/data" >/dev/null
    $as "$PGBIN/pg_ctl" -s -w -D "$work/data" -l "$work/log" \
        -o "-c listen_addresses='' -k $work -c fsync=off -c wal_level=minimal -c max_wal_senders=0 -c max_wal_size=4GB -c shared_buffers=256MB" start
    export PGHOST="$work" PGUSER=postgres
    "$PGBIN/psql" -qX -v ON_ERROR_STOP=1 -d postgres -f "$here/scripts/backup-speed.sql"
    for how in none gzip lz4 zstd; do "$PGBIN/pg_dump" -Fc --compress=$how -d postgres -f "$folder/$how.dump"; done
    trap - EXIT
    cd /
    $as "$PGBIN/pg_ctl" -s -D "$work/data" -m immediate stop
    rm -rf "$work"
fi
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$here/target}"
(cd "$here" && cargo build -q --release --example read_dump)
ours=$CARGO_TARGET_DIR/release/examples/read_dump
# user + system and wall seconds of the best of five runs
best() {
    for _ in 1 2 3 4 5; do
        ( exec 3>&2; TIMEFORMAT='%U %S %R'; bash -c "TIMEFORMAT='%U %S %R'; time ${RUN:-} $* >/dev/null 2>&1" 2>&1 )
    done | awk '{ cpu = $1 + $2; if (NR == 1 || cpu < c) c = cpu; if (NR == 1 || $3 < w) w = $3 } END { printf "%.2f / %.2f", c, w }'
}
echo '| | none | gzip | lz4 | zstd |'
echo '| --- | --- | --- | --- | --- |'
row() {
    line="| $1 |"
    shift
    for how in none gzip lz4 zstd; do line="$line $(best "$(echo "$*" | sed "s#DUMP#$folder/$how.dump#g")") |"; done
    echo "$line"
}
for how in none gzip lz4 zstd; do cat "$folder/$how.dump" > /dev/null; done
row 'pg_restore -f /dev/null' "$PGBIN/pg_restore -f /dev/null DUMP"
for depth in structure values all; do
    for threads in 1 2; do row "rollsafe, $depth, $threads thread$([ $threads = 1 ] || echo s)" "$ours DUMP $depth $threads"; done
done
