"""The warehouse as a Dagster resource: its address comes from the settings, unless a test or a deployment names another."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import dagster as dg

from mlops_assets.domain import Table
from mlops_assets.settings import Settings
from mlops_assets.storage.stamp import Stamp

if TYPE_CHECKING:
    from mlops_assets.storage.warehouse import Warehouse


class WarehouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # the value type is the resource itself
    """The warehouse that the IO manager of tables writes to, and that assets may query."""

    url: str | None = None
    """An address without a password, as tests have it; None: MLOPS_WAREHOUSE_URL."""

    @cached_property
    def warehouse(self) -> "Warehouse":
        """The `Warehouse` at this address."""
        return self.querying()

    def querying(self, *tables: Table) -> "Warehouse":
        """The same warehouse for queries over `tables`."""
        from mlops_assets.storage.warehouse import Warehouse

        return Warehouse(self.url or Settings().warehouse_url.get_secret_value(), tables)

    def stamp(self, asset: str, partition: str) -> Stamp | None:
        """The stamp of a stored partition, without reading its rows; None if it is not stored."""
        return self.stamps(asset, [partition]).get(partition)

    def stamps(self, asset: str, partitions: Sequence[str]) -> dict[str, Stamp]:
        """The stamps of those of the partitions that are stored, read at once."""
        from mlops_assets.storage.warehouse.stamps import stored_partitions

        return {partition: stored.stamp for partition, stored in stored_partitions(self.warehouse, asset, partitions).items()}

    def partitions(self, asset: str) -> list[str]:
        """The partitions of an asset that are stored, sorted."""
        from mlops_assets.storage.warehouse.stamps import partition_keys

        return partition_keys(self.warehouse, asset)
