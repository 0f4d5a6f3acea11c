"""Dagster's own storage of runs and events: SQLite below MLOPS_HOME, or a database on a PostgreSQL server."""

import os
import sqlite3
from importlib.util import find_spec
from pathlib import Path

from mlops_assets.doctor import postgresql, revisions
from mlops_assets.doctor.folder import unwritable
from mlops_assets.doctor.problem import Finding, Part, Problem
from mlops_assets.settings import Settings

SETTING = "MLOPS_DAGSTER_STORAGE_URL"
WITH_DRIVER = "postgresql+psycopg2://"
"""How SQLAlchemy's addresses may name the driver that dagster-postgres brings, and that it takes where they name none."""
FILES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
MIGRATE = "stop what uses it, copy it, then `dagster instance migrate`"
GO_BACK = "install the release of this platform that was used last, or restore a copy of the storage from before it"


def examine(settings: Settings, thorough: bool) -> list[Finding]:  # noqa: ARG001  # both are cheap
    """The storage that the settings lead to."""
    if settings.mlops_dagster_storage_url is None:
        folder = os.environ.get("MLOPS_DAGSTER_DIR")
        return [_sqlite(Path(folder) if folder else settings.home / "dagster")]
    url = settings.mlops_dagster_storage_url.get_secret_value()
    return [_postgresql(url)] if "://" in url else []  # the settings' own problem


def _sqlite(folder: Path) -> Finding:
    problems = unwritable(Part.DAGSTER, folder, "MLOPS_HOME")
    found: list[str] = []
    for file in (folder / name for name in FILES):
        try:
            revision = revisions.of_sqlite(file)
        except sqlite3.Error as error:
            problems.append(
                Problem(Part.DAGSTER, f"{file} cannot be read: {error}", "restore a copy of it, or move it away: its history is lost")
            )
            continue
        if revision:
            found.append(revision)
            problems += _schema(str(file), revision)
    return Finding(Part.DAGSTER, str(folder), f"SQLite, schema {found[0]}" if found else "SQLite", tuple(problems))


def _postgresql(url: str) -> Finding:
    version, problems = "", []
    if find_spec("dagster_postgres") is None:
        problems = [Problem(Part.DAGSTER, "dagster-postgres is not installed", "pip install 'mlops-assets[cloud]'")]
    else:
        problems = _driver(url)
    try:
        with postgresql.connected(Part.DAGSTER, url.replace(WITH_DRIVER, "postgresql://", 1), SETTING) as cursor:
            version = postgresql.version(cursor)
            problems += postgresql.rights(Part.DAGSTER, cursor, ["runs", "event_logs", "run_tags", "instigators"])
            if postgresql.one(cursor, "SELECT to_regclass('alembic_version') IS NOT NULL"):
                revision = postgresql.one(cursor, revisions.QUERY)
                problems += _schema("the database", revision) if revision else []
    except postgresql.RefusedError as refused:
        problems.append(refused.problem)
    return Finding(Part.DAGSTER, postgresql.location(url), version, tuple(problems))


def _driver(url: str) -> list[Problem]:
    """SQLAlchemy reads from the address which driver to use."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(url).get_dialect().import_dbapi()
    except ArgumentError:
        return [Problem(Part.DAGSTER, f"{SETTING} cannot be read", "write postgresql://user:password@host:port/database")]
    except ModuleNotFoundError as error:
        what = f"the address asks for the driver {error.name}, which is not installed"
        return [Problem(Part.DAGSTER, what, f"begin {SETTING} with postgresql://")]
    return []


def _schema(what: str, revision: str) -> list[Problem]:
    fault = revisions.fault("dagster", revision)
    if fault is None:
        return []
    return [Problem(Part.DAGSTER, f"{what}: {fault}", GO_BACK if revisions.is_newer("dagster", revision) else MIGRATE)]
