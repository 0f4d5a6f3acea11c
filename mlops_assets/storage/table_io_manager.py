"""The Dagster IO manager over the warehouse: `TableIOManager`. Which table an asset writes, and how, says its definition metadata.

Rows and the stamp that says where they come from are stored in one transaction, a partition at a time.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import dagster as dg

from mlops_assets.domain import Column, Table
from mlops_assets.storage.io_managers import PartitionIOManager, Source
from mlops_assets.storage.stamp import Stamp
from mlops_assets.storage.warehouse_resource import WarehouseResource

TABLE = "mlops_assets/table"
"""Definition metadata of an asset: the declaration of the table that holds it, as JSON."""


class TableIOManager(PartitionIOManager):
    """pandas frames as rows of warehouse tables; a partition's data version is the hash of its rows as they stand after the write."""

    warehouse: WarehouseResource

    def store(self, context: dg.OutputContext, partition: str, value: Any, source: Source) -> tuple[Stamp, dict[str, Any]]:
        """Writes the frame's rows as the table's mode says. ValueError names what does not fit the table; nothing is stored then."""
        from mlops_assets.storage.warehouse.frames import to_rows
        from mlops_assets.storage.warehouse.stamps import write_partition

        table, asset = _table(context.asset_key, context.definition_metadata), context.asset_key.to_user_string()
        stored, written = write_partition(
            self.warehouse.warehouse, table, to_rows(value), asset, partition, source.lineage, source.code, source.note
        )
        counts = {"rows_inserted": written.inserted, "rows_updated": written.updated, "rows_deleted": written.deleted}
        return stored.stamp, {**self._describe(table, stored.rows), **counts}

    def stored(self, context: dg.OutputContext, partition: str) -> tuple[Stamp, dict[str, Any]]:
        """Row count and column schema, without reading the rows."""
        from mlops_assets.storage.warehouse.stamps import stored_partitions

        stored = stored_partitions(self.warehouse.warehouse, context.asset_key.to_user_string())[partition]
        return stored.stamp, self._describe(_table(context.asset_key, context.definition_metadata), stored.rows)

    def fetch(self, context: dg.InputContext, partition: str) -> tuple[Any, Stamp] | None:
        """The partition's rows, ordered by the table's keys."""
        from mlops_assets.storage.warehouse.frames import to_frame
        from mlops_assets.storage.warehouse.stamps import read_partition

        upstream = context.upstream_output
        table = _table(context.asset_key, upstream.definition_metadata if upstream else {})
        found = read_partition(self.warehouse.warehouse, table, context.asset_key.to_user_string(), partition)
        return (to_frame(found[0]), found[1]) if found else None

    def partitions(self, asset: str) -> list[str]:
        """The partitions of an asset that are stored."""
        return self.warehouse.partitions(asset)

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


def _table(asset_key: dg.AssetKey, metadata: Mapping[str, Any] | None) -> Table:
    declared = (metadata or {}).get(TABLE)
    if declared is None:
        raise TypeError(f"{asset_key.to_user_string()} is stored as a table, but its definition metadata {TABLE!r} names none")
    columns = tuple(Column(**column) for column in declared["columns"])
    return Table(**{**declared, "columns": columns, "keys": tuple(declared["keys"])})
