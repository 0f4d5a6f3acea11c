"""The warehouse: a DuckDB file, and a real PostgreSQL server with roles that lack something."""

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import psycopg2
import pytest
from adbc_driver_postgresql import dbapi

from mlops_assets.doctor import Finding, Part, warehouse
from mlops_assets.domains.donostia_parking.spec import HOURLY_PARKING
from mlops_assets.storage.warehouse.file_lock import locked
from mlops_assets_tests.doctor.conftest import PASSWORD, Examine, closed, only

if TYPE_CHECKING:
    from pgserver import PostgresServer

TABLE = HOURLY_PARKING.name
COLUMN = HOURLY_PARKING.columns[0].name
CLASH = f"CREATE TABLE {TABLE} ({COLUMN} DECIMAL(3, 1))"


@pytest.fixture
def duckdb_file(home: Path) -> Path:
    """A warehouse in which something stands."""
    home.mkdir()
    path = home / "warehouse.duckdb"
    with closing(duckdb.connect(path)) as connection:
        connection.execute("CREATE TABLE something (name TEXT)")
    return path


def test_a_file_that_can_be_read_is_sound(duckdb_file: Path, findings: Callable[..., list[Finding]]) -> None:
    (found,) = findings(Part.WAREHOUSE)

    assert found.problems == ()
    assert (found.address, found.version) == (str(duckdb_file), f"DuckDB {duckdb.__version__}")


def test_stored_types_that_clash_with_the_declared_ones_are_named(duckdb_file: Path, problems: Examine) -> None:
    with closing(duckdb.connect(duckdb_file)) as connection:
        connection.execute(CLASH)

    problem = only(problems(Part.WAREHOUSE))

    assert f"table {TABLE} has an older schema: {COLUMN} is DECIMAL(3,1)" in problem.what
    assert f"{TABLE}_old" in problem.remedy


def test_a_file_that_is_damaged_is_named(duckdb_file: Path, problems: Examine) -> None:
    duckdb_file.write_bytes(b"no database" * 1000)

    assert "restore a copy" in only(problems(Part.WAREHOUSE)).remedy


def test_a_program_that_has_the_file_open_is_named(duckdb_file: Path, problems: Examine) -> None:
    program = f"import duckdb, sys; c = duckdb.connect({str(duckdb_file)!r}); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"

        problem = only(problems(Part.WAREHOUSE))

        other.kill()
    assert str(other.pid) in problem.what
    assert problem.remedy == "end the program that has the file open"


def test_a_long_write_is_named_and_no_reason_not_to_start(duckdb_file: Path, problems: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouse, "PATIENCE_SECONDS", 0.01)
    with locked(duckdb_file, exclusive=True, seconds=1):
        assert "another process has been writing" in only(problems(Part.WAREHOUSE)).what
        assert problems(Part.WAREHOUSE, thorough=False) == []


@pytest.fixture
def execute(postgresql_url: str) -> Callable[..., None]:
    """Runs statements as the server's administrator."""

    def run(*statements: str) -> None:
        with closing(dbapi.connect(postgresql_url, autocommit=True)) as connection, closing(connection.cursor()) as cursor:
            for statement in statements:
                cursor.execute(statement)

    return run


