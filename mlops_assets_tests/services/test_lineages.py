"""Whole lineages, upstream to served champion, on S3, PostgreSQL and an MLflow server: as they are locally, by settings alone."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import pytest
import requests

from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.domains.forest_cover.spec import FOREST_COVER, SAMPLES
from mlops_assets.ml import registry
from mlops_assets.monitoring import PARTITION_ROWS
from mlops_assets.resources.forest_api import ForestApiResource
from mlops_assets.sandbox.forest_cover import ForestCoverSandbox
from mlops_assets.sandbox.socrata import SocrataSandbox
from mlops_assets.settings import PROJECT_DIR
from mlops_assets.storage.io_managers import FrameIOManager
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.warehouse import Warehouse
from mlops_assets_tests.platform import Platform
from mlops_assets_tests.running_api import running
from mlops_assets_tests.services.ceph import CephGateway
from mlops_assets_tests.services.command import Command
from mlops_assets_tests.services.mlflow_server import MlflowServer
from mlops_assets_tests.services.postgresql import PostgresqlServer

pytestmark = pytest.mark.services

DEPLOYED_INSTANCE = PROJECT_DIR / "deploy" / "dagster"
CRIMES = "ijzp-q8t2"
BUCKET = "lake"
LAKE = f"s3://{BUCKET}/assets"
OF_ONE_RUN = frozenset({"registered_model", "champion"})
"""Stages that say which run of MLflow's they come from, so that no two are alike."""
BATCHES = ("01", "02")
FOREST_ROWS = 3000
"""Of a batch."""
ONE_MODEL = {"model": {"trials": 0}}
"""The first candidate as it stands."""


