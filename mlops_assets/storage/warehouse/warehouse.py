"""`Warehouse`: declared tables under one URL. What can be done in a session is `transaction.py`; how engines do it, a module each."""

import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import pyarrow as pa

from mlops_assets.domain import Table
from mlops_assets.storage.warehouse.errors import AbortedError
from mlops_assets.storage.warehouse.schema import require_valid
from mlops_assets.storage.warehouse.session import Engine
from mlops_assets.storage.warehouse.transaction import Reader, Transaction, Written, prepare

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
ATTEMPTS = 6
"""How often a transaction is tried that the engine gives up in favour of another one."""


class Warehouse:
    """Tables at `duckdb:///file`, `postgresql://user:password@host/database` or `bigquery://project/dataset?location=EU`.

    Queries may read `tables`; reading and writing whole rows takes the table itself. `options` go to BigQuery's client. It holds no
    connection between calls, so one object serves many threads and outlives a restart of the server.
    """

    def __init__(self, url: str, tables: Sequence[Table] = (), **options: Any) -> None:
        self._engine = _engine(url, options)
        self._tables = tuple(tables)

    def __repr__(self) -> str:
        """The address without its password."""
        return f"Warehouse({self.location})"

    @property
    def location(self) -> str:
        """The address for people and links: no password in it."""
        return self._engine.location

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """Several reads of one consistent state; BigQuery gives each read its own."""
        with self._engine.reading() as session:
            yield Reader(session, self._engine.dialect, self._tables)

    def exists(self, table: Table) -> bool:
        """Whether the table has ever been written."""
        with self.read() as reader:
            return reader.exists(table)

    def rows(self, table: Table, partition: str | None = None) -> pa.Table:
        """See `Reader.rows`."""
        with self.read() as reader:
            return reader.rows(table, partition)

    def rows_between(self, table: Table, first: str, last: str) -> pa.Table:
        """See `Reader.rows_between`."""
        with self.read() as reader:
            return reader.rows_between(table, first, last)

    def query(self, sql: str, schema: pa.Schema | None = None, **parameters: Any) -> pa.Table:
        """See `Reader.query`."""
        with self.read() as reader:
            return reader.query(sql, schema, **parameters)

    def write(self, table: Table, data: pa.Table, *, partition: str | None = None) -> Written:
        """See `Transaction.write`: one write, stored whole or not at all."""
        return self.transact([table], lambda transaction: transaction.write(table, data, partition=partition))

    def transact(self, tables: Sequence[Table], work: Callable[[Transaction], Result]) -> Result:
        """What `work` gives; all that it writes to `tables` is stored, or nothing if it raises.

        Makes the tables or adds their new columns first. Other writers of one of the tables wait. `work` runs again if the engine gives
        the transaction up, so it changes nothing but the warehouse. WarehouseError if the engine cannot be reached or refuses.
        """
        for table in tables:
            require_valid(table)
        for attempt in range(1, ATTEMPTS):
            try:
                return self._attempt(tables, work)
            except AbortedError as error:
                logger.info("attempt %d at writing %s: %s", attempt, ", ".join(table.name for table in tables), error)
                time.sleep(random.uniform(0, 0.25 * 2**attempt))  # noqa: S311  # spreads writers, hides nothing
        return self._attempt(tables, work)

    def _attempt(self, tables: Sequence[Table], work: Callable[[Transaction], Result]) -> Result:
        with self._engine.writing([table.name for table in tables]) as session:
            for table in tables:
                prepare(session, table, self._engine.dialect)
            return work(Transaction(session, self._engine.dialect, tables, self._tables))


def _engine(url: str, options: dict[str, Any]) -> Engine:
    """The engine of the URL's scheme; drivers are imported when they are needed. ValueError, without the URL, if there is none."""
    scheme = url.partition(":")[0]
    if scheme == "duckdb":
        from mlops_assets.storage.warehouse.duckdb_engine import DuckdbEngine

        return DuckdbEngine(url)
    if scheme in ("postgresql", "postgres"):
        from mlops_assets.storage.warehouse.postgres_engine import PostgresEngine

        return PostgresEngine(url)
    if scheme == "bigquery":
        from mlops_assets.storage.warehouse.bigquery_engine import BigqueryEngine

        return BigqueryEngine(url, options)
    raise ValueError("MLOPS_WAREHOUSE_URL begins with duckdb:///, postgresql:// or bigquery://")
