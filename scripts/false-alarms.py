#!/usr/bin/env python3
"""Makes intact dumps of odd databases in every layout and compression, and lists those that rollsafe complains of.

    PGBINS=/15/bin:/17/bin:/18/bin ROLLSAFE=target/release/rollsafe python3 scripts/false-alarms.py [--quick] [WORD]

Every dump is read and restored; an error, a warning that isn't about the place, or more than 64 MB of memory without the restore
is reported. --quick leaves out the 10,000 tables and the rows of hundreds of megabytes; WORD runs only dumps whose name
holds it. As root the servers run as the user postgres. For docs/corruption.md.
"""
import json, os, re, shutil, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROLLSAFE = os.path.abspath(os.environ["ROLLSAFE"])
BINS = os.environ["PGBINS"].split(":")
QUICK = "--quick" in sys.argv
WORD = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
AS = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
# About the place or the schema as it is, not about the dump.
ALLOWED = {"role_missing", "table_empty", "extension_unavailable", "disk_space_short", "sequence_behind_data", "server_newer_than_target", "untrusted_content"}

ENCODINGS = {
    "LATIN1": "é ü ß",
    "WIN1252": "€ Œ ž",
    "KOI8R": "Привет мир",
    "EUC_JP": "日本語 表",
    "EUC_KR": "한국어",
    "EUC_TW": "中文",
    "SQL_ASCII": "any bytes: é",
}
TABLES = """DO $$ BEGIN FOR i IN 1..10000 LOOP
    EXECUTE format('CREATE TABLE t_%s (id int PRIMARY KEY, note text)', i);
    EXECUTE format('INSERT INTO t_%s VALUES (1, ''a''), (2, NULL)', i);
    IF i % 500 = 0 THEN COMMIT; END IF;
END LOOP; END $$"""
LARGE = """CREATE TABLE large (id int PRIMARY KEY, words text, raw bytea, doc jsonb, small int NOT NULL);
    INSERT INTO large SELECT 1, repeat(md5('1') || E'\\t\\n', 9000000), NULL, NULL, 7;
    INSERT INTO large SELECT 2, NULL, decode(repeat(md5('2'), 8000000), 'hex'), '{"a": 1}', 8;
    INSERT INTO large SELECT 3, 'x', '', to_jsonb(repeat('word ', 30000000)), 9;
    INSERT INTO large SELECT i, 'short', '', '[]', i FROM generate_series(10, 2000) i;
    SELECT lo_from_bytea(4711, decode(repeat(md5('3'), 4000000), 'hex'))"""

TABLES_DUMPS = (("tables-custom", ["-Fc"]), ("tables-directory", ["-Fd"]))
LARGE_DUMPS = (
    ("large-custom-zstd", ["-Fc", "--compress=zstd"]),
    ("large-custom-none", ["-Fc", "--compress=none"]),
    ("large-directory-lz4", ["-Fd", "--compress=lz4"]),
    ("large-plain.sql", ["-Fp"]),
    ("large-inserts.sql", ["-Fp", "--inserts"]),
)


