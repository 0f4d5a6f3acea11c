"""A PostgreSQL server as Debian installs it, with passwords, so that it refuses whom a deployment's would."""

import os
import pwd
import secrets
import signal
import subprocess
import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from mlops_assets_tests.services.processes import Process, accepts, free_ports

PROGRAMS = Path("/usr/lib/postgresql")
USER = "postgres"
"""Who runs the server if the tests are root's, which PostgreSQL refuses."""


class PostgresqlServer:
    """A server started when this is made; `database` makes databases for those who need one."""

    def __init__(self) -> None:
        self._programs = _programs()
        self._user = USER if os.geteuid() == 0 else None
        # Not below pytest's own folder, which shuts other users out.
        self._folder = TemporaryDirectory(prefix="postgresql-", ignore_cleanup_errors=True)
        self._password = secrets.token_hex(16)
        (self._port,) = free_ports(1)
        data = self._make_data(Path(self._folder.name))
        settings = {"port": self._port, "listen_addresses": "127.0.0.1", "unix_socket_directories": data.parent, "max_connections": 200}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._process = Process([str(self._programs / "postgres"), "-D", str(data), *options], data.parent / "log", user=self._user)
        self.start()

    @property
    def version(self) -> str:
        """What it says of itself."""
        ((version,),) = self.ask("SELECT version()")
        return f"{version} at 127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """What leads PostgreSQL's own programs here, as its administrator."""
        return {"PGHOST": "127.0.0.1", "PGPORT": str(self._port), "PGUSER": USER, "PGPASSWORD": self._password}

    def database(self, name: str = "") -> str:
        """The address of a new, empty database that a role of its own owns."""
        name, password = name or f"test_{uuid.uuid4().hex}", secrets.token_hex(16)
        self.ask(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        self.ask(f"CREATE DATABASE {name} OWNER {name}")
        return f"postgresql://{name}:{password}@127.0.0.1:{self._port}/{name}"

    def ask(self, sql: str, url: str = "") -> list[tuple[Any, ...]]:
        """The rows of a statement in a database; without `url`, as the server's own administrator."""
        import psycopg2

        with closing(psycopg2.connect(url or f"postgresql://{USER}:{self._password}@127.0.0.1:{self._port}/postgres")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall()) if cursor.description else []

    def stop(self, *, at_once: bool = False) -> None:
        """Ends the server and with it all connections; `at_once`: as a crash does, so that it has to recover."""
        self._process.stop(signal.SIGQUIT if at_once else signal.SIGINT)

    def start(self) -> None:
        """Starts it again on the same port; it answers once it has recovered."""
        self._process.start(lambda: accepts(self._port) and self._is_ready())

    def close(self) -> None:
        """Ends it and removes its data."""
        self.stop(at_once=True)
        self._folder.cleanup()

    def _is_ready(self) -> bool:
        ready = [str(self._programs / "pg_isready"), "--quiet", "--host", "127.0.0.1", "--port", str(self._port)]
        return subprocess.run(ready, check=False).returncode == 0

    def _make_data(self, folder: Path) -> Path:
        password, data = folder / "password", folder / "data"
        password.write_text(self._password)
        if self._user:
            owner = pwd.getpwnam(self._user)
            for path in (folder, password):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        command = [str(self._programs / "initdb"), "--pgdata", str(data), "--username", USER, "--pwfile", str(password)]
        options: Sequence[str] = ("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync")
        subprocess.run([*command, *options], check=True, capture_output=True, user=self._user, cwd=folder)
        return data


def _programs() -> Path:
    found = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip("not installed: postgresql (as root on Debian, .ci/install-services installs it)")
    return found[-1].parent
