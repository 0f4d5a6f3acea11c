"""The training factory on a system of its own: what its stages read, what run config changes, and what stops it at the start."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from mlops_assets.domain import TabularDomain
from mlops_assets.factories.training import training_assets

MONTHS = ["2017-01", "2017-02", "2017-03"]

Failures = Callable[[dg.ExecuteInProcessResult], dict[str, str]]


def _keys(assets: list[dg.AssetsDefinition]) -> list[str]:
    return [key.to_user_string() for asset in assets for key in asset.keys]


def test_every_stage_of_a_domain_is_made(toy: TabularDomain) -> None:
    assert sorted(_keys(training_assets(toy))) == sorted(
        f"toy/{stage}"
        for stage in [
            "split_train",
            "split_test",
            "outliers_removed",
            "encoder",
            "encoded_train",
            "encoded_test",
            "scaler",
            "scaled_train",
            "scaled_test",
            "balanced",
            "selected_features",
            "model",
        ]
    )


def test_only_split_reads_a_window_and_nothing_fitted_reads_the_test_rows(toy: TabularDomain) -> None:
    by_name = {asset.node_def.name: asset for asset in training_assets(toy)}

    assert {name for name, asset in by_name.items() if asset.get_partition_mapping(dg.AssetKey(["toy", "enriched"]))} == {"toy__split"}
    test_rows = dg.AssetKey(["toy", "split_test"])
    assert {name for name, asset in by_name.items() if test_rows in asset.keys_by_input_name.values()} == {"toy__encoded"}
    for stage in ("toy__outliers_removed", "toy__balanced", "toy__selected_features", "toy__model"):
        assert not [key for key in by_name[stage].keys_by_input_name.values() if key.path[-1] == "test"], stage


@pytest.fixture
def ingested(workshop: Any, toy_ingest: list[Any]) -> Any:
    """Three months are stored."""
    for month in MONTHS:
        assert workshop.materialize(toy_ingest, month).success
    return workshop


def test_training_of_another_system_ends_with_a_model(ingested: Any, toy: TabularDomain, toy_ingest: list[Any]) -> None:
    training = training_assets(toy)
    result = ingested.materialize([*toy_ingest, *training], "2017-03", selection=training)

    assert result.success
    rows = {stage: len(ingested.frame(f"toy/{stage}", "2017-03")) for stage in ("split_train", "split_test", "encoded_test", "scaled_test")}
    assert rows == {"split_train": 288, "split_test": 72, "encoded_test": 72, "scaled_test": 72}
    assert ingested.lake.partitions("toy/model") == ["2017-03"]
    stamp = ingested.lake.stamp("toy/model", "2017-03")
    assert list(stamp.lineage["toy/enriched"]) == MONTHS
    (model,) = result.asset_materializations_for_node("toy__model")
    assert model.metadata["candidate"].value == "plain"
    assert model.metadata["mlflow_run"].value.startswith("http")


def test_run_config_changes_the_split_of_one_run(ingested: Any, toy: TabularDomain, toy_ingest: list[Any]) -> None:
    (split, *_) = training_assets(toy)
    config = {"ops": {"toy__split": {"config": {"kind": "temporal", "test_share": 0.5}}}}

    assert ingested.materialize([*toy_ingest, split], "2017-03", selection=[split], run_config=config).success

    train, test = ingested.frame("toy/split_train", "2017-03"), ingested.frame("toy/split_test", "2017-03")
    assert train["occurred_at"].max() < test["occurred_at"].min()
    assert 180 <= len(test) < 200


def test_run_config_that_no_split_has_is_refused(toy: TabularDomain, toy_ingest: list[Any], workshop: Any) -> None:
    (split, *_) = training_assets(toy)
    config = {"ops": {"toy__split": {"config": {"kind": "alphabetical"}}}}

    with pytest.raises(dg.DagsterInvalidConfigError, match="alphabetical"):
        workshop.materialize([*toy_ingest, split], "2017-03", selection=[split], run_config=config)


def test_training_before_the_first_whole_window_stops_at_the_split(
    ingested: Any, toy: TabularDomain, toy_ingest: list[Any], failures: Failures
) -> None:
    training = training_assets(toy)
    result = ingested.materialize([*toy_ingest, *training], "2017-02", selection=training)

    found = failures(result)
    assert list(found) == ["toy__split"]
    assert "training reads 3 partitions, but only 2 exist up to 2017-02; the first partition is 2017-01" in found["toy__split"]
    assert ingested.lake.partitions("toy/split_train") == []
    assert ingested.client.get_experiment_by_name("toy") is None


def test_training_with_a_missing_month_names_it_and_how_to_get_it(
    workshop: Any, toy: TabularDomain, toy_ingest: list[Any], failures: Failures
) -> None:
    for month in ("2017-01", "2017-03"):
        assert workshop.materialize(toy_ingest, month).success
    training = training_assets(toy)

    found = failures(workshop.materialize([*toy_ingest, *training], "2017-03", selection=training))

    assert list(found) == ["toy__split"]
    assert "toy/enriched is not stored for 2017-02. Materialize it first: dg launch" in found["toy__split"]
