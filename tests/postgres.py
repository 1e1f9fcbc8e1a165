"""A PostgreSQL server for tests, from the binaries of a wheel, on a socket in its own folder."""

import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.tied import tied

PASSWORD: Final = "a password of the tests"
WAIT_SECONDS: Final = 60
# The server does not run as root. Every Linux has this user, with few rights and no files.
_NOBODY: Final = 65534
_PACKAGE: Final = "pgserver"


@dataclass(frozen=True)
class Database:
    """One database, as the settings of a router say where it is."""

    url: str
    password_file: Path
    socket_folder: Path
    name: str
    # `pg_dump` and the others, of the server's version.
    programs: Path

    def connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """A connection that commits each statement."""
        return psycopg.connect(
            host=str(self.socket_folder),
            user="comptoir",
            password=PASSWORD,
            dbname=self.name,
            autocommit=True,
        )


@dataclass
class PostgresServer:
    """A server that runs, and as many databases in it as there are tests."""

    folder: Path
    process: "subprocess.Popen[str] | None" = None
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @contextmanager
    def database(self) -> Iterator[Database]:
        """A database without tables, gone when the block ends."""
        name = f"test_{next(self._numbers)}"
        self._say(f"CREATE DATABASE {name}")
        yield self._named(name)
        self._say(f"DROP DATABASE {name} WITH (FORCE)")

    def lose(self, database: Database) -> None:
        """Takes all of a database away, whoever uses it, and leaves an empty one of its name."""
        self._say(f"DROP DATABASE {database.name} WITH (FORCE)")
        self._say(f"CREATE DATABASE {database.name}")

    def start(self) -> None:
        """Starts the server, and returns once it takes connections."""
        program, data = str(self._program("postgres")), str(self._data)
        self.process = subprocess.Popen(
            tied([program, "-D", data, "-k", data, "-h", "", "-F"]),
            cwd=self.folder,
            text=True,
            stderr=subprocess.DEVNULL,
            **_as_nobody(),
        )
        deadline = time.monotonic() + WAIT_SECONDS
        while not self._takes_connections():
            assert time.monotonic() < deadline, "PostgreSQL does not start"
            time.sleep(0.02)

    def stop(self) -> None:
        """Breaks all connections off and ends the server; what was committed is there at its next start."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(WAIT_SECONDS)
            self.process = None

    def install(self) -> None:
        """Copies the programs to where their user reaches them, and makes an empty server."""
        self.folder.chmod(0o755)
        for source in _package_folders():
            shutil.copytree(source, self.folder / "lib" / source.name)
        self._data.mkdir()
        self._password_file.write_text(f"{PASSWORD}\n")
        self._password_file.chmod(0o644)
        if os.geteuid() == 0:
            os.chown(self._data, _NOBODY, _NOBODY)
        subprocess.run(
            [
                self._program("initdb"),
                f"--pgdata={self._data}",
                "--username=comptoir",
                f"--pwfile={self._password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--no-instructions",
            ],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=WAIT_SECONDS,
            **_as_nobody(),
        )

    def _named(self, name: str) -> Database:
        url = f"postgresql://comptoir@localhost/{name}?host={self._data}"
        return Database(url, self._password_file, self._data, name, self._program("psql").parent)

    def _say(self, statement: str) -> None:
        with self._named("postgres").connect() as connection:
            connection.execute(statement.encode())

    def _takes_connections(self) -> bool:
        try:
            self._named("postgres").connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _program(self, name: str) -> Path:
        return self.folder / "lib" / _PACKAGE / "pginstall" / "bin" / name

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _password_file(self) -> Path:
        return self.folder / "password"


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server that runs until the block ends."""
    # Not below pytest's folder, which only its owner may enter.
    with tempfile.TemporaryDirectory(prefix="comptoir-postgres-") as folder:
        server = PostgresServer(Path(folder))
        server.install()
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _package_folders() -> list[Path]:
    # Found and not imported: the package would start servers of its own.
    found = importlib.util.find_spec(_PACKAGE)
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    return [package, package.with_name(f"{_PACKAGE}.libs")]


def _as_nobody() -> dict[str, Any]:
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
