"""The naming grammar of assets: keys, inputs and outputs of a domain's stages, so that no factory spells them out."""

from collections.abc import Callable, Collection
from typing import Any

import dagster as dg

from mlops_assets.domain import Domain
from mlops_assets.partitions import partitions_of

FRAMES = "frames"
ARTIFACTS = "artifacts"

Decorator = Callable[[Callable[..., Any]], dg.AssetsDefinition]


def asset_key(domain: Domain, stage: str) -> dg.AssetKey:
    """`split_train` -> AssetKey([domain, split_train]). Two parts, because the UI shows the last one only."""
    return dg.AssetKey([domain.name, stage])


def asset_in(domain: Domain, stage: str) -> dg.AssetIn:
    """The same partition of another stage."""
    return dg.AssetIn(key=asset_key(domain, stage))


def common(domain: Domain, stage: str) -> dict[str, Any]:
    """What every asset of a stage shares: group, stage tag, code version."""
    from mlops_assets import __version__

    kind = "raw" if stage.startswith("raw_") else stage.removesuffix("_train").removesuffix("_test")
    return {"group_name": domain.name, "tags": {"stage": kind}, "code_version": __version__}


def frame_out(domain: Domain, stage: str, description: str) -> dg.AssetOut:
    """An output of a multi-asset that is stored as Parquet."""
    key = asset_key(domain, stage)
    return dg.AssetOut(key=key, io_manager_key=FRAMES, description=description, kinds={"pandas", "parquet"}, **common(domain, stage))


def artifact_out(domain: Domain, stage: str, description: str) -> dg.AssetOut:
    """An output of a multi-asset that is stored as a fitted artifact."""
    key = asset_key(domain, stage)
    return dg.AssetOut(key=key, io_manager_key=ARTIFACTS, description=description, kinds={"scikitlearn"}, **common(domain, stage))


def frame_asset(domain: Domain, stage: str, description: str, kinds: Collection[str] = ("pandas", "parquet"), **options: Any) -> Decorator:
    """`@dg.asset` for a stage that is stored as Parquet; `options` are those of `dg.asset`."""
    return _asset(domain, stage, description, FRAMES, kinds, options)


def artifact_asset(domain: Domain, stage: str, description: str, **options: Any) -> Decorator:
    """`@dg.asset` for a stage that is stored as a fitted artifact; `options` are those of `dg.asset`."""
    return _asset(domain, stage, description, ARTIFACTS, ("scikitlearn",), options)


def _asset(domain: Domain, stage: str, description: str, io_manager: str, kinds: Collection[str], options: dict[str, Any]) -> Decorator:
    decorator: Decorator = dg.asset(
        key=asset_key(domain, stage),
        io_manager_key=io_manager,
        description=description,
        kinds=set(kinds),
        partitions_def=partitions_of(domain.cadence),
        **common(domain, stage),
        **options,
    )
    return decorator
