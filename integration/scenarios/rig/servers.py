"""PostgreSQL and Kafka, started and stopped by integration/lib/servers.sh."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import psycopg2

from . import processes

SCRIPT = processes.INTEGRATION / "lib" / "servers.sh"


def servers_sh(*words, timeout=120):
    return processes.run(["bash", SCRIPT, *words], timeout=timeout)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def give_to_postgres(path):
    if os.getuid() == 0:
        shutil.chown(path, "postgres", "postgres")


def as_postgres_command(command):
    """These servers refuse to run as root."""
    return [*(["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] if os.getuid() == 0 else []), *command]


def as_postgres(command, directory):
    return processes.run(as_postgres_command(command), cwd=directory, timeout=240)


class Postgres:
    """One server. Its data survive stop(), kill() and start()."""

    BIN = Path("/usr/lib/postgresql/15/bin")

    def __init__(self, directory, settings=(), tls=False, major=15):
        self.directory = Path(directory)
        self.major = major
        options = ["--major", str(major)] + (["--tls"] if tls else [])
        for setting in ("fsync=off", "full_page_writes=off", *settings):
            options += ["--postgres", setting]
        servers_sh("postgres-start", directory, "--owner", str(os.getpid()), *options)
        self.port = int((self.directory / "postgres/port").read_text())
        self.password = (self.directory / "postgres/password").read_text()
        self.log = self.directory / "postgres/data/log"
        self.data = self.directory / "postgres/data"

    def url(self, database="postgres", user="postgres", password=None, port=None, options=""):
        password = self.password if password is None else password
        return f"postgresql://{user}:{password}@127.0.0.1:{port or self.port}/{database}{options}"

    def connect(self, database="postgres", user="postgres", password=None):
        connection = psycopg2.connect(self.url(database, user, password), connect_timeout=30)
        connection.autocommit = True
        return connection

    def query(self, statement, parameters=None, database="postgres"):
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def standby(self, directory, *settings):
        """A streaming standby of this server, made of a copy of its data; its slot here is `standby_1`. Restarts the server."""
        self.query("SELECT pg_create_physical_replication_slot('standby_1', true)")
        self.stop()
        other = object.__new__(Postgres)
        other.directory = Path(directory)
        subprocess.run(["cp", "-a", self.directory / "postgres", other.directory / "postgres"], check=True)
        self.start()
        other.port = free_port()
        other.password = self.password
        other.data = other.directory / "postgres/data"
        other.log = other.data / "log"
        (other.directory / "postgres/port").write_text(f"{other.port}\n")
        conninfo = f"host=127.0.0.1 port={self.port} user=postgres password={self.password} dbname=postgres"
        other.configure(f"port = {other.port}", f"primary_conninfo = '{conninfo}'", "primary_slot_name = 'standby_1'",
                        f"unix_socket_directories = '{other.directory}/postgres/socket'", "hot_standby_feedback = on", *settings)
        other.log.unlink(missing_ok=True)
        (other.data / "standby.signal").touch()
        other.start()
        return other

    def upgraded(self, directory, major):
        """What pg_upgrade makes of this server, which is stopped: another major, same port, roles and databases."""
        other = object.__new__(Postgres)
        other.directory, other.port, other.password = Path(directory), self.port, self.password
        home = other.directory / "postgres"
        home.mkdir()
        other.data, other.log = home / "data", home / "data/log"
        lib = processes.INTEGRATION / "lib"
        new = processes.run(["bash", "-c", f". {lib}/say.sh; . {lib}/java.sh; . {lib}/postgres.sh; postgres_programs {major} {home}"]).strip()
        old = (self.directory / "postgres/bin").read_text().strip()
        for path in (other.data, home / "socket"):
            path.mkdir()
        for name in ("port", "password", "url"):
            shutil.copy(self.directory / "postgres" / name, home / name)
        (home / "bin").write_text(new + "\n")
        for path in (home, other.data, home / "socket"):
            give_to_postgres(path)
        as_postgres([f"{new}/initdb", "--no-sync", "-U", "postgres", "--no-data-checksums" if major >= 18 else "-N",
                     "--locale=C.UTF-8", "-E", "UTF8", "-D", other.data], home)
        settings = (self.data / "postgresql.conf").read_text().split("# Add settings for extensions here\n")[1]
        other.configure(settings.replace(str(self.directory), str(other.directory)).rstrip())
        access = (self.data / "pg_hba.conf").read_text()
        for data in (self.data, other.data):
            (data / "pg_hba.conf").write_text("local all all trust\n")
        try:
            as_postgres([f"{new}/pg_upgrade", "-b", old, "-B", new, "-d", self.data, "-D", other.data, "-U", "postgres", "--no-sync"], home)
        except RuntimeError as failure:
            logs = [log.read_text()[-1500:] for log in sorted(other.data.glob("pg_upgrade_output.d/*/log/*.log"))]
            raise RuntimeError(f"{failure}\n" + "\n".join(logs)) from None
        for data in (self.data, other.data):
            (data / "pg_hba.conf").write_text(access)
        other.start()
        return other

    def configure(self, *lines):
        """Further lines of postgresql.conf; the last of a name counts."""
        with open(self.data / "postgresql.conf", "a") as settings:
            settings.write("".join(line + "\n" for line in lines))

    def promote(self):
        self.query("SELECT pg_promote()")
        processes.wait_for(lambda: not self.query("SELECT pg_is_in_recovery()")[0][0], "the promotion")

    def pid(self):
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def pids(self):
        return [self.pid(), *processes.children_of(self.pid())]

    def start(self):
        servers_sh("postgres-start", self.directory)

    def stop(self, mode="fast", timeout=120):
        servers_sh("postgres-stop", self.directory, mode, timeout=timeout)

    def remove(self):
        servers_sh("down", self.directory)


class Kafka:
    """One broker. Its data survive kill() and start()."""

    def __init__(self, directory, properties=(), sasl=False):
        self.directory = Path(directory)
        options = ["--sasl"] if sasl else []
        for line in properties:
            options += ["--kafka", line]
        servers_sh("kafka-start", directory, "--owner", str(os.getpid()), *options)
        self.port = int((self.directory / "kafka/port").read_text())
        self.log = self.directory / "kafka/log"
        self.bootstrap = f"127.0.0.1:{self.port}"
        if sasl:
            self.sasl_bootstrap = "127.0.0.1:" + (self.directory / "kafka/sasl_port").read_text().strip()
            self.sasl_password = (self.directory / "kafka/password").read_text().strip()
            self.ca = self.directory / "tls/ca.crt"

    def pid(self):
        return int((self.directory / "kafka/pid").read_text())

    def start(self):
        servers_sh("kafka-start", self.directory)

    def kill(self):
        servers_sh("kafka-stop", self.directory, "immediate")

    def remove(self):
        servers_sh("down", self.directory)
