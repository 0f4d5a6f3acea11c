"""The warehouse: reachable, writable, and its tables of the types that are declared."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from mlops_assets.doctor import postgresql
from mlops_assets.doctor.folder import crowded, unwritable
from mlops_assets.doctor.problem import Finding, Part, Problem
from mlops_assets.domain import Table
from mlops_assets.domains import DOMAINS
from mlops_assets.monitoring import monitored_tables
from mlops_assets.settings import DUCKDB, Settings

SETTING = "MLOPS_WAREHOUSE_URL"
PATIENCE_SECONDS = 2.0
"""Most writes are over by then."""

Columns = Callable[[str], Mapping[str, str] | None]
"""The stored columns of a table and their types, in the engine's words; None: there is no such table."""


def examine(settings: Settings, thorough: bool) -> list[Finding]:
    """What the engine of the address asks for."""
    url = settings.warehouse_url.get_secret_value()
    if url.startswith(DUCKDB):
        return [_duckdb(url, thorough)]
    if url.startswith(("postgresql://", "postgres://")):
        return [_postgresql(url)]
    if url.startswith("bigquery://"):
        from mlops_assets.doctor import bigquery

        return [bigquery.finding(url, tables())]
    return []  # the settings' own problem


def tables() -> list[Table]:
    """Everything that the platform declares."""
    from mlops_assets.storage.warehouse.stamps import STAMPS

    declared = (STAMPS, *monitored_tables(DOMAINS.values()), *(table for domain in DOMAINS.values() for table in domain.tables))
    return list({table.name: table for table in declared}.values())


def clashes(declared: list[Table], columns: Columns, dialect: str) -> Iterator[Problem]:
    """Stored columns of another type than is declared. Columns that are missing are added by the next write."""
    from mlops_assets.storage.warehouse.schema import differs

    for table in declared:
        stored = columns(table.name) or {}
        wrong = [
            f"{column.name} is {stored[column.name]}, not {column.type}"
            for column in table.columns
            if column.name in stored and differs(column, stored[column.name], dialect)
        ]
        if wrong:
            remedy = f"rename the table ({table.name} to {table.name}_old); the next run makes it anew. Then copy what you need, converted"
            yield Problem(Part.WAREHOUSE, f"table {table.name} has an older schema: {', '.join(wrong)}", remedy)


def _duckdb(url: str, thorough: bool) -> Finding:
    path = Path(url.removeprefix(DUCKDB))
    problems = unwritable(Part.WAREHOUSE, path.parent, SETTING) or crowded(Part.WAREHOUSE, path.parent, SETTING)
    version = ""
    if thorough and not problems:
        import duckdb

        version = f"DuckDB {duckdb.__version__}"
        problems = list(_opened(url, path)) if path.exists() else []
    return Finding(Part.WAREHOUSE, str(path), version, tuple(problems))


def _opened(url: str, path: Path) -> Iterator[Problem]:
    from mlops_assets.storage.warehouse import WarehouseError
    from mlops_assets.storage.warehouse.duckdb_engine import DuckdbEngine
    from mlops_assets.storage.warehouse.file_lock import locked

    try:
        with locked(path, exclusive=False, seconds=PATIENCE_SECONDS):
            pass
        with DuckdbEngine(url).reading() as session:
            yield from clashes(tables(), session.columns, "duckdb")
    except TimeoutError:
        what = f"another process has been writing {path} for more than {PATIENCE_SECONDS:g} s"
        yield Problem(Part.WAREHOUSE, what, f"wait for its run to end, or end it: fuser {path}.lock names it", heals=True)
    except WarehouseError as error:
        is_open = "lock" in str(error).lower()
        remedy = "end the program that has the file open" if is_open else f"restore a copy of {path}, or move it away and materialize anew"
        yield Problem(Part.WAREHOUSE, " ".join(str(error).split()), remedy, heals=is_open)
    except OSError as error:
        yield Problem(Part.WAREHOUSE, f"{path} cannot be locked: {error}", f"make {path.parent} and the files in it writable for this user")


def _postgresql(url: str) -> Finding:
    from mlops_assets.storage.warehouse import WarehouseError
    from mlops_assets.storage.warehouse.postgres_engine import PostgresEngine

    try:
        engine = PostgresEngine(url)
    except ValueError as error:
        return Finding(Part.WAREHOUSE, "postgresql://", "", (Problem(Part.WAREHOUSE, f"{SETTING} cannot be read", str(error)),))
    version, problems = "", []
    try:
        with postgresql.connected(Part.WAREHOUSE, url, SETTING) as cursor:
            version = postgresql.version(cursor)
            problems = postgresql.rights(Part.WAREHOUSE, cursor, [table.name for table in tables()])
        with engine.reading() as session:
            problems += clashes(tables(), session.columns, "postgres")
    except postgresql.RefusedError as refused:
        problems = [refused.problem]
    except WarehouseError as error:
        problems.append(Problem(Part.WAREHOUSE, " ".join(str(error).split()), "look into the server's log, and ask again", heals=True))
    return Finding(Part.WAREHOUSE, engine.location, version, tuple(problems))
