"""Database schemas that Alembic migrates, MLflow's and Dagster's: which revision a database has, and which one the library needs.

Nothing is imported for it: the revisions stand in the library's files.
"""

import re
import sqlite3
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path

QUERY = "SELECT version_num FROM alembic_version"
OWN = re.compile(r"""^revision\b.*?=\s*["'](\w+)["']""", re.MULTILINE)
EARLIER = re.compile(r"""^down_revision\b.*?=\s*(.*)$""", re.MULTILINE)
QUOTED = re.compile(r"""["'](\w+)["']""")
MIGRATIONS = {"mlflow": "store/db_migrations/versions", "dagster": "_core/storage/alembic/versions"}


@cache
def _revisions(library: str) -> tuple[frozenset[str], frozenset[str]]:
    """All that the library knows, and those that nothing follows."""
    spec = find_spec(library)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{library} is not installed")
    texts = [path.read_text() for path in (Path(spec.origin).parent / MIGRATIONS[library]).glob("*.py")]
    known = {name for text in texts for name in OWN.findall(text)}
    followed = {name for text in texts for line in EARLIER.findall(text) for name in QUOTED.findall(line)}
    return frozenset(known), frozenset(known - followed)


def fault(library: str, revision: str) -> str | None:
    """What is wrong with a database of that revision: older than the installed library, or newer; None: nothing."""
    known, newest = _revisions(library)
    if revision in newest:
        return None
    needed = ", ".join(sorted(newest))
    if revision in known:
        return f"its schema {revision} is too old for the installed {library}, which needs {needed}"
    return f"its schema {revision} is unknown to the installed {library}, which knows none beyond {needed}: a newer release made it"


def is_newer(library: str, revision: str) -> bool:
    """Whether a newer release of the library made the database."""
    return revision not in _revisions(library)[0]


def of_sqlite(database: Path) -> str | None:
    """The revision of a SQLite file; None if it has none, or does not exist. sqlite3.Error if it cannot be read."""
    if not database.exists():
        return None
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, timeout=2)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return None
        row = connection.execute(QUERY).fetchone()
    return str(row[0]) if row else None
