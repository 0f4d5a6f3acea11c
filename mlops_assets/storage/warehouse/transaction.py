"""What can be done inside one session: read declared tables, and write them so that all of it is stored or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mlops_assets.domain import Table
from mlops_assets.storage.warehouse import statements
from mlops_assets.storage.warehouse.rows import conform, exact, ordered
from mlops_assets.storage.warehouse.schema import arrow_schema, differs, partition_value, require_valid
from mlops_assets.storage.warehouse.session import Session


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows a write changed; rows that were there already, with the same values, count nowhere."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0


class Reader:
    """Reads in one consistent state. A table that nobody has written yet has no rows."""

    def __init__(self, session: Session, dialect: str, tables: Sequence[Table] = ()) -> None:
        self._session = session
        self._dialect = dialect
        self._tables = tables

    def exists(self, table: Table) -> bool:
        """Whether the table has ever been written."""
        require_valid(table)
        return self._session.columns(table.name) is not None

    def rows(self, table: Table, partition: str | None = None) -> pa.Table:
        """The table's rows, or those of one partition, in its exact types, ordered by its keys (without keys: by all columns)."""
        require_valid(table)
        value = None if partition is None else partition_value(table, partition)
        stored = {table.name: self._session.columns(table.name)}
        result = self._session.fetch(statements.select_rows(table, stored, value, self._dialect))
        return ordered(exact(result, arrow_schema(table)), table)

    def query(self, sql: str, schema: pa.Schema | None = None, **parameters: Any) -> pa.Table:
        """The result of one SELECT in DuckDB's dialect over the warehouse's `tables`, with `:name` parameters.

        `schema` says which columns, in which exact types; without it, numbers are int64 and float64, times UTC. Values are text, numbers,
        booleans, dates and times with a zone. ValueError if the query is no SELECT, or touches a table that is not one of `tables`.
        """
        for table in self._tables:
            require_valid(table)
        stored = {table.name: self._session.columns(table.name) for table in statements.tables_of(sql, self._tables)}
        return exact(self._session.fetch(statements.query(sql, self._tables, stored, parameters, self._dialect)), schema)


class Transaction(Reader):
    """Reads what it has written itself; other sessions see nothing of it before its end."""

    def __init__(self, session: Session, dialect: str, writable: Sequence[Table], tables: Sequence[Table] = ()) -> None:
        super().__init__(session, dialect, tables)
        self._writable: Mapping[str, Table] = {table.name: table for table in writable}

    def write(self, table: Table, data: pa.Table, *, partition: str | None = None) -> Written:
        """Writes rows as the table's mode says.

        With `partition`, which `replace` needs, all rows are of that partition. ValueError names what does not fit (see `conform`);
        nothing is stored then.
        """
        if self._writable.get(table.name) != table:
            raise ValueError(f"table {table.name} is none of the transaction's tables: {', '.join(self._writable)}")
        rows = conform(table, data, partition)
        if table.mode == "replace":
            return self._replace(table, rows, partition)
        if not rows.num_rows:
            return Written()
        source = self._session.stage(table, rows)
        updated = 0
        if table.mode == "merge" and (update := statements.update_changed(table, source, self._dialect)):
            updated = self._session.change(update)
        insert = statements.insert_all if table.mode == "append" else statements.insert_missing
        return Written(inserted=self._session.change(insert(table, source, self._dialect)), updated=updated)

    def _replace(self, table: Table, rows: pa.Table, partition: str | None) -> Written:
        if partition is None:
            raise ValueError(f"table {table.name} is replaced by partition: say which")
        if ordered(rows, table).equals(self.rows(table, partition)):
            return Written()
        source = self._session.stage(table, rows)
        deleted = self._session.change(statements.delete_partition(table, partition_value(table, partition), self._dialect))
        return Written(inserted=self._session.change(statements.insert_all(table, source, self._dialect)), deleted=deleted)


def prepare(session: Session, table: Table, dialect: str) -> None:
    """Makes the table, or adds the columns it lacks. ValueError if a stored column has another type than is declared."""
    stored = session.columns(table.name)
    if stored is None:
        session.define(statements.create_table(table, dialect))
        return
    for column in table.columns:
        if column.name not in stored:
            session.define(statements.add_column(table, column, dialect))
        elif differs(column, stored[column.name], dialect):
            raise ValueError(
                f"{table.name}.{column.name} is declared as {column.type}, but stored as {stored[column.name]}. Types do not change in "
                "place: give the column a new name, or move the table away and materialize it again"
            )
