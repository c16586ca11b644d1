#!/usr/bin/env python3
"""Applies every fix to the migrations of real projects and shows what became of them.

Not part of the tests: it needs checkouts of the projects and PostgreSQL's server programs. Of each checkout a copy is mended with
`rollsafe lint --all --fix --unsafe-fixes`; then the migrations as they were and as they are now run from the first to the last, each in a database of
its own and in the transactions that rollsafe says they have, and the two schemas are compared. Told is

- findings before and after, by code, where their number changed, and whether a second run still finds something to fix,
- errors of the server that only one of the two runs gave (extensions that aren't installed fail in both),
- the difference of the schemas that pg_dump writes.

    scripts/fixes-on-projects.py --rollsafe target/release/rollsafe CHECKOUT ...
"""
import argparse
import collections
import difflib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from server import Server


def lint(rollsafe, folder, *options):
    command = [rollsafe, "lint", ".", "--all", "--format", "json", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return json.loads(done.stdout) if done.stdout else sys.exit(f"{folder}: {done.stderr}"), done.stderr


def counts(report):
    return collections.Counter(finding["code"] for finding in report["findings"])


def script(folder, report):
    """psql's input that runs all up migrations; a statement that fails takes its transaction with it and nothing else."""
    out = []
    for file in report["files"]:
        if file["direction"] == "down":
            continue
        text = (folder / file["path"]).read_bytes()
        is_open = False
        for statement in file["statements"]:
            span = statement["span"]
            sql = text[span["start"]:span["end"]].decode("utf-8", "replace")
            own = re.match(r"(?is)\s*(begin|start\s+transaction|commit|end|rollback)\b", sql)
            if bool(statement["in_transaction"]) != is_open and not own:
                out.append("COMMIT;" if is_open else "BEGIN;")
                is_open = not is_open
            if own:
                is_open = own[1].lower().startswith(("begin", "start"))
            if sql.startswith("\\"):
                continue
            out.append(sql.rstrip().rstrip(";") + "\n;")
        if is_open:
            out.append("COMMIT;")
    return "\n".join(out)


def run(server, database, sql):
    server.psql("postgres", f"CREATE DATABASE {database}")
    done = subprocess.run(server.client("psql", database, "-Xq", "-v", "ON_ERROR_STOP=0"), input=sql, capture_output=True, text=True, cwd="/")
    errors = [re.sub(r"^.*?ERROR: +", "", line) for line in done.stderr.splitlines()
              if "ERROR:" in line and "current transaction is aborted" not in line]
    dump = subprocess.run(server.client("pg_dump", database, "--schema-only", "--no-owner"), capture_output=True, text=True, cwd="/").stdout
    server.psql("postgres", f"DROP DATABASE {database}")
    kept = [line for line in dump.splitlines() if not line.startswith(("--", "\\restrict", "\\unrestrict")) and line]
    return errors, kept


def told(title, lines, most):
    print(f"  {title}: {len(lines)}")
    for line in lines[:most]:
        print(f"    {line}")


def project(server, rollsafe, checkout, most):
    with tempfile.TemporaryDirectory() as temporary:
        new = pathlib.Path(temporary) / "new"
        # In a repository without a commit everything is new and may be changed; only what tells the tool and the migrations is needed.
        keep = (".sql", ".toml", ".json", ".yml", ".yaml", ".properties", ".conf", ".ini", ".mod", ".xml", ".plan", ".sum", ".gradle", ".kts", ".js")
        def unneeded(folder, names):
            here = pathlib.Path(folder)
            return [name for name in names if name in (".git", "node_modules") or not ((here / name).is_dir() or name.endswith(keep) or name == ".config")]
        shutil.copytree(checkout, new, ignore=unneeded, symlinks=True)
        subprocess.run(["git", "init", "-q", new], check=True)
        old = pathlib.Path(temporary) / "old"
        shutil.copytree(new, old, symlinks=True)
        version = "--postgres-version=" + server.psql("postgres", "SHOW server_version_num")[:2]
        before, _ = lint(rollsafe, old, version)
        after, said = lint(rollsafe, new, "--fix", "--unsafe-fixes", version)
        again = subprocess.run([rollsafe, "lint", ".", "--all", "--diff", "--unsafe-fixes"], cwd=new, capture_output=True, text=True)
        changed = sum((old / file["path"]).read_bytes() != (new / file["path"]).read_bytes() for file in before["files"])
        print(f"{checkout.name}: {changed} of {len(before['files'])} migrations changed; findings {len(before['findings'])} -> {len(after['findings'])}")
        was, now = counts(before), counts(after)
        print("  " + ", ".join(f"{code} {was[code]}->{now[code]}" for code in sorted(was | now) if was[code] != now[code]))
        if again.stdout.strip():
            told("a second run changes more", again.stdout.splitlines(), most)
        told("put back", [line for line in said.splitlines() if "put back" in line or "as it was" in line], most)
        old_errors, old_schema = run(server, "old", script(old, before))
        new_errors, new_schema = run(server, "new", script(new, after))
        print(f"  errors of the server: {len(old_errors)} before, {len(new_errors)} after")
        gone = collections.Counter(old_errors) - collections.Counter(new_errors)
        told("only before", sorted(gone.elements()), most)
        told("only after", sorted((collections.Counter(new_errors) - collections.Counter(old_errors)).elements()), most)
        difference = [line for line in difflib.unified_diff(old_schema, new_schema, lineterm="", n=0) if not line.startswith(("---", "+++", "@@"))]
        told("schema lines that differ", difference, most)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rollsafe", default="rollsafe", help="the program to test")
    parser.add_argument("--most", type=int, default=12, help="how many lines of each kind are shown")
    parser.add_argument("checkouts", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    rollsafe = shutil.which(arguments.rollsafe) or str(pathlib.Path(arguments.rollsafe).resolve())
    server = Server()
    try:
        for checkout in arguments.checkouts:
            project(server, rollsafe, checkout.resolve(), arguments.most)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
