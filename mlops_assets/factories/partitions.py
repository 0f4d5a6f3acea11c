"""Storing many partitions in one run: those that are current are passed over, each stored one has its own data version."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from mlops_assets.factories.code_version import code_digest
from mlops_assets.storage.partitioned import Partitioned
from mlops_assets.storage.resource import LakeResource

Value = TypeVar("Value")
StoredPartitions = Iterator[dg.Output[Partitioned[Any]] | dg.AssetMaterialization]


def derived(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    compute: Callable[[str], Value],
    *,
    reads: Sequence[str],
    code: Sequence[str],
) -> Partitioned[Value]:
    """The run's partitions, each computed from the same partition of the assets `reads` (`domain/stage`) by the modules `code`.

    A stored partition is current, and computed no more, if the same code made it from the data versions that are there now.
    """
    asset = context.asset_key.to_user_string()
    digest = code_digest(*code)

    def unchanged(partition: str) -> bool:
        stored = lake.stamp(asset, partition)
        if stored is None or stored.code != digest:
            return False
        sources = {name: lake.stamp(name, partition) for name in reads}
        return all(
            source is not None and _version(stored.lineage, name, partition) == source.data_version for name, source in sources.items()
        )

    return Partitioned(list(context.partition_keys), compute, unchanged, code=digest)


def store_partitions(
    context: dg.AssetExecutionContext, values: Partitioned[Any], metadata: Mapping[str, Any] | None = None
) -> StoredPartitions:
    """Yields the output and, once it is stored, an event for each of its partitions but the last, whose event Dagster logs itself.

    Dagster would give the events of all partitions the same tags; these repeat those of the last one (code version, input versions: Dagster
    judges staleness by them) with the partition's own data version. `metadata` is what all partitions share.
    """
    yield dg.Output(replace(values, own_events=True), metadata=metadata)
    others = sorted(values)[:-1]
    if others:
        step = context.op_execution_context.get_step_execution_context()
        event = context.instance.fetch_materializations(context.asset_key, limit=1).records[0].asset_materialization
        shared = (event and event.tags) or {}
        for partition in others:
            own = step.get_asset_metadata(asset_key=context.asset_key, partition_key=partition) or {}
            tags = {**shared, DATA_VERSION_TAG: str(own["data_version"])}
            shown = {**(metadata or {}), **own}
            yield dg.AssetMaterialization(asset_key=context.asset_key, partition=partition, metadata=shown, tags=tags)


def _version(lineage: Mapping[str, Mapping[str, str]], asset: str, partition: str) -> str | None:
    return lineage.get(asset, {}).get(partition)
