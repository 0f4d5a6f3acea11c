"""Dagster's instance as commands open it."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from filelock import FileLock

from mlops_assets.settings import Settings


@contextmanager
def open_instance() -> Iterator[dg.DagsterInstance]:
    """The instance that DAGSTER_HOME names.

    Dagster does not guard the making of its SQLite files against a second process, which then notes a wrong revision of the schema in
    them: so one process at a time opens the instance.
    """
    home = Settings().home
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "dagster.lock"):
        instance = dg.DagsterInstance.get()
    with instance:
        yield instance
