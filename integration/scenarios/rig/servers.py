"""PostgreSQL and Kafka, started and stopped by integration/lib/servers.sh."""

import os
from pathlib import Path

import psycopg2

from . import processes

SCRIPT = processes.INTEGRATION / "lib" / "servers.sh"


def servers_sh(*words, timeout=120):
    return processes.run(["bash", SCRIPT, *words], timeout=timeout)


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