class Ran(NamedTuple):
    """Where `mlops-assets run` has been, and how it ended."""

    lake: LakeResource
    warehouse: Warehouse
    tracking_uri: str
    code: int
    output: str

    def objects(self) -> dict[str, str]:
        """Key -> data version of all that is stored of Chicago, but for what names MLflow's run."""
        found = {}
        for folder in self.lake.lake.keys(CHICAGO_CRIME.name):
            if folder.rsplit("/", 1)[-1] in OF_ONE_RUN:
                continue
            for partition in self.lake.partitions(folder):
                stamp = self.lake.stamp(folder, partition)
                assert stamp, folder
                found[f"{folder}/{partition}"] = stamp.data_version
        return found


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the exports of a portal that has few crimes."""
    folder = tmp_path_factory.mktemp("exports")
    with SocrataSandbox(rows_per_month=500, today=date(2018, 1, 1)) as portal:
        asked = {"$where": "date >= '2017-01-01T00:00:00'", "$order": "id", "$limit": "50000"}
        (folder / "crimes.json").write_bytes(requests.get(f"{portal.url}/resource/{CRIMES}.json", params=asked, timeout=60).content)
    return folder


@pytest.fixture(scope="module")
def settings(ceph: CephGateway, postgresql: PostgresqlServer, mlflow_server: MlflowServer) -> dict[str, str]:
    """All that leads the platform to the servers."""
    ceph.make_bucket(BUCKET)
    addresses = {"MLOPS_LAKE_URI": LAKE, "MLOPS_WAREHOUSE_URL": postgresql.database("warehouse"), "MLFLOW_TRACKING_URI": mlflow_server.url}
    return {**addresses, **ceph.environment}


@pytest.fixture(scope="module")
def ran(exports: Path, settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ran, Ran]]:
    """The main job on the servers, and at the same time locally."""
    home, local_home = tmp_path_factory.mktemp("remote"), tmp_path_factory.mktemp("local")
    arguments = ("run", CHICAGO_CRIME.name, "--replay", str(exports))
    commands = Command(home, *arguments, environment=settings), Command(local_home, *arguments)
    codes = [command.wait() for command in commands]
    with pytest.MonkeyPatch.context() as environment:
        for name, value in settings.items():
            environment.setenv(name, value)
        remote = Ran(
            LakeResource(uri=LAKE),
            Warehouse(settings["MLOPS_WAREHOUSE_URL"]),
            settings["MLFLOW_TRACKING_URI"],
            codes[0],
            commands[0].output,
        )
        local = Ran(
            LakeResource(uri=str(local_home / "lake")),
            Warehouse(f"duckdb:///{local_home / 'warehouse.duckdb'}"),
            f"sqlite:///{local_home / 'mlflow' / 'mlflow.db'}",
            codes[1],
            commands[1].output,
        )
        yield remote, local


def test_main_job_on_the_servers_ends_as_it_does_locally(ran: tuple[Ran, Ran]) -> None:
    remote, local = ran

    assert (remote.code, local.code) == (0, 0), remote.output + local.output
    assert remote.objects() == local.objects() != {}
    assert _counts(remote.warehouse) == _counts(local.warehouse) != []
    champions = [registry.trace(registry.connect(one.tracking_uri), "chicago_crime@champion") for one in ran]
    assert champions[0].provenance.upstream == champions[1].provenance.upstream
    assert champions[0].provenance.metrics == champions[1].provenance.metrics != {}


def test_objects_and_tables_are_there_to_see(
    ran: tuple[Ran, Ran], settings: dict[str, str], ceph: CephGateway, postgresql: PostgresqlServer, mlflow_server: MlflowServer
) -> None:
    lake = Path(ran[1].lake.lake.uri)

    assert set(ceph.objects(BUCKET)) == {f"assets/{path.relative_to(lake)}" for path in lake.rglob("*") if path.is_file()}
    asked = "SELECT DISTINCT model, version, is_champion FROM model_versions WHERE system = 'chicago_crime'"
    assert postgresql.ask(asked, settings["MLOPS_WAREHOUSE_URL"]) == [(CHICAGO_CRIME.model_name, 1, True)]
    files = ceph.objects("mlflow", "artifacts/")
    assert any(key.endswith("/pr_curve.png") for key in files)
    assert any(key.endswith("/MLmodel") for key in files)


def test_champion_is_served_from_the_servers(ran: tuple[Ran, Ran], settings: dict[str, str], tmp_path: Path) -> None:
    record = {field.name: field.example for field in CHICAGO_CRIME.request}
    answers = []
    for one in ran:
        with running(one.tracking_uri, tmp_path, [CHICAGO_CRIME], mlops_lake_uri=one.lake.lake.uri) as api:
            api.until_ok()
            answers.append(api.post(f"/models/{CHICAGO_CRIME.name}/predict", json={"records": [record]}).json()["predictions"])

    assert answers[0] == answers[1] != []


@pytest.fixture(scope="module")
def forest(
    settings: dict[str, str], postgresql: PostgresqlServer, mlflow_server: MlflowServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Platform, Platform]]:
    """Forest cover with the Dagster instance of a deployment, trained while MLflow restarts, and its ingest locally."""
    home = tmp_path_factory.mktemp("forest")
    own = {
        "MLOPS_DAGSTER_STORAGE_URL": postgresql.database("dagster"),
        "MLOPS_COMPUTE_LOGS_BUCKET": BUCKET,
        "MLOPS_DAGSTER_DIR": str(home),
    }
    places = {"warehouse_url": settings["MLOPS_WAREHOUSE_URL"], "lake_uri": LAKE, "tracking_uri": settings["MLFLOW_TRACKING_URI"]}

    class RestartingFrames(FrameIOManager):
        """MLflow restarts once the challenger is registered."""

        def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
            super().handle_output(context, obj)
            if context.asset_key.path[-1] == "registered_model":
                mlflow_server.stop()
                mlflow_server.start()

    with ExitStack() as stack:
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in {**settings, **own}.items():
            environment.setenv(name, value)
        instances = dg.DagsterInstance.from_config(str(DEPLOYED_INSTANCE)), dg.DagsterInstance.ephemeral()
        platforms = []
        for instance, where in zip(instances, (places, {}), strict=True):
            stack.enter_context(instance)
            # Every call of the API gives the next batch, so each platform has an API of its own.
            api = stack.enter_context(ForestCoverSandbox(batch_seconds=0, batch_rows=FOREST_ROWS, whole_batches=True))
            resources: dict[str, Any] = {"forest_api": ForestApiResource(url=api.url, attempts=1)}
            if where:
                resources["frames"] = RestartingFrames(lake=LakeResource(uri=LAKE))
            platforms.append(Platform(FOREST_COVER, home, instance, resources, **where))
            assert platforms[-1].ingest(*BATCHES).success
        remote, local = platforms
        assert remote.train(BATCHES[-1], ONE_MODEL).success
        yield remote, local


def test_forests_lineage_on_the_servers_has_the_local_rows(forest: tuple[Platform, Platform], postgresql: PostgresqlServer) -> None:
    remote, local = (platform.warehouse.warehouse.rows(SAMPLES).drop_columns(["first_seen_at"]) for platform in forest)

    assert remote.equals(local)
    assert postgresql.ask("SELECT count(*) FROM forest_cover_samples", forest[0].warehouse.url) == [(remote.num_rows,)]


def test_deployments_dagster_keeps_runs_in_postgresql_and_their_output_in_the_bucket(
    forest: tuple[Platform, Platform], ceph: CephGateway, postgresql: PostgresqlServer
) -> None:
    url = os.environ["MLOPS_DAGSTER_STORAGE_URL"]

    assert postgresql.ask("SELECT pipeline_name, status FROM runs ORDER BY id", url) == [
        ("forest_cover_ingest", "SUCCESS"),
        ("forest_cover_training", "SUCCESS"),
    ]
    assert {key.split("/")[0] for key in ceph.objects(BUCKET, "compute_logs/")} == {"compute_logs"}


def test_champion_is_promoted_once_and_served_though_mlflow_restarted_before(forest: tuple[Platform, Platform], tmp_path: Path) -> None:
    remote = forest[0]
    client = registry.connect(remote.tracking_uri)
    record = {field.name: field.example for field in FOREST_COVER.request}

    assert [str(version.version) for version in registry.versions(client, FOREST_COVER.model_name)] == ["1"]
    assert str(registry.resolve(client, f"{FOREST_COVER.model_name}@champion").version) == "1"
    with running(remote.tracking_uri, tmp_path, [FOREST_COVER], mlops_lake_uri=LAKE) as api:
        api.until_ok()
        assert api.post(f"/models/{FOREST_COVER.name}/predict", json={"records": [record]}).ok


def _counts(warehouse: Warehouse) -> list[tuple[str, str, str, int]]:
    """System, stage, partition, rows, as they are for Grafana to show."""
    rows = warehouse.rows(PARTITION_ROWS).to_pylist()
    return sorted((row["system"], row["stage"], row["partition"], row["row_count"]) for row in rows)