@pytest.fixture
def role(execute: Callable[..., None], postgresql_server: "PostgresServer") -> Iterator[str]:
    """A role that may log in, with a password, and nothing else."""
    name = f"role_{uuid.uuid4().hex}"
    execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    rules = postgresql_server.pgdata / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"local all {name} scram-sha-256\n{before}")
    execute("SELECT pg_reload_conf()")
    yield name
    rules.write_text(before)
    execute("SELECT pg_reload_conf()", f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def _as(role: str, url: str, password: str = PASSWORD) -> str:
    return url.replace("postgresql://postgres:", f"postgresql://{role}:").replace("@", f"{password}@", 1)


def test_a_server_whose_role_may_do_all_is_sound(
    postgresql_url: str, findings: Callable[..., list[Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_WAREHOUSE_URL", postgresql_url)

    (found,) = findings(Part.WAREHOUSE)

    assert found.problems == ()
    assert found.version.startswith("PostgreSQL 1")
    assert "postgres:" not in found.address


@pytest.mark.parametrize("part", [Part.WAREHOUSE, Part.DAGSTER])
def test_every_reason_not_to_get_in_has_its_own_remedy(
    part: Part, role: str, postgresql_url: str, problems: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = "MLOPS_WAREHOUSE_URL" if part is Part.WAREHOUSE else "MLOPS_DAGSTER_STORAGE_URL"
    reasons = {
        _as(role, postgresql_url, "wrong-0815"): f"set the right user and password in {setting}",
        _as("nobody", postgresql_url): "CREATE ROLE",
        postgresql_url.replace("/test_", "/no_test_"): "CREATE DATABASE",
        f"postgresql://me:{PASSWORD}@{closed()}/warehouse": "start the server",
        f"postgresql://me:{PASSWORD}@no-such-host.invalid/warehouse": "start the server",
        f"postgresql://me:{PASSWORD}@{closed()}/warehouse?sslmod=off": "correct",
    }
    for url, remedy in reasons.items():
        monkeypatch.setenv(setting, url)

        problem = only(problems(part))

        assert problem.part == part
        assert remedy in problem.remedy
        assert problem.heals is (remedy == "start the server")


def test_an_address_that_is_read_in_two_ways_is_refused(problems: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_WAREHOUSE_URL", "postgresql://me/0815@db/warehouse")

    assert "write # as %23" in only(problems(Part.WAREHOUSE)).remedy


@pytest.mark.parametrize("limit", ["role's", "server's"])
def test_a_server_without_a_free_connection_is_not_to_be_started(
    role: str, postgresql_url: str, execute: Callable[..., None], problems: Examine, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    url = _as(role, postgresql_url)
    monkeypatch.setenv("MLOPS_WAREHOUSE_URL", url)
    with ExitStack() as clients:
        if limit == "role's":
            execute(f"ALTER ROLE {role} CONNECTION LIMIT 0")
        else:
            with pytest.raises(psycopg2.OperationalError, match="remaining connection slots"):
                while True:
                    clients.enter_context(closing(psycopg2.connect(url)))

        problem = only(problems(Part.WAREHOUSE))

    assert problem.what.startswith("the server has no free connection: ")
    assert "max_connections" in problem.remedy
    assert problem.heals


def test_each_right_that_is_missing_is_named(
    role: str, postgresql_url: str, execute: Callable[..., None], problems: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = postgresql_url.partition("/test_")[2].partition("?")[0]
    execute(CLASH.replace("DECIMAL(3, 1)", "TIMESTAMPTZ"), f"REVOKE TEMPORARY ON DATABASE test_{database} FROM PUBLIC")
    monkeypatch.setenv("MLOPS_WAREHOUSE_URL", _as(role, postgresql_url))

    found = problems(Part.WAREHOUSE)

    remedies = [problem.remedy.partition(" ... ")[0].partition(" TO ")[0] for problem in found if problem.what.startswith(f"role {role}")]
    assert remedies == [
        "GRANT TEMPORARY ON DATABASE",
        "GRANT USAGE, CREATE ON SCHEMA",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLE}",
    ]


def test_a_server_that_takes_no_writes_is_named(
    role: str, postgresql_url: str, execute: Callable[..., None], problems: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(f"ALTER ROLE {role} SET default_transaction_read_only = on")
    monkeypatch.setenv("MLOPS_WAREHOUSE_URL", _as(role, postgresql_url))

    assert only(problems(Part.WAREHOUSE)).what == "the server is read-only"


def test_a_schema_that_is_too_old_is_named(
    postgresql_url: str, execute: Callable[..., None], problems: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(CLASH)
    monkeypatch.setenv("MLOPS_WAREHOUSE_URL", postgresql_url)

    assert f"{COLUMN} is numeric(3,1), not " in only(problems(Part.WAREHOUSE)).what


@pytest.mark.parametrize("url", ["bigquery://project", "bigquery://project/dataset?place=0815"])
def test_an_address_of_bigquery_that_is_none_is_named(problems: Examine, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("MLOPS_WAREHOUSE_URL", url)

    assert "no BigQuery address" in only(problems(Part.WAREHOUSE)).what


def test_bigquery_without_credentials_is_named(problems: Examine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLOPS_WAREHOUSE_URL", "bigquery://project/dataset")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)

    assert "GOOGLE_APPLICATION_CREDENTIALS" in only(problems(Part.WAREHOUSE)).remedy
