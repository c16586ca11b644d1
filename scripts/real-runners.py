#!/usr/bin/env python3
"""Runs the real migration tools over fixtures/runners and records what they did.

Not part of the tests: it installs the tools from PyPI and npm (into --cache) and needs PostgreSQL's server programs. For each tool it
starts from an empty database, applies all migrations of the fixture, and reads from the server's log what was sent: each line is one query string
as the server got it. Between `BEGIN` and `COMMIT` the tool's transaction is open; a query of several statements is a transaction of its own.
With --write, the record goes into the fixture's README, between its two marks.

    scripts/real-runners.py                 all tools
    scripts/real-runners.py yoyo dbmate     these
    scripts/real-runners.py --write
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from server import Server

HERE = pathlib.Path(__file__).resolve().parent.parent
FIXTURES = HERE / "fixtures" / "runners"
PYPI = ["yoyo-migrations", "psycopg2-binary", "setuptools"]
NPM = ["pg", "node-pg-migrate", "drizzle-orm", "postgrator", "postgres-migrations", "db-migrate", "db-migrate-pg",
       "graphile-migrate", "dbmate", "prisma@6", "knex", "squawk-cli"]
MARKS = ("<!-- measured -->", "<!-- /measured -->")


class LoggingServer(Server):
    """A throw-away server which logs every query string it gets."""

    def __init__(self):
        super().__init__(options="-c log_statement=all -c log_destination=jsonlog -c logging_collector=on "
                                 "-c log_directory=log -c log_filename=log -c log_error_verbosity=terse")

    def log(self, database):
        lines = (self.dir / "data" / "log" / "log.json").read_text().splitlines()
        return [line for line in map(json.loads, lines) if line.get("dbname") == database]


def url(database):
    return f"postgres://postgres@127.0.0.1:54329/{database}"


def node(cache, folder, code):
    script = folder / "run.mjs"
    script.write_text(code)
    return ["node", str(script)]


def drizzle(cache, folder, db):
    return node(cache, folder, f"""
import pg from 'pg'; import {{ drizzle }} from 'drizzle-orm/node-postgres'; import {{ migrate }} from 'drizzle-orm/node-postgres/migrator';
const client = new pg.Client({{ connectionString: '{url(db)}' }}); await client.connect();
try {{ await migrate(drizzle(client), {{ migrationsFolder: 'drizzle' }}); }} finally {{ await client.end(); }}""")


def postgrator(cache, folder, db):
    return node(cache, folder, f"""
import pg from 'pg'; import Postgrator from 'postgrator';
const client = new pg.Client({{ connectionString: '{url(db)}' }}); await client.connect();
try {{ await new Postgrator({{ driver: 'pg', database: '{db}', migrationPattern: 'migrations/*', execQuery: (q) => client.query(q) }}).migrate(); }}
finally {{ await client.end(); }}""")


def postgres_migrations(cache, folder, db):
    return node(cache, folder, f"""
