#!/usr/bin/env python3
"""Damages dumps in every layout and compression and counts who notices, for docs/corruption.md.

    PGBIN=…/bin ROLLSAFE=target/release/rollsafe python3 scripts/corruption.py [EACH] [RESTORES]

EACH damages for each cell (300), of which up to RESTORES (20) that the reader alone doesn't notice are restored, by
pg_restore and by rollsafe. PGBIN needs lz4 and zstd built in. As root the server runs as the user postgres.
"""
import os, random, shutil, subprocess, sys, tempfile

PGBIN, ROLLSAFE = os.environ["PGBIN"], os.path.abspath(os.environ["ROLLSAFE"])
EACH = int(sys.argv[1]) if len(sys.argv) > 1 else 300
RESTORES = int(sys.argv[2]) if len(sys.argv) > 2 else 20
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
AS = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
work = tempfile.mkdtemp(prefix="corruption.", dir="/tmp")
os.chmod(work, 0o755)
if AS:
    shutil.chown(work, "postgres")
os.chdir(work)
env = dict(os.environ, PGHOST=work, PGUSER="postgres", ROLLSAFE_PG_BIN=PGBIN)


def run(args, limit=20, **more):
    """Exit code; 124 when it didn't end in time."""
    try:
        return subprocess.run(args, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=limit, **more).returncode
    except subprocess.TimeoutExpired:
        return 124


def output(args, limit=60):
    return subprocess.run(args, env=env, capture_output=True, timeout=limit).stdout


def pg(program):
    return f"{PGBIN}/{program}"


def psql(sql, database="postgres"):
    return output([pg("psql"), "-qAtX", "-d", database, "-c", sql])


COUNTS = """SELECT n.nspname || '.' || c.relname, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.%I',
    n.nspname, c.relname), false, true, '')))[1] FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^pg_|information_schema' ORDER BY 1;
    SELECT count(*) FROM pg_constraint; SELECT count(*) FROM pg_index WHERE indisvalid; SELECT count(*) FROM pg_largeobject_metadata;
    SELECT sum(length(data)) FROM pg_largeobject; SELECT count(*) FROM pg_trigger; SELECT count(*) FROM pg_proc"""


def restore(dump):
    """Whether a real restore shows the damage: its exit code, or other counts than the source's."""
    psql("DROP DATABASE IF EXISTS target")
    psql("CREATE DATABASE target TEMPLATE template0")
    code = run([pg("pg_restore"), "-d", "target", dump], 60)
    return code != 0 or psql(COUNTS, "target") != counts


def rollsafe(dump, *options):
    # 1: findings. 2: could not check all of it, which isn't a pass, and isn't counted as seen here.
    code = run([ROLLSAFE, "--no-config", "verify-backup", dump, "--min-size", "1", "--min-tables", "0", *options], 120)
    assert code in (0, 1, 2, 124), (code, dump)
    return code == 1


def files(dump):
    if os.path.isdir(dump):
        return sorted(os.path.join(dump, name) for name in os.listdir(dump))
    return [dump]


def damage(kind, dump, front):
    """Damages one file of the dump; returns what it was, or None when nothing changed."""
    paths = [path for path in files(dump) if os.path.getsize(path) > 0]
    toc = [path for path in paths if path.endswith("toc.dat")]
    if os.path.isdir(dump):
        if kind == "front flip":
            path = toc[0]
        else:
            paths = [path for path in paths if path not in toc] if kind == "data flip" else paths
            path = random.choices(paths, [os.path.getsize(path) for path in paths])[0] if kind == "data flip" else random.choice(paths)
    else:
        path = dump
    data = bytearray(open(path, "rb").read())
    low, high = 0, len(data)
    if not os.path.isdir(dump):
        low, high = (0, front) if kind == "front flip" else (front, len(data)) if kind == "data flip" else (0, len(data))
    at = random.randrange(low, high)
    before = bytes(data)
    if kind.endswith("flip"):
        data[at] ^= 1 << random.randrange(8)
    elif kind == "cut":
        del data[at:]
    elif kind == "zeroed page":
        page = at // 512 * 512
        data[page : page + 512] = bytes(len(data[page : page + 512]))
    elif kind == "file gone":
        os.remove(path)
        return path, before
    if bytes(data) == before:
        return None
    open(path, "wb").write(data)
    return path, before


