"""What can be done inside one session: read declared tables, and write them so that all of it is stored or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mlops_assets.domain import Table
from mlops_assets.storage.warehouse import statements
from mlops_assets.storage.warehouse.rows import by_partition, conform, exact, ordered
from mlops_assets.storage.warehouse.schema import arrow_schema, differs, partition_value, require_valid, type_of
from mlops_assets.storage.warehouse.session import Session
from mlops_assets.storage.warehouse.statements import EVERYWHERE, Where


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
        self._columns: dict[str, Mapping[str, str] | None] = {}

    def exists(self, table: Table) -> bool:
        """Whether the table has ever been written."""
        require_valid(table)
        return self._stored_columns(table) is not None

    def rows(self, table: Table, partition: str | None = None) -> pa.Table:
        """The table's rows, or those of one partition, in its exact types, ordered by its keys (without keys: by all columns)."""
        where = EVERYWHERE if partition is None else statements.of_partitions(table, [partition_value(table, partition)])
        return ordered(self.select(table, where), table)

    def rows_between(self, table: Table, first: str, last: str) -> pa.Table:
        """The rows of every partition from `first` to `last`, both included, ordered by partition, then as those of one.

        ValueError if partitions are text, which has another order in every engine.
        """
        if type_of(table, table.partition_column) == "string":
            raise ValueError(f"table {table.name}: {table.partition_column} is text, which has no order that engines agree on")
        bounds = statements.of_range(table, partition_value(table, first), partition_value(table, last))
        return ordered(self.select(table, bounds), table, first=table.partition_column)

    def partitions(self, table: Table, partitions: Sequence[str]) -> dict[str, pa.Table]:
        """Each partition's rows, as `rows` gives them, read at once."""
        if not partitions:
            return {}
        values = [partition_value(table, partition) for partition in partitions]
        return by_partition(self.select(table, statements.of_partitions(table, values)), table, partitions)

    def select(self, table: Table, where: Where, columns: Sequence[str] = ()) -> pa.Table:
        """The rows that the condition holds for, in all columns or some, in no particular order."""
        require_valid(table)
        schema = arrow_schema(table)
        stored = {table.name: self._stored_columns(table)}
        result = self._session.fetch(statements.select_rows(table, stored, where, self._dialect, columns))
        return exact(result, pa.schema([schema.field(name) for name in columns or schema.names]))

    def query(self, sql: str, schema: pa.Schema | None = None, **parameters: Any) -> pa.Table:
        """The result of one SELECT in DuckDB's dialect over the warehouse's `tables`, with `:name` parameters.

        `schema` says which columns, in which exact types; without it, numbers are int64 and float64, times UTC. Values are text, numbers,
        booleans, dates and times with a zone. ValueError if the query is no SELECT, or touches a table that is not one of `tables`.
        """
        for table in self._tables:
            require_valid(table)
        stored = {table.name: self._stored_columns(table) for table in statements.tables_of(sql, self._tables)}
        return exact(self._session.fetch(statements.query(sql, self._tables, stored, parameters, self._dialect)), schema)

    def _stored_columns(self, table: Table) -> Mapping[str, str] | None:
        if table.name not in self._columns:
            self._columns[table.name] = self._session.columns(table.name)
        return self._columns[table.name]


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
        self._require_writable(table)
        if table.mode == "replace":
            if partition is None:
                raise ValueError(f"table {table.name} is replaced by partition: say which")
            return self._replace(table, {partition: data})[partition][0]
        rows = conform(table, data, partition)
        if not rows.num_rows:
            return Written()
        source = self._session.stage(table, rows)
        updated = 0
        if table.mode == "merge" and (update := statements.update_changed(table, source, self._dialect)):
            updated = self._session.change(update)
        insert = statements.insert_all if table.mode == "append" else statements.insert_missing
        return Written(inserted=self._session.change(insert(table, source, self._dialect)), updated=updated)

    def write_partitions(self, table: Table, data: Mapping[str, pa.Table]) -> dict[str, tuple[Written, pa.Table]]:
        """What writing each partition changed, in their order, and the partition's rows after it.

        Partitions that are replaced cannot touch each other's rows, and are replaced all at once.
        """
        self._require_writable(table)
        if table.mode == "replace":
            return self._replace(table, data)
        return {key: (self.write(table, rows, partition=key), self.rows(table, key)) for key, rows in data.items()}

    def _replace(self, table: Table, data: Mapping[str, pa.Table]) -> dict[str, tuple[Written, pa.Table]]:
        rows = {partition: conform(table, part, partition) for partition, part in data.items()}
        before = self.partitions(table, list(rows))
        changed = [partition for partition in rows if not ordered(rows[partition], table).equals(before[partition])]
        deleted = [partition_value(table, partition) for partition in changed if before[partition].num_rows]
        if deleted:
            self._session.change(statements.delete_rows(table, statements.of_partitions(table, deleted), self._dialect))
        new = pa.concat_tables([rows[partition] for partition in changed]) if changed else arrow_schema(table).empty_table()
        if new.num_rows:
            self._session.change(statements.insert_all(table, self._session.stage(table, new), self._dialect))
        after = {**before, **self.partitions(table, changed)}
        counts = {partition: Written(inserted=rows[partition].num_rows, deleted=before[partition].num_rows) for partition in changed}
        return {partition: (counts.get(partition, Written()), after[partition]) for partition in rows}

    def _require_writable(self, table: Table) -> None:
        if self._writable.get(table.name) != table:
            raise ValueError(f"table {table.name} is none of the transaction's tables: {', '.join(self._writable)}")


def prepare(session: Session, table: Table, dialect: str) -> None:
    """Makes the table, or adds the columns it lacks. ValueError if a stored column has another type than is declared."""
    stored = session.columns(table.name)
    if stored is None:
        session.define(statements.create_table(table, dialect))
    else:
        _evolve(session, table, stored, dialect)
    session.index(table)


def _evolve(session: Session, table: Table, stored: Mapping[str, str], dialect: str) -> None:
    for column in table.columns:
        if column.name not in stored:
            session.define(statements.add_column(table, column, dialect))
        elif differs(column, stored[column.name], dialect):
            raise ValueError(
                f"{table.name}.{column.name} is declared as {column.type}, but stored as {stored[column.name]}. Types do not change in "
                "place: give the column a new name, or move the table away and materialize it again"
            )
