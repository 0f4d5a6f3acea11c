"""DuckDB: one file, embedded. It lets one process write or many read, so connections are short and wait for each other in a fair lock."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from mlops_assets.domain import Table
from mlops_assets.storage.warehouse.errors import WarehouseError
from mlops_assets.storage.warehouse.file_lock import locked
from mlops_assets.storage.warehouse.statements import Statement

PREFIX = "duckdb:///"
LOCK_SECONDS = 120.0
"""No write takes this long; whoever holds the file longer hangs."""
MEMORY = ":memory:"
CONFIG: dict[str, str | bool | int | float | list[str]] = {
    # A query reads the tables it names, never a file or an address, and downloads no extension.
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "TimeZone": "UTC",
}


class DuckdbEngine:
    """Tables in one file, made by the first writer."""

    dialect = "duckdb"

    def __init__(self, url: str) -> None:
        if not url.startswith(PREFIX) or not url.removeprefix(PREFIX):
            raise ValueError(f"a DuckDB warehouse is {PREFIX}file, not {url!r}")
        self._path = Path(url.removeprefix(PREFIX))
        self.location = str(self._path)

    @contextmanager
    def reading(self) -> Iterator["DuckdbSession"]:
        """Waits for a writer to end. Before the first writer there are no tables, and reading makes no file."""
        if not self._path.exists():
            with closing(duckdb.connect(MEMORY, config=CONFIG)) as connection:
                yield DuckdbSession(connection)
            return
        with self._connected(exclusive=False) as connection:
            yield DuckdbSession(connection)

    @contextmanager
    def writing(self, tables: list[str]) -> Iterator["DuckdbSession"]:  # noqa: ARG002  # a writer has the whole file
        """Waits until no one reads or writes the file."""
        with self._connected(exclusive=True) as connection:
            yield DuckdbSession(connection)
            connection.commit()

    @contextmanager
    def _connected(self, *, exclusive: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._locked(exclusive), closing(self._connect(exclusive)) as connection:
            try:
                # Closing without a commit rolls back.
                connection.begin()
                yield connection
            except duckdb.Error as error:
                raise WarehouseError(f"DuckDB {self._path}: {error}") from error

    @contextmanager
    def _locked(self, exclusive: bool) -> Iterator[None]:
        with ExitStack() as stack:
            try:
                if exclusive:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(self._path, exclusive=exclusive, seconds=LOCK_SECONDS))
            except TimeoutError as error:
                raise WarehouseError(f"{error}: end that process, or wait for it") from error
            except OSError as error:
                reason = f"its folder must be writable, also for readers, who lock there: {error}"
                raise WarehouseError(f"DuckDB {self._path}: {reason}") from error
            yield

    def _connect(self, exclusive: bool) -> duckdb.DuckDBPyConnection:
        try:
            if exclusive and not self._path.exists():
                self._create()
            return duckdb.connect(self._path, read_only=not exclusive, config=CONFIG)
        except duckdb.Error as error:
            raise WarehouseError(
                f"DuckDB cannot open {self._path}: {error}. If it is damaged, move it and {self._path.name}.wal away, restore a copy, "
                "or materialize the tables again"
            ) from error

    def _create(self) -> None:
        """Under another name first: a process killed meanwhile leaves no half-made database where readers look."""
        temporary = self._path.with_name(f".{self._path.name}.{uuid.uuid4().hex}.tmp")
        duckdb.connect(temporary, config=CONFIG).close()
        temporary.replace(self._path)


class DuckdbSession:
    """One connection to the file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._staged = 0
        self._tables: dict[str, dict[str, str]] | None = None

    def columns(self, table: str) -> Mapping[str, str] | None:
        """From the catalogue, which is slow to ask and therefore asked once for all tables."""
        if self._tables is None:
            catalogue = (
                "SELECT table_name, column_name, data_type FROM duckdb_columns() "
                "WHERE database_name = current_database() AND schema_name = 'main'"
            )
            self._tables = {}
            for name, column, kind in self._connection.execute(catalogue).fetchall():
                self._tables.setdefault(name, {})[column] = kind
        return self._tables.get(table)

    def define(self, statement: Statement) -> None:
        """Inside the transaction, like everything."""
        self._connection.execute(statement.sql)
        self._tables = None

    def index(self, table: Table) -> None:
        """DuckDB knows the range of every column in each hundred thousand rows, and rows of a time are written together."""

    def stage(self, table: Table, rows: pa.Table) -> str:
        """DuckDB reads Arrow where it is."""
        self._staged += 1
        name = f"stage_{self._staged}_{table.name}"
        self._connection.register(name, rows)
        return name

    def change(self, statement: Statement) -> int:
        """DuckDB answers with the count."""
        row = self._connection.execute(statement.sql, dict(statement.parameters)).fetchone()
        return int(row[0]) if row else 0

    def fetch(self, statement: Statement) -> pa.Table:
        """As one Arrow table."""
        return self._connection.sql(statement.sql, params=dict(statement.parameters)).to_arrow_table()
