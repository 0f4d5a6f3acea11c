"""What an engine offers: sessions that read, and sessions that write in one transaction. One module an engine implements it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

import pyarrow as pa

from mlops_assets.domain import Table
from mlops_assets.storage.warehouse.statements import Statement


class Session(Protocol):
    """One connection, inside one transaction."""

    def columns(self, table: str) -> Mapping[str, str] | None:
        """The stored columns and their types in the engine's words; None if there is no such table."""

    def define(self, statement: Statement) -> None:
        """Creates or extends a table."""

    def index(self, table: Table) -> None:
        """Sees to it that reading a partition, or writing by key, does not read the whole table."""

    def stage(self, table: Table, rows: pa.Table) -> str:
        """The name under which statements of this session can read `rows`, which have the table's schema."""

    def change(self, statement: Statement) -> int:
        """Inserts, updates or deletes; how many rows."""

    def fetch(self, statement: Statement) -> pa.Table:
        """The result of a SELECT."""


class Engine(Protocol):
    """Where the tables are."""

    dialect: str
    """What sqlglot calls the engine's SQL."""
    location: str
    """The address for people: no password in it."""

    def reading(self) -> AbstractContextManager[Session]:
        """A session that changes nothing. WarehouseError if the engine cannot be reached or refuses."""

    def writing(self, tables: list[str]) -> AbstractContextManager[Session]:
        """A session that excludes other writers of `tables`; at the end everything is stored, or nothing if there was an error.

        WarehouseError as for reading; AbortedError if all of it may be tried again.
        """
