"""Partitions of tables with their stamps: rows and stamp are stored in one transaction, in the table and in `mlops_stamps`.

What is asked of some partitions reads no more than these: an asset has a stamp for every hour of its history.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pyarrow as pa

from mlops_assets.domain import Column, Table
from mlops_assets.storage.parquet import data_version
from mlops_assets.storage.stamp import Lineage, Stamp, folded
from mlops_assets.storage.warehouse.rows import by_partition
from mlops_assets.storage.warehouse.schema import arrow_schema, partition_value
from mlops_assets.storage.warehouse.statements import Where, among
from mlops_assets.storage.warehouse.transaction import Reader, Transaction, Written
from mlops_assets.storage.warehouse.warehouse import Warehouse

STAMPS = Table(
    name="mlops_stamps",
    description="What every stored partition of a table says of itself.",
    columns=(
        Column("asset", "string", "The asset that writes the table, `domain/stage`."),
        Column("partition", "string", "Its partition key."),
        Column("data_version", "string", "Hash of the partition's rows as they stood after the last write."),
        Column("row_count", "long", "How many rows that were."),
        Column("stamp", "string", "Data version, lineage, code and the producer's note, JSON."),
    ),
    partition_column="asset",
    mode="merge",
    keys=("asset", "partition"),
)


@dataclass(frozen=True, slots=True)
class NewPartition:
    """Rows that are to be written, and what their stamp says beside their data version."""

    partition: str
    rows: pa.Table
    lineage: Lineage = field(default_factory=dict)
    code: str = ""
    note: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredPartition:
    """What is known of a stored partition without reading its rows."""

    stamp: Stamp
    rows: int


def write_partitions(warehouse: Warehouse, table: Table, asset: str, new: Sequence[NewPartition]) -> list[tuple[StoredPartition, Written]]:
    """Writes rows of several partitions as the table's mode says, and the stamps of what each then is; all of them or none."""

    def work(transaction: Transaction) -> list[tuple[StoredPartition, Written]]:
        written = transaction.write_partitions(table, {one.partition: one.rows for one in new})
        result = []
        for one in new:
            changes, rows = written[one.partition]
            stamp = Stamp(content_version(rows), folded(one.lineage), one.code, one.note)
            result.append((StoredPartition(stamp, rows.num_rows), changes))
        stamps = [_as_row(asset, one.partition, stored) for one, (stored, _) in zip(new, result, strict=True)]
        transaction.write(STAMPS, pa.Table.from_pylist(stamps))
        return result

    return warehouse.transact([table, STAMPS], work)


def read_partitions(
    warehouse: Warehouse, table: Table, asset: str, partitions: Sequence[str], most_rows: int
) -> dict[str, tuple[pa.Table, Stamp]]:
    """The rows and stamps of those of the partitions that are stored, up to the one that makes it more than `most_rows`.

    A stamp's data version is that of the rows there are now.
    """
    with warehouse.read() as reader:
        stored = _stored(reader, asset, partitions)
        wanted = _first_of(stored, partitions, most_rows)
        rows = reader.partitions(table, wanted)
    return {partition: (rows[partition], _now(stored[partition].stamp, rows[partition])) for partition in wanted}


def read_window(warehouse: Warehouse, table: Table, asset: str, partitions: Sequence[str]) -> tuple[pa.Table, dict[str, Stamp]]:
    """The rows of all those of the partitions that are stored, ordered by partition, and their stamps as `read_partitions` gives them."""
    with warehouse.read() as reader:
        stored = _stored(reader, asset, partitions)
        if not stored:
            return arrow_schema(table).empty_table(), {}
        keys = sorted(stored, key=partial(partition_value, table))
        found = by_partition(reader.rows_between(table, keys[0], keys[-1]), table, keys)
    return pa.concat_tables(found.values()), {partition: _now(stored[partition].stamp, rows) for partition, rows in found.items()}


def stored_partitions(warehouse: Warehouse, asset: str, partitions: Sequence[str]) -> dict[str, StoredPartition]:
    """Partition key -> what is stored, for those of the partitions that are."""
    with warehouse.read() as reader:
        return _stored(reader, asset, partitions)


def partition_keys(warehouse: Warehouse, asset: str, among_them: Sequence[str] | None = None) -> list[str]:
    """The stored partitions of an asset, or those of some that are, sorted."""
    where = among(STAMPS, "asset", [asset]) if among_them is None else _where(asset, among_them)
    with warehouse.read() as reader:
        return sorted(reader.select(STAMPS, where, ["partition"])["partition"].to_pylist())


def content_version(rows: pa.Table) -> str:
    """The hash of ordered rows; decimals count as their text."""
    if not any(pa.types.is_decimal(kind) for kind in rows.schema.types):
        return data_version(rows)
    schema = pa.schema([field.with_type(pa.string()) if pa.types.is_decimal(field.type) else field for field in rows.schema])
    return data_version(rows.cast(schema))


def _where(asset: str, partitions: Sequence[str]) -> Where:
    return among(STAMPS, "asset", [asset]) & among(STAMPS, "partition", partitions)


def _stored(reader: Reader, asset: str, partitions: Sequence[str]) -> dict[str, StoredPartition]:
    rows = reader.select(STAMPS, _where(asset, partitions), ["partition", "row_count", "stamp"]).to_pylist()
    return {row["partition"]: StoredPartition(Stamp.from_json(row["stamp"].encode()), row["row_count"]) for row in rows}


def _first_of(stored: dict[str, StoredPartition], partitions: Sequence[str], most_rows: int) -> list[str]:
    first: list[str] = []
    rows = 0
    for partition in partitions:
        if partition in stored and rows <= most_rows:
            first.append(partition)
            rows += stored[partition].rows
    return first


def _now(stamp: Stamp, rows: pa.Table) -> Stamp:
    return replace(stamp, data_version=content_version(rows))


def _as_row(asset: str, partition: str, stored: StoredPartition) -> dict[str, Any]:
    return {
        "asset": asset,
        "partition": partition,
        "data_version": stored.stamp.data_version,
        "row_count": stored.rows,
        "stamp": stored.stamp.to_json().decode(),
    }
