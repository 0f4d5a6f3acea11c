"""Partitions of tables with their stamps: rows and stamp are stored in one transaction, in the table and in `mlops_stamps`."""

from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from mlops_assets.domain import Column, Table
from mlops_assets.storage.parquet import data_version
from mlops_assets.storage.stamp import Lineage, Stamp
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
class StoredPartition:
    """What is known of a stored partition without reading its rows."""

    stamp: Stamp
    rows: int


def write_partition(
    warehouse: Warehouse, table: Table, data: pa.Table, asset: str, partition: str, lineage: Lineage, code: str, note: dict[str, Any]
) -> tuple[StoredPartition, Written]:
    """Writes rows of one partition as the table's mode says, and the stamp of what the partition then is."""

    def work(transaction: Transaction) -> tuple[StoredPartition, Written]:
        written = transaction.write(table, data, partition=partition)
        rows = transaction.rows(table, partition)
        stored = StoredPartition(Stamp(content_version(rows), lineage, code, note), rows.num_rows)
        transaction.write(STAMPS, _as_row(asset, partition, stored))
        return stored, written

    return warehouse.transact([table, STAMPS], work)


def read_partition(warehouse: Warehouse, table: Table, asset: str, partition: str) -> tuple[pa.Table, Stamp] | None:
    """The partition's rows and stamp; None if it is not stored. The stamp's data version is that of the rows there are now."""
    with warehouse.read() as reader:
        stored = _stored(reader, asset).get(partition)
        if stored is None:
            return None
        rows = reader.rows(table, partition)
    return rows, replace(stored.stamp, data_version=content_version(rows))


def stored_partitions(warehouse: Warehouse, asset: str) -> dict[str, StoredPartition]:
    """Partition key -> what is stored, in key order."""
    with warehouse.read() as reader:
        return _stored(reader, asset)


def content_version(rows: pa.Table) -> str:
    """The hash of ordered rows; decimals count as their text."""
    schema = pa.schema([field.with_type(pa.string()) if pa.types.is_decimal(field.type) else field for field in rows.schema])
    return data_version(rows.cast(schema))


def _stored(reader: Reader, asset: str) -> dict[str, StoredPartition]:
    rows = reader.rows(STAMPS, asset).to_pylist()
    return {row["partition"]: StoredPartition(Stamp.from_json(row["stamp"].encode()), row["row_count"]) for row in rows}


def _as_row(asset: str, partition: str, stored: StoredPartition) -> pa.Table:
    values = {
        "asset": asset,
        "partition": partition,
        "data_version": stored.stamp.data_version,
        "row_count": stored.rows,
        "stamp": stored.stamp.to_json().decode(),
    }
    return pa.Table.from_pylist([values])
