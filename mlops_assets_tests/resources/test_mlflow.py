"""Tests of the MLflow resource: real Dagster runs, real MLflow on SQLite."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.resources.mlflow import MlflowResource

EXPERIMENT = "chicago_crime"
PARTITIONS = dg.StaticPartitionsDefinition(["2017-11", "2017-12"])


@pytest.fixture
def new_uri(tmp_path: Path) -> str:
    """A database that does not exist yet, in a folder that does not exist yet."""
    return f"sqlite:///{tmp_path / 'a folder' / 'mlflow.db'}"


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables; making them takes a second."""
    from mlops_assets.ml.registry import connect

    database = tmp_path_factory.mktemp("empty") / "mlflow.db"
    connect(f"sqlite:///{database}")
    return database


@pytest.fixture
def tracking_uri(tmp_path: Path, empty_database: Path) -> str:
    """A database of the test's own."""
    database = tmp_path / "a folder" / "mlflow.db"
    database.parent.mkdir()
    shutil.copy(empty_database, database)
    return f"sqlite:///{database}"


@dg.asset
def nothing_tracked(mlflow: MlflowResource) -> None:
    """Requires the resource and does not use it."""


@dg.asset(partitions_def=PARTITIONS)
def tracked(mlflow: MlflowResource) -> dg.MaterializeResult[Any]:
    """Logs one of everything."""
    run = mlflow.run(EXPERIMENT)
    run.log_metrics({"average_precision": 0.75})
    run.log_params({"candidate": "target"})
    run.set_tags({"stage": "model"})
    run.log_figure_bytes("pr_curve", b"\x89PNG")
    for number in range(2):
        with run.trial(number, {"max_depth": number}) as metrics:
            metrics["value"] = number / 2
    assert mlflow.run(EXPERIMENT) == run
    return dg.MaterializeResult(metadata={"run_id": run.run_id, "url": run.url})


@dg.asset(deps=[tracked], partitions_def=PARTITIONS)
def broken(mlflow: MlflowResource) -> None:
    """Fails after the run was opened, inside a trial."""
    with mlflow.run(EXPERIMENT).trial(2, {"max_depth": 9}):
        raise ValueError("no luck")


@dg.asset
def terminated(context: dg.AssetExecutionContext, mlflow: MlflowResource) -> None:
    """Is told to stop after the run was opened."""
    mlflow.run(EXPERIMENT)
    context.instance.report_run_canceling(context.run)


@dg.asset
def two_experiments(mlflow: MlflowResource) -> None:
    """Tracks in two experiments."""
    mlflow.run("one").log_metrics({"m": 1})
    mlflow.run("two").log_metrics({"m": 2})
    mlflow.run("one").log_metrics({"n": 3})


def _materialize(assets: list[dg.AssetsDefinition], tracking_uri: str, **options: Any) -> dg.ExecuteInProcessResult:
    return dg.materialize(assets, resources={"mlflow": MlflowResource(tracking_uri=tracking_uri)}, raise_on_error=False, **options)


def _runs(tracking_uri: str, *experiments: str) -> list[Any]:
    from mlops_assets.ml.registry import connect

    client = connect(tracking_uri)
    ids = [client.get_experiment_by_name(name).experiment_id for name in experiments]
    return client.search_runs(ids, order_by=["attributes.start_time ASC"])


def _parents(tracking_uri: str) -> list[Any]:
    return [run for run in _runs(tracking_uri, EXPERIMENT) if "mlflow.parentRunId" not in run.data.tags]


def test_run_carries_what_the_assets_logged(new_uri: str, tmp_path: Path) -> None:
    result = _materialize([tracked], new_uri, partition_key="2017-12")

    assert result.success
    run, *trials = _runs(new_uri, EXPERIMENT)
    metadata = result.asset_materializations_for_node("tracked")[0].metadata
    assert metadata["run_id"].value == run.info.run_id
    assert metadata["url"].value == f"http://127.0.0.1:5000/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
    assert run.info.status == "FINISHED"
    assert run.info.end_time is not None
    assert run.info.run_name == f"{EXPERIMENT} 2017-12"
    assert run.data.tags["dagster_run_id"] == result.run_id
    assert run.data.tags["dagster_run_url"].endswith(f"/runs/{result.run_id}")
    assert run.data.tags["stage"] == "model"
    assert run.data.metrics == {"average_precision": 0.75}
    assert run.data.params == {"candidate": "target"}
    pictures = list((tmp_path / "a folder" / "artifacts").rglob("figures/pr_curve.png"))
    assert [picture.read_bytes() for picture in pictures] == [b"\x89PNG"]
    assert [(trial.data.tags["mlflow.parentRunId"], trial.data.tags["trial"], trial.info.status) for trial in trials] == [
        (run.info.run_id, "0", "FINISHED"),
        (run.info.run_id, "1", "FINISHED"),
    ]
    assert [trial.data.params for trial in trials] == [{"max_depth": "0"}, {"max_depth": "1"}]
    assert [trial.data.metrics for trial in trials] == [{"value": 0.0}, {"value": 0.5}]