class Server:
    def __init__(self, folder):
        self.bin = folder
        self.work = tempfile.mkdtemp(prefix="alarms.", dir="/tmp")
        os.chmod(self.work, 0o755)
        if AS:
            shutil.chown(self.work, "postgres")
        self.env = dict(os.environ, PGHOST=self.work, PGUSER="postgres", ROLLSAFE_PG_BIN=":".join(BINS), PGTZ="Europe/Berlin")
        os.chdir(self.work)
        subprocess.run([*AS, f"{folder}/initdb", "-N", "-A", "trust", "-U", "postgres", "--locale=C", "-E", "UTF8", "-D", "data"], check=True, stdout=subprocess.DEVNULL)
        settings = f"-c listen_addresses='' -k {self.work} -c fsync=off -c max_locks_per_transaction=20000 -c shared_buffers=64MB -c wal_level=minimal -c max_wal_senders=0"
        subprocess.run([*AS, f"{folder}/pg_ctl", "-s", "-w", "-D", "data", "-l", "log", "-o", settings, "start"], check=True)
        self.major = re.search(r"(\d+)", subprocess.check_output([f"{folder}/pg_dump", "--version"], text=True)).group(1)

    def stop(self):
        subprocess.run([*AS, f"{self.bin}/pg_ctl", "-s", "-D", f"{self.work}/data", "-m", "immediate", "stop"])
        os.chdir("/")
        shutil.rmtree(self.work)

    def sql(self, database, *statements, file=None):
        arguments = [f"{self.bin}/psql", "-qX", "-v", "ON_ERROR_STOP=1" if not file else "x=1", "-d", database]
        for statement in statements:
            arguments += ["-c", statement]
        subprocess.run(arguments + (["-f", file] if file else []), env=self.env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL if file else None)

    def dump(self, name, database, *options, pipe=False, tool="pg_dump"):
        path = os.path.join(self.work, name)
        if pipe:
            with open(path, "wb") as file:
                subprocess.run([f"{self.bin}/{tool}", *([] if tool == "pg_dumpall" else ["-d", database]), *options], env=self.env, check=True, stdout=file)
        else:
            subprocess.run([f"{self.bin}/{tool}", "-d", database, "-f", path, *options], env=self.env, check=True, stderr=subprocess.DEVNULL)
        return path


def measured(env, *arguments):
    """Standard output, exit code and peak memory in MB."""
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen([ROLLSAFE, "--no-config", "verify-backup", *arguments, "--min-size=1", "--min-tables=0", "--format=json"], env=env, stdout=out, stderr=subprocess.PIPE)
        error = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        out.seek(0)
        return out.read(), os.waitstatus_to_exitcode(status), usage.ru_maxrss / 1024, error.decode()


