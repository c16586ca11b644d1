"""A throw-away PostgreSQL server for the scripts beside this file: on a socket of its own and a port on the loopback interface."""
import os
import pathlib
import shutil
import subprocess
import tempfile


class Server:
    def __init__(self, port=54329, options=""):
        self.bin = pathlib.Path(subprocess.check_output(["pg_config", "--bindir"], text=True).strip()) \
            if shutil.which("pg_config") else max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
        self.port = str(port)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="rr"))
        self.as_user = []
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(self.dir, "postgres")
            self.as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self.dir.chmod(0o755)
        self.call("initdb", "-N", "-A", "trust", "-U", "postgres", "-E", "UTF8", "-D", self.dir / "data")
        listen = f"-c listen_addresses=127.0.0.1 -p {self.port} -k {self.dir} -c fsync=off {options}"
        self.call("pg_ctl", "-w", "-D", self.dir / "data", "-o", listen, "-l", self.dir / "out", "start")

    def call(self, program, *arguments):
        subprocess.run([*self.as_user, self.bin / program, *arguments], check=True, cwd="/", stdout=subprocess.DEVNULL)

    def client(self, program, database, *arguments):
        """The command line of a client program for a database."""
        return [str(self.bin / program), "-h", str(self.dir), "-p", self.port, "-U", "postgres", "-d", database, *arguments]

    def psql(self, database, sql):
        command = self.client("psql", database, "-XAtq", "-c", sql)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def stop(self):
        self.call("pg_ctl", "-D", self.dir / "data", "-m", "immediate", "stop")
        shutil.rmtree(self.dir)
