"""The Dagster IO manager over the warehouse: `TableIOManager`. Which table an asset writes, and how, says its definition metadata.

Rows and the stamp that says where they come from are stored in one transaction, small partitions many at a time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any, ClassVar

import dagster as dg

from mlops_assets.domain import Column, Table
from mlops_assets.storage.io_managers import Computed, Described, PartitionIOManager
from mlops_assets.storage.stamp import Stamp
from mlops_assets.storage.warehouse_resource import WarehouseResource

TABLE = "mlops_assets/table"
"""Definition metadata of an asset: the declaration of the table that holds it, as JSON."""
TOGETHER = 64
"""The most partitions in one transaction."""
ENOUGH_ROWS = 20_000
"""Partitions with so many rows are written, or read ahead, before there are more."""


class TableIOManager(PartitionIOManager):
    """pandas frames as rows of warehouse tables; a partition's data version is the hash of its rows as they stand after the write."""

    warehouse: WarehouseResource
    read_ahead: ClassVar[int] = TOGETHER

    def store(self, context: dg.OutputContext, computed: Sequence[Computed]) -> Iterator[Described]:
        """Writes the frames' rows as the table's mode says, in one transaction if all of them can be stored.

        ValueError names what does not fit the table; nothing of that partition is stored then.
        """
        from mlops_assets.storage.warehouse.errors import WarehouseError

        if not computed:
            return
        try:
            described: Iterable[Described] = self._write(context, computed)
        except (ValueError, WarehouseError):
            if len(computed) == 1:
                raise
            described = chain.from_iterable(self._write(context, [one]) for one in computed)
        yield from described

    def _write(self, context: dg.OutputContext, computed: Sequence[Computed]) -> list[Described]:
        from mlops_assets.storage.warehouse.frames import to_rows
        from mlops_assets.storage.warehouse.stamps import NewPartition, write_partitions

        table, asset = _table(context.asset_key, context.definition_metadata), context.asset_key.to_user_string()
        new = [NewPartition(one.partition, to_rows(one.value), one.source.lineage, one.source.code, one.source.note) for one in computed]
        result = []
        for stored, written in write_partitions(self.warehouse.warehouse, table, asset, new):
            counts = {"rows_inserted": written.inserted, "rows_updated": written.updated, "rows_deleted": written.deleted}
            result.append((stored.stamp, {**self._describe(table, stored.rows), **counts}))
        return result

    def is_enough(self, computed: Sequence[Computed]) -> bool:
        """A transaction costs as much as many small partitions, and large ones are not to be held in memory together."""
        return len(computed) >= TOGETHER or sum(len(one.value) for one in computed) >= ENOUGH_ROWS

    def stored(self, context: dg.OutputContext, partitions: Sequence[str]) -> list[Described]:
        """Row counts and column schema, without reading the rows."""
        from mlops_assets.storage.warehouse.stamps import stored_partitions

        table = _table(context.asset_key, context.definition_metadata)
        found = stored_partitions(self.warehouse.warehouse, context.asset_key.to_user_string(), partitions)
        return [(found[partition].stamp, self._describe(table, found[partition].rows)) for partition in partitions]

    def fetch(self, context: dg.InputContext, partitions: Sequence[str]) -> dict[str, tuple[Any, Stamp]]:
        """The partitions' rows, each ordered by the table's keys."""
        from mlops_assets.storage.warehouse.frames import to_frame
        from mlops_assets.storage.warehouse.stamps import read_partitions

        asset = context.asset_key.to_user_string()
        found = read_partitions(self.warehouse.warehouse, _upstream_table(context), asset, partitions, ENOUGH_ROWS)
        return {partition: (to_frame(rows), stamp) for partition, (rows, stamp) in found.items()}

    def fetch_window(self, context: dg.InputContext, partitions: Sequence[str]) -> tuple[Any, Mapping[str, Stamp]]:
        """The rows ordered by partition, then by the table's keys."""
        from mlops_assets.storage.warehouse.frames import to_frame
        from mlops_assets.storage.warehouse.stamps import read_window

        rows, stamps = read_window(self.warehouse.warehouse, _upstream_table(context), context.asset_key.to_user_string(), partitions)
        return to_frame(rows), stamps

    def present(self, asset_key: dg.AssetKey, partitions: Sequence[str]) -> list[str]:
        """By their stamps."""
        from mlops_assets.storage.warehouse.stamps import partition_keys

        return partition_keys(self.warehouse.warehouse, asset_key.to_user_string(), partitions)

    def name(self, asset_key: dg.AssetKey, partition: str) -> str:
        """What the partition is called in messages."""
        return f"{asset_key.to_user_string()}/{partition}"

    def _describe(self, table: Table, rows: int) -> dict[str, Any]:
        return {
            "dagster/row_count": rows,
            "dagster/table_name": table.name,
            "dagster/column_schema": _column_schema(table),
            "warehouse": self.warehouse.warehouse.location,
        }


def table_metadata(table: Table) -> dict[str, Any]:
    """Definition metadata of an asset that is stored in `table`: the declaration itself, and its name and columns for the UI."""
    return {TABLE: asdict(table), "dagster/table_name": table.name, "dagster/column_schema": _column_schema(table)}


def _column_schema(table: Table) -> dg.TableSchema:
    return dg.TableSchema([dg.TableColumn(column.name, column.type, column.description) for column in table.columns])


def _upstream_table(context: dg.InputContext) -> Table:
    upstream = context.upstream_output
    return _table(context.asset_key, upstream.definition_metadata if upstream else {})


def _table(asset_key: dg.AssetKey, metadata: Mapping[str, Any] | None) -> Table:
    declared = (metadata or {}).get(TABLE)
    if declared is None:
        raise TypeError(f"{asset_key.to_user_string()} is stored as a table, but its definition metadata {TABLE!r} names none")
    columns = tuple(Column(**column) for column in declared["columns"])
    return Table(**{**declared, "columns": columns, "keys": tuple(declared["keys"])})