try:
    subprocess.run([*AS, pg("initdb"), "-N", "-A", "trust", "-U", "postgres", "--locale=C", "-E", "UTF8", "-D", "data"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*AS, pg("pg_ctl"), "-s", "-w", "-D", "data", "-l", "log", "-o", f"-c listen_addresses='' -k {work} -c fsync=off", "start"], check=True)
    psql("CREATE ROLE shop_reader; CREATE ROLE shop_owner")
    psql("CREATE DATABASE shop")
    run([pg("psql"), "-qX", "-d", "shop", "-f", f"{HERE}/fixtures/dumps/shop.sql"])
    psql("""INSERT INTO users (email, name) SELECT 'more' || i || '@example.com', md5(i::text) FROM generate_series(1, 3000) i;
        INSERT INTO billing.products (sku, price, stock) SELECT 'MORE-' || i, i, i FROM generate_series(1, 3000) i;
        INSERT INTO counters (n) SELECT i FROM generate_series(1, 3000) i""", "shop")
    counts = psql(COUNTS, "shop")
    run([pg("pg_dump"), "-Fc", "-s", "-d", "shop", "-f", "front"])
    front = os.path.getsize("front")
    print(f"{EACH} damages for each cell, up to {RESTORES} restores of those that the reader doesn't notice; pg_restore {output([pg('pg_restore'), '--version']).decode().split()[2]}\n")
    print("| dump | damage | n | harmless | `--list` | `-f /dev/null` | reader | manifest | unseen by the reader, restored | pg_restore's restore | rollsafe's restore |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    cells = [(f"custom {how}", ["-Fc", f"--compress={how}"]) for how in ("none", "gzip", "lz4", "zstd")]
    cells += [(f"directory {how}", ["-Fd", f"--compress={how}"]) for how in ("none", "gzip", "lz4", "zstd")]
    cells += [("tar", ["-Ft"])]
    for name, options in cells:
        dump = os.path.join(work, name.replace(" ", "-"))
        run([pg("pg_dump"), "-d", "shop", "-f", dump, *options])
        assert not rollsafe(dump, "--restore=never", "--write-manifest", "manifest.json"), f"{name} is intact"
        assert not restore(dump), f"{name} restores"
        plain = output([pg("pg_restore"), "-f", "-", dump])
        kinds = ["front flip", "data flip", "cut", "zeroed page"] + (["file gone"] if os.path.isdir(dump) else [])
        for kind in kinds:
            random.seed(f"{name} {kind}")
            n = harmless = listed = decoded = reader = manifest = tried = theirs = ours = 0
            for _ in range(EACH * (2 if kind == "data flip" else 1) // (len(kinds) + 1)):
                done = damage(kind, dump, front)
                if done is None:
                    continue
                n += 1
                seen = rollsafe(dump, "--restore=never")
                reader += seen
                manifest += rollsafe(dump, "--restore=never", "--manifest", "manifest.json")
                lists = run([pg("pg_restore"), "--list", dump]) != 0
                decodes = run([pg("pg_restore"), "-f", "/dev/null", dump], 5) != 0
                listed, decoded = listed + lists, decoded + decodes
                if not seen:
                    same = not decodes and output([pg("pg_restore"), "-f", "-", dump]) == plain
                    harmless += same
                    if not same and tried < RESTORES:
                        tried += 1
                        real, own = restore(dump) or decodes, rollsafe(dump, "--restore=always")
                        theirs, ours = theirs + real, ours + own
                        if real and not own:
                            print(f"missed: {name}, {kind}: {done[0]}", file=sys.stderr)
                            shutil.copytree(dump, f"/tmp/missed-{name}-{n}", dirs_exist_ok=True) if os.path.isdir(dump) else shutil.copy(dump, f"/tmp/missed-{name}-{n}")
                open(done[0], "wb").write(done[1])
            print(f"| {name} | {kind} | {n} | {harmless} | {listed} | {decoded} | {reader} | {manifest} | {tried} | {theirs} | {ours} |", flush=True)
finally:
    run([*AS, pg("pg_ctl"), "-s", "-D", f"{work}/data", "-m", "immediate", "stop"])
    os.chdir("/")
    shutil.rmtree(work)
