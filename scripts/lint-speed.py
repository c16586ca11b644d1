#!/usr/bin/env python3
"""Times `rollsafe lint` on a corpus of migrations beside squawk, whole processes, CPU and wall.

    cargo build --release
    python3 -m venv /tmp/squawk && /tmp/squawk/bin/pip install squawk-cli
    scripts/lint-speed.py CORPUS --squawk /tmp/squawk/bin/squawk

CORPUS is a folder with .sql files at any depth, not part of this repository. Three thousand of them are copied side by
side into a temporary folder, and all of them glued together make the large file. A thousand migrations forward, from
all over the corpus, become a git repository in which one more is staged; a thousand short ones become another.
Each program runs --runs times on the same files, in turn; the medians are printed.
"""
import argparse
import os
import pathlib
import resource
import statistics
import subprocess
import tempfile
import time


# Of files below this many bytes the average has 600, as many as those that linters are usually compared on.
SHORT = 4000


def once(command, cwd):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    subprocess.run(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime), wall


def measure(commands, cwd, runs):
    times = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            times[name].append(once(command, cwd))
    for name, measured in times.items():
        cpu = statistics.median(m[0] for m in measured)
        wall = statistics.median(m[1] for m in measured)
        print(f"  {name:<28} {cpu:8.3f} s CPU {wall:8.3f} s wall")


def repository(sources, folder):
    """A repository of Flyway migrations, on a branch of it one more that is staged; gives their bytes, and that one."""
    migrations = folder / "src" / "main" / "resources" / "db" / "migration"
    migrations.mkdir(parents=True)
    size = 0
    for number, source in enumerate(sources, 1):
        text = source.read_bytes()
        size += len(text)
        (migrations / f"V{number}__x.sql").write_bytes(text)

    def git(*arguments):
        who = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *who, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "history")
    git("checkout", "-q", "-b", "change")
    # git reads all files again that are as new, to the second, as its index: no change at hand is written that soon.
    time.sleep(1.1)
    (migrations / f"V{len(sources) + 1}__change.sql").write_text(
        "ALTER TABLE users ADD COLUMN nickname text;\nCREATE INDEX users_nickname_idx ON users (nickname);\n"
    )
    git("add", ".")
    return size, migrations / f"V{len(sources) + 1}__change.sql"


def is_forward(path):
    """Whether a file is a migration that goes forward, no query nor a test that lies beside them."""
    down = "down" in path.name.lower() or "down" in path.parent.name.lower()
    return not down and any("migration" in part.lower() for part in path.parts[-4:])


def spread(files, count):
    """That many of them, from all over."""
    step = max(len(files) / count, 1)
    return [files[int(at * step)] for at in range(min(count, len(files)))]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("corpus", type=pathlib.Path)
    arguments.add_argument("--squawk", default="squawk")
    arguments.add_argument("--rollsafe", default="target/release/rollsafe")
    arguments.add_argument("--files", type=int, default=3000)
    arguments.add_argument("--history", type=int, default=1000, help="migrations of the repository")
    arguments.add_argument("--large", type=int, default=9_000_000, help="bytes of the large file")
    arguments.add_argument("--runs", type=int, default=5)
    given = arguments.parse_args()
    rollsafe = os.path.abspath(given.rollsafe)
    known = sorted(path for path in given.corpus.rglob("*.sql") if path.is_file())
    sources = known[: given.files]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        many = folder / "many"
        many.mkdir()
        size = 0
        texts = []
        for number, source in enumerate(sources):
            text = source.read_bytes()
            size += len(text)
            texts.append(text)
            (many / f"{number:05}_x.sql").write_bytes(text)
        names = [path.name for path in sorted(many.iterdir())]
        print(f"{len(names)} files, {size / 1e6:.1f} MB:")
        measure(
            {
                "rollsafe lint (all judged)": [rollsafe, "--no-config", "lint", "--format", "json", "."],
                "squawk": [given.squawk, "--reporter", "json", *names],
            },
            many,
            given.runs,
        )
        print("one file against the others as history:")
        measure({"rollsafe lint FILE": [rollsafe, "--no-config", "lint", "--format", "json", names[-1]]}, many, given.runs)
        forward = [path for path in known if is_forward(path.relative_to(given.corpus))]
        short = [path for path in forward if path.stat().st_size < SHORT]
        for name, those in [("as they are", forward), (f"of files below {SHORT} bytes", short)]:
            changed = folder / name
            changed.mkdir()
            history = spread(those, given.history)
            size, added = repository(history, changed)
            print(f"a repository of {len(history)} migrations, {size / 1e6:.2f} MB, and one that is new ({name}):")
            measure(
                {
                    "rollsafe lint": [rollsafe, "lint", "--format", "json"],
                    "rollsafe lint --staged": [rollsafe, "lint", "--staged", "--format", "json"],
                    "rollsafe lint FILE": [rollsafe, "lint", "--format", "json", str(added.relative_to(changed))],
                    "cat, of the same files": ["cat", *sorted(str(path) for path in added.parent.iterdir())],
                },
                changed,
                given.runs * 5,
            )
        glued = b"\n;\n".join(texts)
        large = (glued * (given.large // max(len(glued), 1) + 1))[: given.large]
        (folder / "large.sql").write_bytes(large[: large.rfind(b";\n") + 2])
        print(f"one file of {given.large / 1e6:.1f} MB:")
        measure(
            {
                "rollsafe lint": [rollsafe, "--no-config", "lint", "--format", "json", "large.sql"],
                "squawk": [given.squawk, "--reporter", "json", "large.sql"],
            },
            folder,
            min(given.runs, 3),
        )
        (folder / "small.sql").write_text("SELECT 1;\n")
        print("start-up, one small file:")
        measure(
            {
                "rollsafe lint": [rollsafe, "--no-config", "lint", "--format", "json", "small.sql"],
                "squawk": [given.squawk, "--reporter", "json", "small.sql"],
            },
            folder,
            given.runs * 3,
        )


if __name__ == "__main__":
    main()
