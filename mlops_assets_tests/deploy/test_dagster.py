"""Dagster's own settings, of this checkout and of a deployment, as real instances: where they keep what, and which runs wait for which."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import pytest
import yaml
from dagster._core.events import RunFailureReason
from dagster._core.execution.retries import auto_reexecution_should_retry_run
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from mlops_assets.definitions import default_resources, defs
from mlops_assets.factories.automation import RETRIED, RETRIED_CRASH
from mlops_assets.factories.keys import TRAINING
from mlops_assets.factories.pools import announce_pools, pools_of
from mlops_assets.settings import PROJECT_DIR
from mlops_assets.storage.buckets.plan import COMPUTE_LOGS
from mlops_assets_tests.storage.conftest import s3_environment, s3_server  # noqa: F401  # fixtures

DEPLOYMENT = PROJECT_DIR / "deploy" / "dagster"
OWN = ("storage", "compute_logs")
"""What each of the two keeps elsewhere."""
UPSTREAMS = ("socrata", "forest_api", "donostia_api")
RUN_STATUS = dg.DagsterRunStatus
CODE = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="mlops_assets.definitions"), location_name="mlops_assets")


def _settings(path: Path) -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load((path / "dagster.yaml").read_text())
    return settings


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance by the checkout's settings, that launches runs by noting them."""
    monkeypatch.setenv("MLOPS_DAGSTER_DIR", str(tmp_path / "dagster"))
    launcher = {"module": "dagster._core.test_utils", "class": "MockedRunLauncher"}
    with dg.instance_for_test(overrides={**_settings(PROJECT_DIR), "run_launcher": launcher}, temp_dir=str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def logs_bucket(s3_environment: str) -> str:  # noqa: F811  # the fixture's name
    boto3.client("s3").create_bucket(Bucket="logs")
    return "logs"


def test_what_both_say_is_the_same() -> None:
    local, deployed = _settings(PROJECT_DIR), _settings(DEPLOYMENT)
    local["run_retries"]["max_retries"] = deployed["run_retries"]["max_retries"]

    assert local.keys() == deployed.keys()
    assert {key: value for key, value in local.items() if key not in OWN} == {
        key: value for key, value in deployed.items() if key not in OWN
    }


def test_deployment_keeps_runs_in_postgresql_and_their_output_in_the_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql_url: str, logs_bucket: str
) -> None:
    folder = tmp_path / "on its way"
    for name, value in {
        "MLOPS_DAGSTER_STORAGE_URL": postgresql_url,
        "MLOPS_COMPUTE_LOGS_BUCKET": logs_bucket,
        "MLOPS_DAGSTER_DIR": str(folder),
    }.items():
        monkeypatch.setenv(name, value)

    @dg.asset
    def talking() -> None:
        print("what the run says")  # noqa: T201

    for attempt in ("first", "again"):  # the second one finds the tables
        with dg.DagsterInstance.from_config(str(DEPLOYMENT)) as instance:
            run_id = dg.materialize([talking], instance=instance, tags={"attempt": attempt}).run_id
            assert instance.get_run_by_id(run_id).status is RUN_STATUS.SUCCESS  # type: ignore[union-attr]
            assert instance.get_runs_count() == (1 if attempt == "first" else 2)
            assert (instance.run_retries_max_retries, instance.run_retries_retry_on_asset_or_op_failure) == (2, False)

    stored = boto3.client("s3").list_objects_v2(Bucket=logs_bucket)["Contents"]
    contents = {item["Key"]: boto3.client("s3").get_object(Bucket=logs_bucket, Key=item["Key"])["Body"].read() for item in stored}
    assert {key.partition("/")[0] for key in contents} == {COMPUTE_LOGS}
    assert [body for key, body in contents.items() if run_id in key and key.endswith(".out")] == [b"what the run says\n"]
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_both_workspaces_are_the_same_location() -> None:
    (local,) = yaml.safe_load((PROJECT_DIR / "workspace.yaml").read_text())["load_from"]
    (deployed,) = yaml.safe_load((DEPLOYMENT / "workspace.yaml").read_text())["load_from"]

    assert deployed["grpc_server"]["location_name"] == local["python_module"]["location_name"]


