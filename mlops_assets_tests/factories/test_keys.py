"""The naming grammar: keys, groups, tags and IO managers of a domain's stages."""

from typing import Any

import dagster as dg

from mlops_assets import __version__
from mlops_assets.domain import TabularDomain
from mlops_assets.factories.keys import artifact_asset, artifact_out, asset_in, asset_key, frame_asset, frame_out
from mlops_assets.partitions import partitions_of


def test_key_is_domain_and_stage(toy: TabularDomain) -> None:
    assert asset_key(toy, "enriched") == dg.AssetKey(["toy", "enriched"])
    assert asset_key(toy, "split_train") == dg.AssetKey(["toy", "split_train"])
    assert asset_in(toy, "split_train").key == dg.AssetKey(["toy", "split_train"])


def _about(asset: dg.AssetsDefinition) -> dict[str, Any]:
    (spec,) = asset.specs
    return {
        "key": spec.key.to_user_string(),
        "description": spec.description,
        "group": spec.group_name,
        "stage": spec.tags["stage"],
        "kinds": spec.kinds,
        "code": spec.code_version,
        "io_manager": asset.get_io_manager_key_for_asset_key(spec.key),
    }


def test_frame_asset_carries_what_every_stage_shares(toy: TabularDomain) -> None:
    @frame_asset(toy, "outliers_removed", "Rows without outliers.", deps=["other"], pool="downloads")
    def outliers() -> None: ...

    assert _about(outliers) == {
        "key": "toy/outliers_removed",
        "description": "Rows without outliers.",
        "group": "toy",
        "stage": "outliers_removed",
        "kinds": {"pandas", "parquet"},
        "code": __version__,
        "io_manager": "frames",
    }
    assert outliers.partitions_def == partitions_of(toy.cadence)
    assert outliers.op.pool == "downloads"
    assert outliers.dependency_keys == {dg.AssetKey("other")}


def test_artifact_asset_differs_by_format_only(toy: TabularDomain) -> None:
    @frame_asset(toy, "model", "A model.")
    def frame() -> None: ...

    @artifact_asset(toy, "model", "A model.")
    def artifact() -> None: ...

    assert _about(artifact) == {**_about(frame), "io_manager": "artifacts", "kinds": {"scikitlearn"}}
    assert artifact.partitions_def == frame.partitions_def


def test_kinds_of_a_frame_asset_can_be_named(toy: TabularDomain) -> None:
    @frame_asset(toy, "champion", "The champion.", kinds={"mlflow"})
    def champion() -> None: ...

    assert _about(champion)["kinds"] == {"mlflow"}


def test_outputs_of_a_multi_asset_follow_the_same_grammar(toy: TabularDomain) -> None:
    @dg.multi_asset(
        outs={"train": frame_out(toy, "encoded_train", "Rows."), "encoder": artifact_out(toy, "encoder", "Encoder.")},
        partitions_def=partitions_of(toy.cadence),
    )
    def encoded() -> tuple[Any, Any]:
        return None, None

    @frame_asset(toy, "encoded_train", "Rows.")
    def train() -> None: ...

    @artifact_asset(toy, "encoder", "Encoder.")
    def encoder() -> None: ...

    for alone in (train, encoder):
        (expected,) = alone.specs
        spec = encoded.get_asset_spec(expected.key)
        for name in ("description", "group_name", "tags", "kinds", "code_version"):
            assert getattr(spec, name) == getattr(expected, name), name
        assert encoded.get_io_manager_key_for_asset_key(spec.key) == alone.get_io_manager_key_for_asset_key(spec.key)
