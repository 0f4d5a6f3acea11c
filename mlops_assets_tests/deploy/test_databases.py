"""The databases and roles of the deployment, made by their script in a real PostgreSQL, and what each role may do there."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from adbc_driver_postgresql import dbapi

if TYPE_CHECKING:
    from pgserver import PostgresServer

SCRIPT = Path(__file__).parents[2] / "deploy/postgresql/databases.sh"
PASSWORDS = {"DAGSTER": "d1", "WAREHOUSE": "w'2", "MLFLOW": "m3", "GRAFANA": "g4"}


class Databases:
    """The server, and its script."""

    def __init__(self, url: str) -> None:
        self._socket = parse_qs(urlsplit(url).query)["host"][0]
        self._superuser = urlsplit(url).username or "postgres"

    def make(self) -> None:
        """Runs the script as the image does: by the server's socket, as the superuser."""
        passwords = {f"{name}_PASSWORD": password for name, password in PASSWORDS.items()}
        done = subprocess.run(
            ["sh", SCRIPT],
            env={
                "PATH": os.environ["PATH"],
                "PGHOST": self._socket,
                "POSTGRES_USER": self._superuser,
                "POSTGRES_PASSWORD": "s0",
                **passwords,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert not any(password in done.stdout + done.stderr for password in PASSWORDS.values())

    def run(self, role: str, database: str, sql: str) -> list[tuple[Any, ...]]:
        """As the role; whatever the server says against it is raised."""
        url = f"postgresql://{role or self._superuser}@/{database}?host={self._socket}"
        with closing(dbapi.connect(url, autocommit=True)) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(sql)
            rows: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
            return rows


@pytest.fixture(scope="module")
def databases(postgresql_server: "PostgresServer") -> Iterator[Databases]:
    """Made; taken away afterwards."""
    if shutil.which("psql") is None:
        pytest.skip("psql is not on PATH (Debian: apt-get install --no-install-recommends postgresql-client)")
    databases = Databases(postgresql_server.get_uri())
    databases.make()
    yield databases
    for name in ("dagster", "mlflow", "warehouse"):
        databases.run("", "postgres", f"DROP DATABASE {name} WITH (FORCE)")
    for name in ("dagster", "mlflow", "warehouse", "grafana"):
        databases.run("", "postgres", f"DROP ROLE {name}")
    databases.run("", "postgres", "GRANT CONNECT, TEMPORARY ON DATABASE postgres TO PUBLIC")
    databases.run("", "postgres", "GRANT CONNECT ON DATABASE template1 TO PUBLIC")


@pytest.mark.parametrize("role", ["dagster", "warehouse", "mlflow"])
def test_each_role_owns_its_database_and_reaches_no_other(databases: Databases, role: str) -> None:
    databases.run(role, role, "CREATE TABLE own (value INT)")

    assert databases.run(role, role, "SELECT COUNT(*) FROM own") == [(0,)]
    databases.run(role, role, "DROP TABLE own")
    for other in {"dagster", "warehouse", "mlflow", "postgres", "template1"} - {role}:
        with pytest.raises(dbapi.Error, match="permission denied for database"):
            databases.run(role, other, "SELECT 1")


def test_grafana_reads_the_warehouse_as_it_grows_and_changes_nothing(databases: Databases) -> None:
    databases.run("warehouse", "warehouse", "CREATE TABLE later AS SELECT 7 AS value")

    assert databases.run("grafana", "warehouse", "SELECT value FROM later") == [(7,)]
    for sql in ("INSERT INTO later VALUES (8)", "CREATE TABLE another (value INT)", "SET transaction_read_only = off; DELETE FROM later"):
        with pytest.raises(dbapi.Error):
            databases.run("grafana", "warehouse", sql)
    for other in ("dagster", "mlflow", "postgres"):
        with pytest.raises(dbapi.Error, match="permission denied for database"):
            databases.run("grafana", other, "SELECT 1")


def test_nobody_but_the_superuser_is_more_than_a_login(databases: Databases) -> None:
    roles = databases.run(
        "",
        "postgres",
        "SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication FROM pg_roles WHERE rolcanlogin ORDER BY 1",
    )

    assert [row for row in roles if row[0] in {"dagster", "grafana", "mlflow", "warehouse"}] == [
        ("dagster", False),
        ("grafana", False),
        ("mlflow", False),
        ("warehouse", False),
    ]


def test_a_second_run_sets_new_passwords_and_keeps_the_data(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    databases.run("mlflow", "mlflow", "CREATE TABLE kept AS SELECT 1 AS value")
    before = _secrets(databases)
    monkeypatch.setitem(PASSWORDS, "DAGSTER", "d5")
    databases.make()

    assert _secrets(databases).keys() == before.keys()
    assert all(secret.startswith("SCRAM-SHA-256$") for secret in before.values())
    assert _secrets(databases)["dagster"] != before["dagster"]
    assert databases.run("mlflow", "mlflow", "SELECT value FROM kept") == [(1,)]


def _secrets(databases: Databases) -> dict[str, str]:
    return dict(
        databases.run(
            "", "postgres", "SELECT rolname, rolpassword FROM pg_authid WHERE rolname IN ('dagster', 'mlflow', 'warehouse', 'grafana')"
        )
    )