def test_whatever_asks_an_upstream_is_in_its_pool() -> None:
    asking = {key for key in default_resources() if key in UPSTREAMS}
    pools = {}
    for asset in defs.resolve_asset_graph().assets_defs:
        upstream = asking & asset.required_resource_keys
        pools |= {key.to_user_string(): (upstream, asset.op.pool) for key in asset.keys}

    assert asking == set(UPSTREAMS)
    assert {name: {pool} for name, (upstream, pool) in pools.items() if upstream} == {
        name: upstream for name, (upstream, _) in pools.items() if upstream
    }
    assert pools_of(defs) == {*UPSTREAMS, TRAINING}
    assert {name.partition("/")[2] for name, (_, pool) in pools.items() if pool == TRAINING} == {
        *("model", "split_comparison", "candidate_metrics"),
    }


@contextmanager
def _daemon(instance: dg.DagsterInstance) -> Iterator[Callable[[], list[str]]]:
    """Lets the daemon look at the queue once: the runs that it has launched so far."""
    daemon = QueuedRunCoordinatorDaemon(interval_seconds=1)
    with WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as workspace, daemon:

        def look() -> list[str]:
            list(daemon.run_iteration(workspace))
            return [run.run_id for run in instance.run_launcher.queue()]  # type: ignore[attr-defined]

        yield look


def _run(instance: dg.DagsterInstance, job: str, status: dg.DagsterRunStatus) -> str:
    """A run of one of the platform's jobs, as the webserver makes it."""
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(CODE, "__repository__"), job)
    definition = defs.resolve_job_def(job)
    partition = "2017-12" if job.startswith("chicago") else "2024-05-01T10" if job.startswith("donostia") else "01"
    made = instance.create_run_for_job(definition, status=status, remote_job_origin=origin, tags={"dagster/partition": partition})
    return made.run_id


def test_runs_of_one_pool_wait_for_each_other_and_for_no_other(local: dg.DagsterInstance) -> None:
    training = [_run(local, f"{name}_training", RUN_STATUS.QUEUED) for name in ("chicago_crime", "forest_cover", "donostia_parking")]
    ingests = [_run(local, "chicago_crime_ingest", RUN_STATUS.QUEUED), _run(local, "forest_cover_ingest", RUN_STATUS.QUEUED)]
    same = _run(local, "chicago_crime_ingest", RUN_STATUS.QUEUED)

    announce_pools(local, defs)
    with _daemon(local) as look:
        assert set(look()) == {training[0], *ingests}
        assert set(look()) == {training[0], *ingests}
        for ended in (training[0], ingests[0]):
            local.handle_run_event(ended, dg.DagsterEvent(event_type_value="PIPELINE_SUCCESS", job_name="x"))
        assert set(look()) == {*training[:2], *ingests, same}


def test_run_in_this_process_waits_for_no_pool_and_those_in_the_queue_wait_for_it(local: dg.DagsterInstance) -> None:
    running = _run(local, "chicago_crime_ingest", RUN_STATUS.STARTED)
    waiting = _run(local, "chicago_crime_ingest", RUN_STATUS.QUEUED)
    seen: list[list[str]] = []
    announce_pools(local, defs)

    @dg.asset(pool="socrata")
    def asking() -> None:
        local.handle_run_event(running, dg.DagsterEvent(event_type_value="PIPELINE_SUCCESS", job_name="x"))
        seen.append(look())

    with _daemon(local) as look:
        assert look() == []
        assert dg.materialize([asking], instance=local).success
        assert seen == [[]]
        assert look() == [waiting]


def test_limit_that_somebody_has_set_stays(local: dg.DagsterInstance) -> None:
    local.event_log_storage.set_concurrency_slots("socrata", 3)

    announce_pools(local, defs)

    assert {pool.name: pool.limit for pool in local.event_log_storage.get_pool_limits()} == {
        **dict.fromkeys([*UPSTREAMS, TRAINING], 1),
        "socrata": 3,
    }


@pytest.mark.parametrize(
    ("tags", "after_a_step", "after_a_crash"), [({}, False, False), (RETRIED, True, True), (RETRIED_CRASH, False, True)]
)
def test_failed_steps_are_retried_where_the_run_asks_for_it(
    local: dg.DagsterInstance, tags: dict[str, str], after_a_step: bool, after_a_crash: bool
) -> None:
    @dg.asset
    def failing() -> None:
        raise ValueError("as ever")

    run_id = dg.materialize([failing], instance=local, tags=tags, raise_on_error=False).run_id
    run = local.get_run_by_id(run_id)
    assert run

    assert run.tags["dagster/will_retry"] == str(after_a_step).lower()
    assert auto_reexecution_should_retry_run(local, run, RunFailureReason.STEP_FAILURE) is after_a_step
    assert auto_reexecution_should_retry_run(local, run, RunFailureReason.RUN_EXCEPTION) is after_a_crash
