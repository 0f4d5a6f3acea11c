"""What a declared table is in Arrow and in SQL: column types, valid names, the value of a partition key."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from sqlglot import exp

from mlops_assets.domain import Column, ColumnType, Table

ARROW_TYPES: Mapping[ColumnType, pa.DataType] = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "long": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "decimal": pa.decimal128(10, 2),
}
SQL_TYPES: Mapping[ColumnType, str] = {
    "string": "TEXT",
    "boolean": "BOOLEAN",
    "long": "BIGINT",
    "double": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
    "decimal": "DECIMAL(10, 2)",
}
"""In DuckDB's dialect, from which statements are translated."""
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""What every engine takes as a name, so that none of them shortens or folds it."""


def arrow_schema(table: Table) -> pa.Schema:
    """The table's columns; every one may be null."""
    return pa.schema([pa.field(column.name, ARROW_TYPES[column.type]) for column in table.columns])


def require_valid(table: Table) -> None:
    """ValueError if the declaration makes no table: a bad or repeated name, a key that is no column, a mode without its keys.

    The same for a day or an offset in hours where there is no time to have it.
    """
    names = [column.name for column in table.columns]
    for name in (table.name, *names):
        if not NAME.fullmatch(name):
            raise ValueError(f"table {table.name!r}: {name!r} is no name: lower-case letters, digits and underscores, at most 63")
    if len(set(names)) < len(names):
        raise ValueError(f"table {table.name}: a column is declared twice")
    for name in (*table.keys, table.partition_column):
        if name not in names:
            raise ValueError(f"table {table.name}: {name!r} is a key or the partition column, but no column")
    if table.mode in ("add", "merge") and not table.keys:
        raise ValueError(f"table {table.name}: mode {table.mode!r} needs keys")
    if table.day_column and (table.day_column not in names or type_of(table, table.day_column) not in ("timestamp", "date")):
        raise ValueError(f"table {table.name}: {table.day_column!r} has no day: it is no timestamp and no date")
    if table.partition_offset_hours and type_of(table, table.partition_column) != "timestamp":
        raise ValueError(f"table {table.name}: {table.partition_column!r} is no timestamp, which could be offset by hours")


def type_of(table: Table, name: str) -> ColumnType:
    """The declared type of a column."""
    return next(column.type for column in table.columns if column.name == name)


def has_day_of_its_own(table: Table) -> bool:
    """Whether the day is that of another column than the partition's, which is a timestamp too: then they agree in every row."""
    return bool(table.day_column) and table.day_column != table.partition_column and type_of(table, table.partition_column) == "timestamp"


def partition_value(table: Table, key: str) -> Any:
    """What the partition column holds for a partition key: `03` is 3 in a `long`; dates and times are ISO 8601, without a zone UTC.

    A time is offset as the table says: `2022-05-13T08` is 09:00 where that is one hour. ValueError if the key does not fit the type.
    """
    kind = type_of(table, table.partition_column)
    try:
        if kind == "string":
            return key
        if kind == "long":
            return int(key)
        if kind == "date":
            return date.fromisoformat(key)
        if kind == "timestamp":
            time = datetime.fromisoformat(key)
            first = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
            return first + timedelta(hours=table.partition_offset_hours)
    except ValueError:
        raise ValueError(f"table {table.name}: partition {key!r} is no {kind}, as column {table.partition_column} is") from None
    raise ValueError(f"table {table.name}: column {table.partition_column} is a {kind}, which cannot hold partitions")


def differs(column: Column, stored: str, dialect: str) -> bool:
    """Whether the type of a stored column, in the engine's words, is another one than is declared."""
    is_there, declared = exp.DataType.build(stored, dialect=dialect), exp.DataType.build(SQL_TYPES[column.type], dialect="duckdb")
    # BigQuery and PostgreSQL also have decimals without a stated precision, which hold any.
    return is_there.this != declared.this or bool(is_there.expressions and is_there.expressions != declared.expressions)
