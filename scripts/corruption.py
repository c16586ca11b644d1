#!/usr/bin/env python3
"""Damages dumps in every layout and compression and counts who notices, for docs/corruption.md.

    PGBIN=…/bin ROLLSAFE=target/release/rollsafe python3 scripts/corruption.py FOLDER [EACH] [WORKERS]
    python3 scripts/corruption.py FOLDER --table

EACH damages for each layout and compression (300). FOLDER keeps the dumps and a line for each damage that was tried
(results.jsonl): started again, the script goes on where it was stopped. PGBIN needs lz4 and zstd built in; gzip, lz4 and
zstd themselves must be installed. As root the server runs as the user postgres. Hours, not minutes: run it with nice.
"""
import collections, hashlib, json, os, random, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOW = ("none", "gzip", "lz4", "zstd")
SUFFIX = {"none": "", "gzip": ".gz", "lz4": ".lz4", "zstd": ".zst"}
CELLS = [f"{layout} {how}" for layout in ("custom", "directory") for how in HOW] + ["tar none"] + [f"plain {how}" for how in HOW]


def shares(cell):
    """How many of a hundred damages are of each kind."""
    if cell.startswith("plain"):
        return {"flip": 60, "cut": 20, "zeroed page": 20}
    kinds = {"front flip": 20, "data flip": 40, "cut": 20, "zeroed page": 20}
    if cell.startswith("directory"):
        kinds = {"front flip": 16, "data flip": 34, "cut": 17, "zeroed page": 17, "file gone": 8, "files swapped": 8}
    return kinds