import {{ migrate }} from 'postgres-migrations';
await migrate({{ database: '{db}', user: 'postgres', password: 'x', host: '127.0.0.1', port: 54329 }}, 'migrations');""")


def graphile(cache, folder, db):
    return ["node", str(cache / "node_modules/graphile-migrate/dist/cli.js"), "migrate"]


def prisma(cache, folder, db):
    schema = folder / "prisma/schema.prisma"
    schema.write_text('datasource db {\n  provider = "postgresql"\n  url = env("DATABASE_URL")\n}\n')
    return [str(cache / "node_modules/.bin/prisma"), "migrate", "deploy"]


def db_migrate(cache, folder, db):
    for wrapper in (folder / "migrations").glob("*.js"):
        run = "exports.%s = (db) => db.runSql(require('fs').readFileSync(__dirname + '/sqls/%s-%s.sql', 'utf8'));\n"
        wrapper.write_text("exports.setup = () => {};\n" + "".join(run % (way, wrapper.stem, way) for way in ("up", "down")))
    (folder / "database.json").write_text(json.dumps({"dev": {"driver": "pg", "host": "127.0.0.1", "port": 54329, "user": "postgres", "database": db}}))
    return [str(cache / "node_modules/.bin/db-migrate"), "up"]


# Tool → (package that has the version, command in the fixture's copy).
TOOLS = {
    "yoyo": ("pip:yoyo-migrations", lambda cache, folder, db: [str(cache / "py/bin/yoyo"), "apply", "--batch", "--database",
                                                               url(db).replace("postgres://", "postgresql://"), "migrations"]),
    "node-pg-migrate": ("npm:node-pg-migrate", lambda cache, folder, db: [str(cache / "node_modules/.bin/node-pg-migrate"), "up"]),
    "drizzle": ("npm:drizzle-orm", drizzle),
    "prisma": ("npm:prisma", prisma),
    "postgrator": ("npm:postgrator", postgrator),
    "postgres-migrations": ("npm:postgres-migrations", postgres_migrations),
    "db-migrate": ("npm:db-migrate", db_migrate),
    "graphile-migrate": ("npm:graphile-migrate", graphile),
    "dbmate": ("npm:dbmate", lambda cache, folder, db: [str(cache / "node_modules/.bin/dbmate"), "--url", url(db) + "?sslmode=disable",
                                                       "--no-dump-schema", "up"]),
}


def install(cache):
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "py/bin/yoyo").exists():
        subprocess.run([sys.executable, "-m", "venv", cache / "py"], check=True)
        subprocess.run([cache / "py/bin/pip", "install", "-q", *PYPI], check=True)
    if not (cache / "node_modules/pg").exists():
        (cache / "package.json").write_text('{"private": true}')
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", *NPM], cwd=cache, check=True)


def version(cache, package):
    kind, name = package.split(":")
    if kind == "pip":
        out = subprocess.check_output([cache / "py/bin/pip", "show", name], text=True)
        return re.search(r"^Version: (.*)$", out, re.M)[1]
    return json.loads((cache / "node_modules" / name / "package.json").read_text())["version"]


def brief(sql):
    """Query text in one line, with how many statements it holds."""
    sql = re.sub(r"--.*", "", sql)
    statements = [" ".join(one.split()) for one in sql.split(";") if one.split()]
    shown = "; ".join(one if len(one) < 60 else one[:57] + "..." for one in statements)
    return f"{shown}   -- one query, {len(statements)} statements" if len(statements) > 1 else shown


def sent(lines):
    """What was sent that touches the fixture's tables, with transactions and errors."""
    out = []
    for line in lines:
        text = line["message"]
        if line.get("error_severity") == "ERROR" and "yoyo_tmp" not in text:  # how yoyo finds out what the server can do
            out.append("ERROR: " + text)
            continue
        # The extended protocol logs `execute <name>: `.
        sql = re.sub(r"^(statement|execute [^:]*): ", "", text)
        if sql == text:
            continue
        sql = re.sub(r"--.*", "", sql)
        words = sql.split()
        control = words and words[0].upper().rstrip(";") in ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "START") and len(words) < 6
        ledger = re.search(r"_migrations|pgmigrations|schemaversion|yoyo|pg_catalog|information_schema|advisory", sql, re.I)
        mine = re.search(r"\b(orders|customers|orders_\w+)\b", sql) and not re.search(r"^(SELECT|INSERT)", sql.strip(), re.I)
        if control or (mine and not (ledger and "CREATE" not in sql.upper())):
            out.append(brief(sql))
    # Empty transactions are the ledger's.
    tidy = []
    for line in out:
        if re.match(r"(COMMIT|ROLLBACK)", line) and tidy and re.match(r"BEGIN|START", tidy[-1]):
            tidy.pop()
            continue
        tidy.append(line)
    return tidy


def run(server, cache, name):
    package, command = TOOLS[name]
    database = "rr_" + name.replace("-", "_")
    server.psql("postgres", f"CREATE DATABASE {database}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary) / "shop"
        shutil.copytree(FIXTURES / name, folder)
        (folder / "package.json").unlink(missing_ok=True)
        os.symlink(cache / "node_modules", folder / "node_modules")
        environment = dict(os.environ, DATABASE_URL=url(database), PGUSER="postgres", PGHOST="127.0.0.1", PGPORT="54329", NO_COLOR="1")
        done = subprocess.run(command(cache, folder, database), cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    left = server.psql(database, "SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                                 "AND relname ~ '^(orders|customers)' AND relkind IN ('r', 'i') AND relname !~ 'pkey'")
    lines = sent(server.log(database))
    says = (done.stderr + done.stdout).strip().splitlines()
    if not any("CREATE TABLE" in line for line in lines):
        lines.append("(nothing of the fixture reached the server) " + " / ".join(says[-3:])[:300])
    major = server.psql("postgres", "SHOW server_version").split()[0]
    head = f"Measured {datetime.date.today()} with {package.split(':')[1]} {version(cache, package)} on PostgreSQL {major}; " \
           f"{'it succeeded' if done.returncode == 0 else 'it failed'}. Sent, in order:"
    reached = any("CREATE TABLE" in line for line in lines)
    return "\n".join([head, "", "```text", *lines, "```", "", f"Left behind: {left or 'nothing'}."]), done, reached


def write(name, record):
    path = FIXTURES / name / "README.md"
    text = path.read_text().split(MARKS[0])[0].rstrip()
    path.write_text(f"{text}\n\n{MARKS[0]}\n{record}\n{MARKS[1]}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tools", nargs="*", help="default: all that are known: " + ", ".join(TOOLS))
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path.home() / ".cache/rollsafe-real-runners")
    parser.add_argument("--write", action="store_true", help="record in the fixtures' READMEs")
    arguments = parser.parse_args()
    cache = arguments.cache.resolve()
    install(cache)
    server = LoggingServer()
    try:
        for name in arguments.tools or TOOLS:
            record, done, reached = run(server, cache, name)
            print(f"== {name} (exit {done.returncode})\n{record}\n")
            if done.returncode != 0:
                print("\n".join((done.stderr + done.stdout).strip().splitlines()[-6:]), "\n")
            if arguments.write and reached:
                write(name, record)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