class Tally:
    dumps = wrong = partial = 0
    most = 0.0

    def look(self, server, path, more=()):
        name = f"{server.major} {os.path.basename(path)}"
        _, _, memory, _ = measured(server.env, path, "--restore=never", *more)
        out, code, _, error = measured(server.env, path, "--restore=always", *more)
        self.dumps += 1
        self.most = max(self.most, memory)
        report = json.loads(out) if out else {"findings": [], "verdict": error}
        found = [finding for finding in report["findings"] if finding["severity"] == "error" or finding["severity"] == "warning" and finding["code"] not in ALLOWED]
        bad = [f"{finding['code']}: {finding['message']}" for finding in found]
        # What isn't read here is said, and no alarm: names in encodings of several bytes.
        partial = report["verdict"] == "incomplete" and all("in an encoding that isn't read" in note or "rows are counted" in note or "not all of its rows could be loaded" in note for note in report["notes"] if note.startswith("not compared"))
        self.partial += partial
        if report["verdict"] != "verified" and not partial:
            bad.append(f"verdict {report['verdict']}, exit code {code}")
            bad += report.get("notes", []) + [stage["reason"] for stage in report.get("stages", []) if stage["status"] == "skipped"]
        if memory > 64:
            bad.append(f"{memory:.0f} MB of memory")
        self.wrong += bool(bad)
        print(f"{'ALARM' if bad else 'quiet'} {memory:5.1f} MB  {name}" + "".join(f"\n      {line[:300]}" for line in bad), flush=True)
        shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def run(server, tally):
    pairs = ("none", "gzip", "lz4", "zstd") if server.major == "17" else ("none", "gzip")
    level = {"none": "0", "gzip": "6"}
    how = lambda kind: f"--compress={kind}" if server.major != "15" else f"--compress={level[kind]}"
    small = [(f"{layout}-{kind}", [f"--format={layout}", how(kind)]) for layout in ("custom", "directory", "plain") for kind in pairs] + [("tar", ["-Ft"])]
    more = [
        ("gzip-9", ["-Fc", "--compress=9"]),
        ("jobs", ["-Fd", "--jobs=3"]),
        ("inserts", ["-Fc", "--inserts"]),
        ("column-inserts.sql", ["-Fp", "--column-inserts"]),
        ("many-rows-per-insert.sql", ["-Fp", "--rows-per-insert=7"]),
        ("clean-create.sql", ["-Fp", "--clean", "--if-exists", "--create"]),
        ("clean-create", ["-Fc", "--clean", "--create"]),
        ("partition-root", ["-Fc", "--load-via-partition-root"]),
        ("quoted", ["-Fc", "--quote-all-identifiers"]),
        ("quoted.sql", ["-Fp", "--quote-all-identifiers"]),
        ("no-owner", ["-Fc", "--no-owner", "--no-privileges", "--no-comments"]),
        ("verbose.sql", ["-Fp", "--verbose"]),
        ("serializable", ["-Fc", "--serializable-deferrable", "--disable-triggers"]),
    ]
    if server.major == "17":
        more.append(("zstd-long", ["-Fc", "--compress=zstd:level=3,long=yes"]))
    if server.major == "18":
        more.append(("statistics", ["-Fc", "--statistics"]))
    plan = []
    server.sql("postgres", "CREATE ROLE shop_reader", "CREATE ROLE shop_owner", "CREATE DATABASE shop", "CREATE DATABASE odd", "ALTER DATABASE shop SET timezone = 'Asia/Tokyo'")
    server.sql("shop", file=f"{HERE}/fixtures/dumps/shop.sql")
    server.sql("odd", file=f"{HERE}/tests/restore_odd.sql")
    plan += [("shop-" + name, "shop", options, {}) for name, options in small + more]
    plan += [(f"odd-{name}", "odd", options, {}) for name, options in small[:1] + [("plain.sql", ["-Fp"]), ("directory", ["-Fd"])]]
    plan += [("piped", "shop", ["-Fc"], {"pipe": True}), ("cluster.sql", "", [], {"pipe": True, "tool": "pg_dumpall"})]
    if server.major == "17":
        for encoding, text in ENCODINGS.items():
            database = f"db_{encoding.lower()}"
            server.sql("postgres", f"CREATE DATABASE {database} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
            server.sql(database, "SET client_encoding = 'UTF8'" if encoding != "SQL_ASCII" else "SELECT 1",
                       f"CREATE TABLE \"tab {text}\" (\"col {text}\" text PRIMARY KEY, n int)", f"INSERT INTO \"tab {text}\" SELECT '{text} ' || i || E'\\t\\\\', i FROM generate_series(1, 500) i")
            plan += [(f"{database}-{name}", database, options, {}) for name, options in (("custom", ["-Fc"]), ("plain.sql", ["-Fp"]))]
        plan.append(("latin1-as-utf8", "db_latin1", ["-Fc", "--encoding=UTF8"], {}))
        plan.append(("eucjp-as-sjis", "db_euc_jp", ["-Fc", "--encoding=SJIS"], {}))
    for name, database, options, extra in plan:
        if WORD in name:
            path = server.dump(name, database, *options, **extra)
            tally.look(server, path, ["--large-windows"] if name.endswith("zstd-long") else [])
    if QUICK or server.major != "17":
        return
    for database, made, dumps in (("tables", [TABLES], TABLES_DUMPS), ("large", LARGE.split(";\n"), LARGE_DUMPS)):
        chosen = [(name, options) for name, options in dumps if WORD in name]
        if not chosen:
            continue
        server.sql("postgres", f"CREATE DATABASE {database}")
        server.sql(database, *made)
        for name, options in chosen:
            tally.look(server, server.dump(name, database, *options))
        server.sql("postgres", f"DROP DATABASE {database}")


def main():
    tally = Tally()
    began = time.time()
    for folder in BINS:
        server = Server(folder)
        try:
            run(server, tally)
        finally:
            server.stop()
    print(f"{tally.dumps} dumps, {tally.wrong} with a false alarm; most memory without the restore {tally.most:.1f} MB; {time.time() - began:.0f} s")
    sys.exit(1 if tally.wrong else 0)


main()
