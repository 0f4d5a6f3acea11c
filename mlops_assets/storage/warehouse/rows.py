"""Rows between their callers and a declared table: made to fit before they are written, given exact types and order after they are read."""

from collections.abc import Callable, Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.domain import ColumnType, Table
from mlops_assets.storage.warehouse.schema import ARROW_TYPES, arrow_schema, has_day_of_its_own, partition_value


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


ACCEPTED: Mapping[ColumnType, Callable[[pa.DataType], bool]] = {
    "string": _is_text,
    "boolean": pa.types.is_boolean,
    "long": _is_number,
    "double": _is_number,
    "date": pa.types.is_date,
    "timestamp": lambda kind: bool(pa.types.is_timestamp(kind) and kind.tz),
    "decimal": _is_number,
}
"""What may be written to a column if no value loses anything by it: text is never read as a number, nor a time without a zone as UTC."""


def conform(table: Table, data: pa.Table, partition: str | None) -> pa.Table:
    """The rows with exactly the table's columns and types, each key once; a declared column that `data` lacks is null.

    Of rows with one key the first stays where rows are added, otherwise the last. ValueError names table, column and value: a column
    that is not declared, a value that its column cannot hold, a null in a key, a row of another partition than `partition` or of another
    day than the partition's.
    """
    unknown = sorted(set(data.column_names) - {column.name for column in table.columns})
    if unknown:
        raise ValueError(f"table {table.name} has no column {', '.join(unknown)}: declare it, or leave it out")
    columns = [
        _convert(f"{table.name}.{column.name}", data[column.name], column.type)
        if column.name in data.column_names
        else pa.nulls(data.num_rows, ARROW_TYPES[column.type])
        for column in table.columns
    ]
    rows = pa.table(columns, schema=arrow_schema(table))
    for key in table.keys:
        if rows[key].null_count:
            raise ValueError(f"{table.name}.{key} is a key and null in {rows[key].null_count} of {rows.num_rows} rows")
    if has_day_of_its_own(table):
        _require_day(table, rows)
    if partition is not None:
        _require_partition(table, rows, partition)
    return _each_key_once(table, rows) if table.keys and table.mode != "append" else rows


def ordered(rows: pa.Table, table: Table, *, first: str | None = None) -> pa.Table:
    """By `first`, then by the keys, or by all columns where there are none: the same rows have one order, whatever engine gave them."""
    names = dict.fromkeys((*([first] if first else []), *(table.keys or rows.column_names)))
    return rows.sort_by([(name, "ascending") for name in names]).combine_chunks()


def by_partition(rows: pa.Table, table: Table, partitions: Iterable[str]) -> dict[str, pa.Table]:
    """Partition key -> its rows, ordered, some or none; rows of other partitions are left out."""
    grouped = ordered(rows, table, first=table.partition_column)
    column = grouped[table.partition_column]
    counts = {count["values"]: count["counts"] for count in column.value_counts().to_pylist()}
    starts, start = {}, 0
    for value in column.unique().to_pylist():
        starts[value] = start
        start += counts[value]
    values = {partition: partition_value(table, partition) for partition in partitions}
    return {partition: grouped.slice(starts.get(value, 0), counts.get(value, 0)) for partition, value in values.items()}


def exact(result: pa.Table, schema: pa.Schema | None) -> pa.Table:
    """A result in the types of `schema`, or in those of its own that are the same for every engine: text, int64, float64, UTC microseconds.

    ValueError names a column that is missing or holds a value that does not fit.
    """
    columns = {name: _plain(column) for name, column in zip(result.column_names, result.columns, strict=True)}
    if schema is None:
        return pa.table({name: column.cast(_usual(column.type)) for name, column in columns.items()})
    if missing := [name for name in schema.names if name not in columns]:
        raise ValueError(f"the query gives no column {', '.join(missing)}; it gives {', '.join(columns)}")
    return pa.table([_cast(field.name, columns[field.name], field.type) for field in schema], schema=schema)


def _convert(name: str, column: pa.ChunkedArray, kind: ColumnType) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    wanted = ARROW_TYPES[kind]
    if not (pa.types.is_null(column.type) or ACCEPTED[kind](column.type)):
        sample = next((value for value in column.drop_null().slice(0, 1).to_pylist()), None)
        zone = " without a time zone" if pa.types.is_timestamp(column.type) else ""
        raise ValueError(f"{name} is a {kind}, not {column.type}{zone}, such as {sample!r}")
    converted = _cast(name, column, wanted)
    if kind == "decimal" and pa.types.is_floating(column.type):
        lossy = pc.not_equal(converted.cast(pa.float64()), column)
        if pc.any(lossy).as_py():
            raise ValueError(f"{name} has two digits after the point, {column.filter(lossy)[0].as_py()!r} has more")
    return converted


def _cast(name: str, column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    try:
        return column.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"{name} cannot hold a value as {wanted}: {error}") from None


def _require_day(table: Table, rows: pa.Table) -> None:
    day, of_partition = rows[table.day_column].cast(pa.date32()), rows[table.partition_column].cast(pa.date32())
    other = pc.invert(pc.fill_null(pc.equal(day, of_partition), False))
    if pc.any(other).as_py():
        wrong = f"{rows[table.day_column].filter(other)[0].as_py()!r} in {pc.sum(other).as_py()} of {rows.num_rows} rows"
        raise ValueError(f"{table.name}.{table.day_column} is {wrong}: it is not of the day of {table.partition_column}")


def _require_partition(table: Table, rows: pa.Table, partition: str) -> None:
    column, value = rows[table.partition_column], partition_value(table, partition)
    same = pc.fill_null(pc.equal(column, pa.scalar(value, column.type)), False)
    if not pc.all(same).as_py() and rows.num_rows:
        other = column.filter(pc.invert(same))
        wrong = f"{other[0].as_py()!r} in {len(other)} of {rows.num_rows} rows"
        raise ValueError(f"{table.name}.{table.partition_column} is {wrong} of partition {partition}")


def _each_key_once(table: Table, rows: pa.Table) -> pa.Table:
    which = "min" if table.mode == "add" else "max"
    numbered = rows.select(table.keys).append_column("row number", pa.array(range(rows.num_rows), pa.int64()))
    kept = numbered.group_by(list(table.keys)).aggregate([("row number", which)])[f"row number_{which}"]
    return rows if len(kept) == rows.num_rows else rows.take(kept.combine_chunks().sort())


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """PostgreSQL's NUMERIC comes as text of an opaque type."""
    if not isinstance(column.type, pa.OpaqueType):
        return column
    chunks = [chunk.storage for chunk in column.chunks]
    return pa.chunked_array(chunks, column.type.storage_type).cast(pa.decimal128(38, 9))


def _usual(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz and "UTC")
    return pa.string() if _is_text(kind) else kind