def tasks(each):
    """Damage by damage through all cells, so that a run that is stopped has some of everything."""
    wanted = [(cell, kind, nth) for cell in CELLS for kind, share in shares(cell).items() for nth in range((each * share + 99) // 100)]
    return sorted(wanted, key=lambda task: (task[2] / shares(task[0])[task[1]], CELLS.index(task[0])))


def results(folder):
    path = os.path.join(folder, "results.jsonl")
    lines = open(path).read().splitlines() if os.path.exists(path) else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def table(folder):
    cells = collections.defaultdict(list)
    for line in results(folder):
        cells[line["cell"], line["kind"]].append(line)
    columns = ["list", "decode", "restore", "compared", "reader", "alone", "manifest"]
    print("| dump | damage | n | harmless | `--list` | `-f` | restore | restore, compared | reader | reader + restore | manifest |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    total = collections.Counter()
    for cell in CELLS:
        for kind in shares(cell):
            lines = cells[cell, kind]
            if not lines:
                continue
            effective = [line for line in lines if not line["harmless"]]
            row = [cell, kind, len(lines), len(lines) - len(effective)]
            for column in columns:
                plain = cell.startswith("plain") and column == "list"
                row.append("" if plain else sum(line[column] for line in (lines if column == "manifest" else effective)))
                total[column] += 0 if plain else row[-1]
            total["n"], total["effective"] = total["n"] + len(lines), total["effective"] + len(effective)
            union = sum(any(line[column] for column in ("list", "decode", "restore")) for line in effective)
            alone = sum(line["alone"] for line in effective)
            print("| " + " | ".join(map(str, row)) + " |" + ("" if alone >= union else f" fewer than {union}"))
            for line in effective:
                if not line["alone"] and any(line[column] for column in ("list", "decode", "restore")):
                    print(f"missed: {line}", file=sys.stderr)
    print(f"\n{total['n']} damages, {total['effective']} of them with an effect: " + ", ".join(f"{column} {total[column]}" for column in columns))


class Server:
    """A server, its databases, and who looks at a dump."""

    def __init__(self, folder):
        self.bin, self.rollsafe_path = os.environ["PGBIN"], os.path.abspath(os.environ["ROLLSAFE"])
        self.folder = folder
        self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        self.work = tempfile.mkdtemp(prefix="corruption.", dir="/tmp")
        os.chmod(self.work, 0o755)
        if self.user:
            shutil.chown(self.work, "postgres")
        os.chdir(self.work)
        self.env = dict(os.environ, PGHOST=self.work, PGUSER="postgres", ROLLSAFE_PG_BIN=self.bin)

    def start(self):
        data = f"{self.work}/data"
        subprocess.run([*self.user, self.pg("initdb"), "-N", "-A", "trust", "-U", "postgres", "--locale=C", "-E", "UTF8", "-D", data], check=True, stdout=subprocess.DEVNULL)
        options = f"-c listen_addresses='' -k {self.work} -c fsync=off -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0 -c autovacuum=off"
        subprocess.run([*self.user, self.pg("pg_ctl"), "-s", "-w", "-D", data, "-l", f"{self.work}/log", "-o", options, "start"], check=True)

    def stop(self):
        self.run([*self.user, self.pg("pg_ctl"), "-s", "-D", f"{self.work}/data", "-m", "immediate", "stop"])
        os.chdir("/")
        shutil.rmtree(self.work)

    def pg(self, program):
        return f"{self.bin}/{program}"

    def run(self, args, limit=30, **more):
        """Exit code; 124 when it didn't end in time."""
        try:
            return subprocess.run(args, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=limit, **more).returncode
        except subprocess.TimeoutExpired:
            return 124

    def output(self, args, limit=60):
        try:
            return subprocess.run(args, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=limit).stdout
        except subprocess.TimeoutExpired:
            return b"too late"

    def psql(self, sql, database="postgres"):
        return self.output([self.pg("psql"), "-qAtX", "-d", database, "-c", sql])

    def rollsafe(self, dump, *options):
        # 1: findings. 2: could not check all of it, which isn't a pass, and isn't counted as seen here.
        code = self.run([self.rollsafe_path, "--no-config", "verify-backup", dump, "--threads", "1", "--min-size", "1", "--min-tables", "0", *options], 120)
        assert code in (0, 1, 2, 124), (code, dump)
        return code == 1

    def restore(self, dump, cell, worker):
        """Whether restoring tells (by its exit code), and what the database holds then, all of it."""
        target = f"target_{worker}"
        self.psql(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
        self.psql(f"CREATE DATABASE {target} TEMPLATE template0")
        if cell.startswith("plain"):
            tool = {"none": "cat", "gzip": "gzip -dc", "lz4": "lz4 -dcq", "zstd": "zstd -dcq"}[cell.split()[1]]
            script = f"set -o pipefail; {tool} < {dump} | {self.pg('psql')} -qX -v ON_ERROR_STOP=1 -d {target}"
            code = self.run(["bash", "-c", script], 60)
        else:
            code = self.run([self.pg("pg_restore"), "-d", target, dump], 60)
        text = self.output([self.pg("pg_dump"), "--restrict-key=x", "-d", target])
        return code != 0, hashlib.sha256(text).hexdigest()

    def make(self):
        """The source and a dump of it for each cell; kept, so that a later run damages the same bytes."""
        self.psql("CREATE ROLE shop_reader; ", "postgres")
        self.psql("CREATE ROLE shop_owner", "postgres")
        if os.path.exists(f"{self.folder}/made"):
            return
        self.psql("CREATE DATABASE shop")
        self.run([self.pg("psql"), "-qX", "-d", "shop", "-f", f"{HERE}/fixtures/dumps/shop.sql"])
        self.psql("""INSERT INTO users (email, name) SELECT 'more' || i || '@example.com', md5(i::text) FROM generate_series(1, 3000) i;
            INSERT INTO billing.products (sku, price, stock) SELECT 'MORE-' || i, i, i FROM generate_series(1, 3000) i;
            INSERT INTO counters (n) SELECT i FROM generate_series(1, 3000) i""", "shop")
        front = f"{self.work}/front"
        self.run([self.pg("pg_dump"), "-Fc", "-s", "-d", "shop", "-f", front])
        facts = {"front": os.path.getsize(front), "same": {}, "text": {}}
        for cell in CELLS:
            layout, how = cell.split()
            dump = self.dump(cell)
            compress = [] if layout == "tar" or (layout, how) == ("plain", "none") else [f"--compress={how}"]
            self.run([self.pg("pg_dump"), "-d", "shop", f"--format={layout}", *compress, "-f", dump])
            assert not self.rollsafe(dump, "--restore=never", "--write-manifest", dump + ".json"), f"{cell} is intact"
            failed, facts["same"][cell] = self.restore(dump, cell, 0)
            assert not failed, f"{cell} restores"
            facts["text"][cell] = self.text(dump, cell)
        json.dump(facts, open(f"{self.folder}/made", "w"))

    def dump(self, cell, folder=None):
        layout, how = cell.split()
        return os.path.join(folder or self.folder, cell.replace(" ", "-") + (".sql" + SUFFIX[how] if layout == "plain" else ""))

    def text(self, dump, cell):
        if cell.startswith("plain"):
            tool = {"none": ["cat"], "gzip": ["gzip", "-dc"], "lz4": ["lz4", "-dcq"], "zstd": ["zstd", "-dcq"]}[cell.split()[1]]
            return hashlib.sha256(self.output([*tool, dump], 10)).hexdigest()
        return hashlib.sha256(self.output([self.pg("pg_restore"), "--restrict-key=x", "-f", "-", dump], 10)).hexdigest()

    def try_one(self, cell, kind, nth, worker, facts):
        """Damages a copy, asks everybody, and returns what they said."""
        copies = f"{self.work}/{worker}"
        os.makedirs(copies, exist_ok=True)
        copy, intact = self.dump(cell, copies), self.dump(cell)
        if os.path.isdir(intact):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(intact, copy)
        else:
            shutil.copy(intact, copy)
        chance = random.Random(f"{cell} {kind} {nth}")
        what = damage(kind, copy, facts["front"], chance)
        said = {"cell": cell, "kind": kind, "nth": nth, "what": what}
        said["reader"] = self.rollsafe(copy, "--restore=never")
        said["manifest"] = self.rollsafe(copy, "--restore=never", "--manifest", intact + ".json")
        if cell.startswith("plain"):
            tool = {"none": ["cat"], "gzip": ["gzip", "-t"], "lz4": ["lz4", "-tq"], "zstd": ["zstd", "-tq"]}[cell.split()[1]]
            said["list"], said["decode"] = False, self.run([*tool, copy], 10) != 0
        else:
            said["list"] = self.run([self.pg("pg_restore"), "--list", copy], 10) != 0
            said["decode"] = self.run([self.pg("pg_restore"), "-f", "/dev/null", copy], 5) != 0
        same_text = not said["decode"] and self.text(copy, cell) == facts["text"][cell]
        said["restore"] = said["compared"] = said["decode"]
        if not said["decode"]:
            said["restore"], holds = self.restore(copy, cell, worker)
            said["compared"] = said["restore"] or holds != facts["same"][cell]
        # Restored, the dump gives the very database: nothing that anybody could complain of.
        said["harmless"] = same_text and not said["restore"] and not said["compared"]
        said["alone"] = said["reader"] or (not said["harmless"] and self.rollsafe(copy, "--restore=always"))
        if not said["alone"] and (said["list"] or said["restore"]):
            kept = f"{self.folder}/missed-{cell}-{kind}-{nth}".replace(" ", "-")
            shutil.rmtree(kept, ignore_errors=True)
            (shutil.copytree if os.path.isdir(copy) else shutil.copy)(copy, kept)
        return said


def damage(kind, dump, front, chance):
    """Damages one file of the dump (two, where they are swapped); returns where."""
    is_folder = os.path.isdir(dump)
    paths = sorted(os.path.join(dump, name) for name in os.listdir(dump)) if is_folder else [dump]
    paths = [path for path in paths if os.path.getsize(path) > 0]
    others = [path for path in paths if not path.endswith("toc.dat")]
    if kind == "files swapped":
        one, other = chance.sample(others, 2)
        os.rename(one, one + ".tmp")
        os.rename(other, one)
        os.rename(one + ".tmp", other)
        return f"{os.path.basename(one)} and {os.path.basename(other)}"
    if not is_folder:
        path = dump
    elif kind == "front flip":
        path = os.path.join(dump, "toc.dat")
    elif kind == "data flip":
        path = chance.choices(others, [os.path.getsize(path) for path in others])[0]
    else:
        path = chance.choice(paths)
    name = os.path.basename(path)
    if kind == "file gone":
        os.remove(path)
        return name
    intact = open(path, "rb").read()
    low, high = 0, len(intact)
    if not is_folder and kind in ("front flip", "data flip"):
        low, high = (0, front) if kind == "front flip" else (front, len(intact))
    for _ in range(1000):
        data = bytearray(intact)
        at = chance.randrange(low, high)
        if kind.endswith("flip"):
            data[at] ^= 1 << chance.randrange(8)
        elif kind == "cut":
            del data[at:]
        else:
            page = at // 512 * 512
            data[page : page + 512] = bytes(len(data[page : page + 512]))
        if bytes(data) != intact:
            break
    open(path, "wb").write(data)
    return f"{name} at {at} of {len(intact)}"


def main():
    folder = os.path.abspath(sys.argv[1])
    if "--table" in sys.argv:
        return table(folder)
    each = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    workers = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o755)
    server = Server(folder)
    children = []
    try:
        server.start()
        server.make()
        facts = json.load(open(f"{folder}/made"))
        done = {(line["cell"], line["kind"], line["nth"]) for line in results(folder)}
        left = [task for task in tasks(each) if task not in done]
        print(f"{len(done)} done, {len(left)} to go", flush=True)
        for worker in range(workers):
            child = os.fork()
            if child:
                children.append(child)
                continue
            try:
                for cell, kind, nth in left[worker::workers]:
                    line = json.dumps(server.try_one(cell, kind, nth, worker, facts)) + "\n"
                    with open(f"{folder}/results.jsonl", "a") as file:
                        file.write(line)
                os._exit(0)
            except BaseException as error:
                print(f"worker {worker}: {error!r}", file=sys.stderr, flush=True)
                os._exit(1)
        while children:
            os.waitpid(children[0], 0)
            children.pop(0)
    finally:
        for child in children:
            os.kill(child, 15)
        server.stop()
    table(folder)


main()
