#!/usr/bin/env python3
"""Verifies dumps in a local S3 server: not part of the tests, because it needs moto (pip install 'moto[server]').

    ROLLSAFE=target/debug/rollsafe python3 scripts/object-store.py

ROLLSAFE must be built with `--features object-store`, and find a PostgreSQL 17 or newer (ROLLSAFE_PG_BIN). Starts moto's server on the loopback interface, puts the fixtures there, and
checks verdicts, damage, --latest, manifests, and what is said of objects that aren't there.
"""
import logging, os, subprocess, sys, time

import boto3
from moto.server import ThreadedMotoServer

ROLLSAFE = os.path.abspath(os.environ["ROLLSAFE"])
DUMPS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fixtures/dumps")
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"
env = dict(os.environ, AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="y", AWS_REGION="us-east-1", AWS_ENDPOINT=endpoint, AWS_ALLOW_HTTP="true")
s3 = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id="x", aws_secret_access_key="y", region_name="us-east-1")
s3.create_bucket(Bucket="backups")
failed = 0


def verify(*arguments):
    command = [ROLLSAFE, "--no-config", "verify-backup", *arguments, "--min-size=1", "--min-tables=0"]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    return ended.returncode, ended.stdout + ended.stderr


def check(what, wanted, told, *words):
    global failed
    code, text = told
    fits = code == wanted and all(word in text for word in words)
    failed += not fits
    print(f"{'ok    ' if fits else 'FAILED'} {what}" + ("" if fits else f": exit code {code}\n{text}"))


def put(key, path):
    if os.path.isdir(path):
        for name in os.listdir(path):
            s3.upload_file(os.path.join(path, name), "backups", f"{key}/{name}")
    else:
        s3.upload_file(path, "backups", key)


try:
    for name in ("17-custom-none.dump", "17-custom-zstd.dump", "17-piped.dump", "17.tar", "17.sql", "17.sql.gz", "17-directory-lz4"):
        put(f"all/{name}", os.path.join(DUMPS, name))
        check(f"{name} by ranges", 0, verify(f"s3://backups/all/{name}", "--restore=never"), "446 rows")
    check("restored from a copy", 0, verify("s3://backups/all/17-custom-zstd.dump", "--restore=always"), "it restores")
    check("a directory dump restored from a copy", 0, verify("s3://backups/all/17-directory-lz4", "--restore=always"), "it restores")
    bytes_ = bytearray(open(os.path.join(DUMPS, "17-custom-zstd.dump"), "rb").read())
    s3.put_object(Bucket="backups", Key="bad/cut.dump", Body=bytes(bytes_[:-1]))
    check("a cut one", 1, verify("s3://backups/bad/cut.dump", "--restore=never"), "archive_truncated")
    manifest = "/tmp/object-store-manifest.json"
    check("a manifest is written", 0, verify("s3://backups/all/17-custom-zstd.dump", "--restore=never", "--write-manifest", manifest))
    bytes_[len(bytes_) // 2] ^= 1
    s3.put_object(Bucket="backups", Key="bad/flipped.dump", Body=bytes(bytes_))
    check("a flipped bit is found by it", 1, verify("s3://backups/bad/flipped.dump", "--restore=never", "--manifest", manifest))
    os.remove(manifest)
    put("daily/1.dump", os.path.join(DUMPS, "17-custom-none.dump"))
    time.sleep(1.1)
    put("daily/2.tar", os.path.join(DUMPS, "17.tar"))
    put("daily/2.tar.sha256", os.path.join(DUMPS, "make.sh"))
    check("the latest below a prefix", 0, verify("s3://backups/daily", "--latest", "--restore=never"), "daily/2.tar", "tar dump")
    check("no such object", 2, verify("s3://backups/nothing", "--restore=never"), "s3://backups/nothing")
    check("no such bucket", 2, verify("s3://nobody/shop.dump", "--restore=never"), "s3://nobody/shop.dump")
finally:
    server.stop()
sys.exit(1 if failed else 0)
