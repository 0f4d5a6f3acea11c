"""The naming grammar of assets: keys, inputs and outputs of a domain's stages, so that no factory spells them out."""

from collections.abc import Callable, Collection
from typing import Any

import dagster as dg

from mlops_assets.domain import Domain, Table
from mlops_assets.partitions import partitions_of, window_mapping
from mlops_assets.storage.io_managers import AS_PARTITIONS, AS_WINDOW
from mlops_assets.storage.table_io_manager import table_metadata

FRAMES = "frames"
ARTIFACTS = "artifacts"
TABLES = "tables"

RETENTION = "mlops_assets/retention"
INTERMEDIATE = "intermediate"
"""Value of the tag `RETENTION`: only the training of its own partition reads it, and makes it anew. So a bucket may let it expire."""

TRAINING = "training"
"""The pool of what fits models. Pools of ingest are called as the upstream's resource."""

Decorator = Callable[[Callable[..., Any]], dg.AssetsDefinition]


def asset_key(domain: Domain, stage: str) -> dg.AssetKey:
    """`split_train` -> AssetKey([domain, split_train]). Two parts, because the UI shows the last one only."""
    return dg.AssetKey([domain.name, stage])


def asset_in(domain: Domain, stage: str) -> dg.AssetIn:
    """The same partition of another stage."""
    return dg.AssetIn(key=asset_key(domain, stage))


def partitions_in(domain: Domain, stage: str) -> dg.AssetIn:
    """The same partitions of another stage, as a lazy mapping, however many there are."""
    return dg.AssetIn(key=asset_key(domain, stage), metadata={AS_PARTITIONS: True})


def window_in(domain: Domain, stage: str) -> dg.AssetIn:
    """All rows of the window of partitions that training reads, of a stage that is a table, as one frame; gaps are not among them."""
    return dg.AssetIn(key=asset_key(domain, stage), partition_mapping=window_mapping(domain.cadence), metadata={AS_WINDOW: True})


def common(domain: Domain, stage: str, *, intermediate: bool = False) -> dict[str, Any]:
    """What every asset of a stage shares: group, stage tag, code version; and the tag of one that is not kept."""
    from mlops_assets import __version__

    kind = "raw" if stage.startswith("raw_") else stage.removesuffix("_train").removesuffix("_test")
    tags = {"stage": kind, **({RETENTION: INTERMEDIATE} if intermediate else {})}
    return {"group_name": domain.name, "tags": tags, "code_version": __version__}


def frame_out(domain: Domain, stage: str, description: str, *, intermediate: bool = False) -> dg.AssetOut:
    """An output of a multi-asset that is stored as Parquet."""
    key, shared = asset_key(domain, stage), common(domain, stage, intermediate=intermediate)
    return dg.AssetOut(key=key, io_manager_key=FRAMES, description=description, kinds={"pandas", "parquet"}, **shared)


def artifact_out(domain: Domain, stage: str, description: str) -> dg.AssetOut:
    """An output of a multi-asset that is stored as a fitted artifact."""
    key = asset_key(domain, stage)
    return dg.AssetOut(key=key, io_manager_key=ARTIFACTS, description=description, kinds={"scikitlearn"}, **common(domain, stage))


def table_out(domain: Domain, stage: str, table: Table, description: str) -> dg.AssetOut:
    """An output of a multi-asset that is stored in a warehouse table."""
    key, metadata = asset_key(domain, stage), table_metadata(table)
    return dg.AssetOut(
        key=key, io_manager_key=TABLES, description=description, kinds={"pandas", "table"}, metadata=metadata, **common(domain, stage)
    )


def frame_asset(
    domain: Domain,
    stage: str,
    description: str,
    kinds: Collection[str] = ("pandas", "parquet"),
    *,
    intermediate: bool = False,
    **options: Any,
) -> Decorator:
    """`@dg.asset` for a stage that is stored as Parquet; `options` are those of `dg.asset`."""
    return _asset(domain, stage, description, FRAMES, kinds, options, intermediate=intermediate)


def artifact_asset(domain: Domain, stage: str, description: str, **options: Any) -> Decorator:
    """`@dg.asset` for a stage that is stored as a fitted artifact; `options` are those of `dg.asset`."""
    return _asset(domain, stage, description, ARTIFACTS, ("scikitlearn",), options)


def table_asset(domain: Domain, stage: str, table: Table, description: str, **options: Any) -> Decorator:
    """`@dg.asset` for a stage that is stored in a warehouse table; `options` are those of `dg.asset`."""
    return _asset(domain, stage, description, TABLES, ("pandas", "table"), {"metadata": table_metadata(table), **options})


def _asset(
    domain: Domain,
    stage: str,
    description: str,
    io_manager: str,
    kinds: Collection[str],
    options: dict[str, Any],
    *,
    intermediate: bool = False,
) -> Decorator:
    decorator: Decorator = dg.asset(
        key=asset_key(domain, stage),
        io_manager_key=io_manager,
        description=description,
        kinds=set(kinds),
        partitions_def=partitions_of(domain.cadence),
        **common(domain, stage, intermediate=intermediate),
        **options,
    )
    return decorator
