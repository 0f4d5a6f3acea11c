"""What tests of several packages need: a real PostgreSQL server, one database for each test."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pgserver import PostgresServer


@pytest.fixture(scope="session")
def postgresql_server() -> "Iterator[PostgresServer]":
    """A server on a socket of its own, made and started once, and only if a test asks for it."""
    # Not below pytest's own folder: a server started by root runs as another user, whom pytest shuts out.
    with TemporaryDirectory(prefix="postgresql-") as folder, pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_RUNTIME_DIR", folder)  # for the starter's lock file; without it there is a warning
        import pgserver

        server = pgserver.get_server(Path(folder, "data"), cleanup_mode="stop")
        yield server
        server.cleanup()


@pytest.fixture
def postgresql_url(postgresql_server: "PostgresServer") -> Iterator[str]:
    """The address of a new, empty database."""
    name = f"test_{uuid.uuid4().hex}"
    _execute(postgresql_server.get_uri(), f"CREATE DATABASE {name}")
    yield postgresql_server.get_uri(name)
    _execute(postgresql_server.get_uri(), f"DROP DATABASE {name} WITH (FORCE)")


def _execute(url: str, sql: str) -> None:
    from adbc_driver_postgresql import dbapi

    with closing(dbapi.connect(url, autocommit=True)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(sql)