def test_run_of_a_failing_job_is_failed(tracking_uri: str) -> None:
    result = _materialize([tracked, broken], tracking_uri, partition_key="2017-12")

    assert not result.success
    run, *trials = _runs(tracking_uri, EXPERIMENT)
    assert run.info.status == "FAILED"
    assert run.info.end_time is not None
    assert [trial.info.status for trial in trials] == ["FINISHED", "FINISHED", "FAILED"]


def test_run_of_a_terminated_job_is_killed(tracking_uri: str) -> None:
    _materialize([terminated], tracking_uri)

    assert [run.info.status for run in _runs(tracking_uri, EXPERIMENT)] == ["KILLED"]


def test_every_dagster_run_has_a_run_of_its_own(tracking_uri: str) -> None:
    failed = _materialize([tracked, broken], tracking_uri, partition_key="2017-11")
    succeeded = _materialize([tracked], tracking_uri, partition_key="2017-12")

    statuses = {run.data.tags["dagster_run_id"]: run.info.status for run in _parents(tracking_uri)}
    assert statuses == {failed.run_id: "FAILED", succeeded.run_id: "FINISHED"}


def test_run_of_a_named_job_and_a_range_is_called_after_them(tracking_uri: str) -> None:
    defs = dg.Definitions(
        assets=[tracked.with_attributes(backfill_policy=dg.BackfillPolicy.single_run())],
        jobs=[dg.define_asset_job("chicago_crime_training", selection="tracked")],
        resources={"mlflow": MlflowResource(tracking_uri=tracking_uri)},
    )
    tags = {"dagster/asset_partition_range_start": "2017-11", "dagster/asset_partition_range_end": "2017-12"}

    assert defs.resolve_job_def("chicago_crime_training").execute_in_process(tags=tags).success

    assert _runs(tracking_uri, EXPERIMENT)[0].info.run_name == "chicago_crime_training 2017-11...2017-12"


def test_two_experiments_of_one_dagster_run_stay_apart(tracking_uri: str) -> None:
    result = _materialize([two_experiments], tracking_uri)

    one, two = _runs(tracking_uri, "one", "two")
    assert (one.data.metrics, two.data.metrics) == ({"m": 1, "n": 3}, {"m": 2})
    assert {run.data.tags["dagster_run_id"] for run in (one, two)} == {result.run_id}
    assert [run.info.status for run in (one, two)] == ["FINISHED", "FINISHED"]


def test_resource_that_is_not_used_leaves_nothing(new_uri: str, tmp_path: Path) -> None:
    assert _materialize([nothing_tracked], new_uri).success

    assert not list(tmp_path.iterdir())


def test_default_database_and_artifacts_stand_under_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "my home"
    monkeypatch.setenv("MLOPS_HOME", str(home))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")

    assert dg.materialize([tracked], resources={"mlflow": MlflowResource()}, partition_key="2017-12").success

    assert sorted(path.name for path in (home / "mlflow").iterdir()) == ["artifacts", "mlflow.db", "mlflow.db.lock"]
    assert list((home / "mlflow" / "artifacts").rglob("pr_curve.png"))


def test_module_does_not_import_mlflow() -> None:
    code = "import sys, mlops_assets.resources.mlflow; print({'mlflow', 'dagster_mlflow', 'pandas'} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_two_processes_make_one_database_together(new_uri: str) -> None:
    command = [sys.executable, __file__, new_uri]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    results = [(process.communicate(timeout=120), process.returncode) for process in processes]

    assert [code for _, code in results] == [0, 0], results
    assert [run.info.status for run in _parents(new_uri)] == ["FINISHED", "FINISHED"]


if __name__ == "__main__":
    sys.exit(not _materialize([tracked], sys.argv[1], partition_key="2017-12").success)
