"""The whole lineage, raw to champion, through real Parquet, real MLflow and the sandbox over HTTP."""

import re
from collections.abc import Iterator

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.cli.lake import intermediate_assets
from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.factories.automation import failure_text
from mlops_assets.ml import registry
from mlops_assets.ml.chain import raw_records
from mlops_assets.resources.socrata import SocrataResource
from mlops_assets.sandbox.socrata import SocrataSandbox
from mlops_assets_tests.platform import Platform

MONTHS = [f"2017-{month:02d}" for month in range(1, 13)]
CHEAP_SEARCH = {"model": {"trials": 3}}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SocrataSandbox]:
    """A portal of few crimes."""
    with SocrataSandbox(rows_per_month=500) as running:
        yield running


@pytest.fixture(scope="module")
def platform(sandbox: SocrataSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One platform whose year 2017 is ingested and trained once."""
    home = tmp_path_factory.mktemp("plat form")
    with dg.instance_for_test(temp_dir=str(home)) as instance:
        platform = Platform(CHICAGO_CRIME, home, instance, {"socrata": SocrataResource(url=sandbox.url, attempts=1)})
        assert platform.ingest(MONTHS[0], MONTHS[-1]).success
        assert platform.train("2017-12", CHEAP_SEARCH).success
        yield platform


def test_lineage_ends_with_a_champion_that_traces_back_to_the_raw_months(platform: Platform) -> None:
    client = registry.connect(platform.tracking_uri)
    trace = registry.trace(client, "chicago_crime@champion")

    assert trace.provenance.partition == "2017-12"
    assert list(trace.provenance.upstream["chicago_crime/raw_crimes"]) == MONTHS
    for month in MONTHS:
        stamp = platform.lake.stamp("chicago_crime/raw_crimes", month)
        assert stamp is not None
        assert trace.provenance.upstream["chicago_crime/raw_crimes"][month] == stamp.data_version
        assert platform.data_versions()["chicago_crime/raw_crimes", month] == stamp.data_version
        using = registry.versions_using(client, "chicago_crime/raw_crimes", month)
        assert [str(version.version) for version in using] == [str(trace.version)]
    assert registry.versions_using(client, "chicago_crime/raw_crimes", "2016-12") == []


def test_registered_model_given_raw_records_repeats_the_lineage(platform: Platform) -> None:
    registry.connect(platform.tracking_uri)
    test, expected = platform.frame("split_test", "2017-12"), platform.frame("test_predictions", "2017-12")

    answer = registry.load("models:/chicago_crime@champion").predict(raw_records(test, CHICAGO_CRIME))

    assert isinstance(answer, pd.DataFrame)
    assert (answer["probability"].to_numpy() - expected["probability"].to_numpy()).max() < 1e-9
    assert answer["label"].to_numpy().tolist() == expected["label"].to_numpy().tolist()
    assert test["id"].tolist() == expected["id"].tolist()


def test_registered_model_takes_dictionaries_with_nulls_and_unseen_categories(platform: Platform) -> None:
    registry.connect(platform.tracking_uri)
    model = registry.load("models:/chicago_crime@champion")

    sparse = {"date": "2018-01-31T23:59:59.000"}
    answer = model.predict([sparse, {**sparse, "iucr": "never seen", "ward": None, "domestic": None}])

    assert isinstance(answer, pd.DataFrame)
    assert answer["probability"].between(0, 1).all()


def test_search_trials_and_pictures_are_in_mlflow(platform: Platform) -> None:
    client = registry.connect(platform.tracking_uri)
    trace = registry.trace(client, "chicago_crime@champion")
    run = client.get_run(trace.run_id)
    nested = client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{trace.run_id}'")

    assert run.info.status == "FINISHED"
    assert run.data.tags["dagster_run_id"] == trace.provenance.dagster_run_id
    assert sorted(child.data.params["candidate"] for child in nested) == ["plain", "reference", "target"]
    assert {artifact.path for artifact in client.list_artifacts(trace.run_id, "figures")} == {
        f"figures/{name}.png" for name in ("calibration", "candidates", "confusion_matrix", "feature_importance", "pr_curve")
    }
    assert {"test_roc_auc", "random_split_roc_auc", "temporal_split_roc_auc"} <= set(run.data.metrics)


def test_a_second_identical_run_changes_no_data_version_and_registers_nothing(platform: Platform, sandbox: SocrataSandbox) -> None:
    before, client = platform.data_versions(), registry.connect(platform.tracking_uri)
    versions = len(registry.versions(client, "chicago_crime"))
    sandbox.reset_stats()

    assert platform.ingest(MONTHS[0], MONTHS[-1]).success
    assert platform.train("2017-12", CHEAP_SEARCH).success

    assert platform.data_versions() == before
    assert len(registry.versions(client, "chicago_crime")) == versions
    assert sandbox.stats().get("ijzp-q8t2", {}).get("months", {}) == {}


def test_what_has_expired_is_no_news_and_comes_back_with_the_next_training(platform: Platform) -> None:
    repository = platform.defs.get_repository_def()
    sensor = repository.get_sensor_def("chicago_crime_new_data_sensor")

    def asked(cursor: str | None) -> dg.SensorEvaluationContext:
        return dg.build_sensor_context(platform.instance, cursor=cursor, repository_def=repository)

    first = asked(None)
    assert len(sensor.evaluate_tick(first).run_requests or []) == 1
    before, client = platform.data_versions(), registry.connect(platform.tracking_uri)
    versions = len(registry.versions(client, "chicago_crime"))
    objects = [f"{asset}/2017-12.parquet" for asset in intermediate_assets(platform.defs) if asset.startswith("chicago_crime/")]
    for key in objects:
        assert platform.lake.lake.exists(key)
        platform.lake.lake.delete(key)

    assert sensor.evaluate_tick(asked(first.cursor)).run_requests == []
    alone = platform.defs.resolve_job_def("chicago_crime_training").execute_in_process(
        instance=platform.instance,
        partition_key="2017-12",
        asset_selection=[dg.AssetKey(["chicago_crime", "split_comparison"])],
        raise_on_error=False,
    )
    (failed,) = [event.step_failure_data for event in alone.all_events if event.is_step_failure]
    assert re.match(r"chicago_crime/split_(train|test) is not stored for 2017-12. Materialize it first", failure_text(failed))
    assert platform.train("2017-12", CHEAP_SEARCH).success

    assert [key for key in objects if not platform.lake.lake.exists(key)] == []
    assert platform.data_versions() == before
    assert len(registry.versions(client, "chicago_crime")) == versions


def test_a_worse_challenger_stays_challenger(platform: Platform) -> None:
    client = registry.connect(platform.tracking_uri)
    champion = registry.resolve(client, "chicago_crime@champion")
    few_rows = {"model": {"trials": 0}, "outliers_removed": {"deviations": 0.05}}

    result = platform.train("2017-12", few_rows, raise_on_error=False)

    verdict = next(item for item in result.get_asset_check_evaluations() if item.check_name == "challenger_beats_champion")
    assert not result.success
    assert not verdict.passed
    assert "average_precision" in str(verdict.description)
    assert registry.resolve(client, "chicago_crime@champion").version == champion.version
    assert registry.resolve(client, "chicago_crime@challenger").version != champion.version
    assert platform.frame("champion", "2017-12")["version"].tolist() == [str(champion.version)]
