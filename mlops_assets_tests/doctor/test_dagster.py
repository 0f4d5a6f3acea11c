"""Dagster's own storage, made by Dagster itself, at every revision."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from adbc_driver_postgresql import dbapi

from mlops_assets.doctor import Finding, Part
from mlops_assets.settings import PROJECT_DIR
from mlops_assets_tests.doctor.conftest import Examine, only

OLDER = "567bc23fd1ac"
"""A revision that Dagster knows, and that others follow."""
AT = "UPDATE alembic_version SET version_num = '{}'"


@pytest.fixture
def sqlite_storage(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As the checkout's own `dagster.yaml` makes it."""
    (tmp_path / "dagster.yaml").write_text((PROJECT_DIR / "dagster.yaml").read_text())
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.get() as instance:
        instance.get_runs(limit=1)
        instance.all_instigator_state()
        instance.get_asset_keys()
    return home / "dagster"


def test_storage_of_the_installed_release_is_sound_and_that_of_others_is_named(
    sqlite_storage: Path, findings: Callable[..., list[Finding]]
) -> None:
    (found,) = findings(Part.DAGSTER)
    assert found.problems == ()
    assert found.version.startswith("SQLite, schema ")

    files = [path for path in sqlite_storage.rglob("*.db") if path.name != ".db"]
    for path in files:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(AT.format(OLDER))
            connection.commit()
    (found,) = findings(Part.DAGSTER)

    assert sorted(problem.what.partition(": ")[0] for problem in found.problems) == sorted(map(str, files))
    assert all("`dagster instance migrate`" in problem.remedy for problem in found.problems)


def test_a_file_that_is_damaged_is_named(sqlite_storage: Path, problems: Examine) -> None:
    (sqlite_storage / "history" / "runs.db").write_bytes(b"no database" * 1000)

    assert "cannot be read" in only(problems(Part.DAGSTER)).what


@pytest.fixture
def postgresql_storage(postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database; Dagster makes its tables in it when it is used."""
    monkeypatch.setenv("MLOPS_DAGSTER_STORAGE_URL", postgresql_url)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text("storage: {postgres: {postgres_url: {env: MLOPS_DAGSTER_STORAGE_URL}}}\n")
    return postgresql_url


@pytest.mark.parametrize(
    ("revision", "says", "remedy"),
    [
        (OLDER, "too old for the installed dagster", "`dagster instance migrate`"),
        ("ffffffffffff", "a newer release", "install the release"),
    ],
)
def test_a_database_is_sound_when_it_is_empty_and_of_this_release_only(
    postgresql_storage: str, findings: Callable[..., list[Finding]], revision: str, says: str, remedy: str
) -> None:
    assert findings(Part.DAGSTER)[0].problems == ()
    with dg.DagsterInstance.get() as instance:
        instance.get_runs(limit=1)
    assert findings(Part.DAGSTER)[0].problems == ()

    with closing(dbapi.connect(postgresql_storage, autocommit=True)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(AT.format(revision))
    problem = only(list(findings(Part.DAGSTER)[0].problems))

    assert says in problem.what
    assert remedy in problem.remedy


def test_an_address_for_a_driver_that_is_missing_is_named(
    postgresql_storage: str, problems: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_DAGSTER_STORAGE_URL", postgresql_storage.replace("postgresql://", "postgresql+pg8000://"))

    found = problems(Part.DAGSTER)

    assert "the driver pg8000, which is not installed" in found[0].what
    assert "begin MLOPS_DAGSTER_STORAGE_URL with postgresql://" in found[0].remedy
