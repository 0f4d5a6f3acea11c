"""The mirrors of the registry and of stored partitions: real MLflow, lake and warehouse, a monthly and an hourly system."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import copy
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from mlops_assets.domain import Batches, Column, Domain, ForecastDomain, Gates, Hourly, Method, Table, TabularDomain
from mlops_assets.factories import monitoring
from mlops_assets.factories.monitoring import NEWEST, first_moment, monitoring_definitions
from mlops_assets.hours import hour_key, hour_of
from mlops_assets.ml import registry
from mlops_assets.ml.provenance import Provenance
from mlops_assets.monitoring import MODEL_VERSIONS, PARTITION_ROWS, monitored_tables
from mlops_assets.resources.mlflow import MlflowResource
from mlops_assets.storage import parquet
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.stamp import Stamp
from mlops_assets.storage.warehouse import Warehouse
from mlops_assets.storage.warehouse.stamps import NewPartition, write_partitions
from mlops_assets.storage.warehouse_resource import WarehouseResource

READINGS = Table(
    name="readings",
    description="Readings.",
    columns=(Column("hour", "timestamp", "Hour."), Column("value", "double", "Value.")),
    partition_column="hour",
    mode="replace",
)
TIDES = ForecastDomain(
    name="tides",
    title="Tides",
    description="How high the water is.",
    cadence=Hourly(start="2022-01-01T00", window=48),
    id_column="place",
    time_column="hour",
    target="value",
    request=(),
    methods=(Method("last_value", "The last value."),),
    gates=Gates(metric="mase", better="less"),
    total="the coast",
    tables=(READINGS,),
    observations="readings",
)


class Post:
    """A lake, a registry and a warehouse, and the monitoring of systems on them."""

    def __init__(self, folder: Path, domains: list[Domain]) -> None:
        self.lake = LakeResource(uri=str(folder / "la ke"))
        self.warehouse = Warehouse(f"duckdb:///{folder / 'warehouse.duckdb'}")
        self.tracking_uri = f"sqlite:///{folder / 'mlflow.db'}"
        self.client = registry.connect(self.tracking_uri)
        resources = {
            "lake": self.lake,
            "warehouse": WarehouseResource(url=f"duckdb:///{folder / 'warehouse.duckdb'}"),
            "mlflow": MlflowResource(tracking_uri=self.tracking_uri),
        }
        shared = dg.Definitions(resources=resources, executor=dg.in_process_executor)
        self.job = dg.Definitions.merge(monitoring_definitions(domains), shared).resolve_job_def("monitoring")

    def run(self) -> dict[str, dict[str, Any]]:
        """Asset -> what it says of its write."""
        with dg.DagsterInstance.ephemeral() as instance:
            events = self.job.execute_in_process(instance=instance).get_asset_materialization_events()
        materializations = [event.step_materialization_data.materialization for event in events]
        return {item.asset_key.to_user_string(): {k: v.value for k, v in item.metadata.items()} for item in materializations}

    def rows(self, table: Table, system: str) -> list[dict[str, Any]]:
        """What is mirrored of a system."""
        return list(self.warehouse.rows(table, system).to_pylist())

    def register(self, domain: Domain, partition: str, metrics: dict[str, float], *aliases: str) -> int:
        """A version that was trained for the partition; a champion's training also stores its `champion` frame."""
        provenance = Provenance(
            dagster_run_id="d", partition=partition, code_version="c", git_commit="g", fingerprint="f", metrics=metrics, candidate="trees"
        )
        version = registry.register(self.client, domain.model_name, "file:///nowhere", run_id="r" * 32, provenance=provenance).version
        for alias in aliases:
            registry.set_alias(self.client, domain.model_name, alias, version)
        if "champion" in aliases:
            self.store(f"{domain.name}/champion", partition, pd.DataFrame({"name": [domain.model_name], "version": [str(version)]}))
        return int(version)

    def store(self, asset: str, partition: str, frame: pd.DataFrame) -> None:
        """A frame in the lake."""
        self.lake.lake.write(f"{asset}/{partition}.parquet", parquet.encode(parquet.to_table(frame), Stamp("v")))

    def write(self, asset: str, table: Table, partition: str, rows: pa.Table) -> None:
        """A partition in the warehouse, as the IO manager stores it."""
        write_partitions(self.warehouse, table, asset, [NewPartition(partition, rows)])


@pytest.fixture
def post(tmp_path: Path, empty_database: Path, toy: TabularDomain) -> Iterator[Post]:
    """Nothing is stored or registered yet."""
    copy(empty_database, tmp_path / "mlflow.db")
    return Post(tmp_path, [toy, TIDES])


def test_every_version_is_mirrored_with_its_metrics_and_whether_it_ever_was_champion(post: Post, toy: TabularDomain) -> None:
    post.register(toy, "2017-03", {"average_precision": 0.7, "roc_auc": 0.8}, "champion")
    post.register(toy, "2017-04", {"average_precision": 0.6}, "challenger")
    post.register(toy, "2017-05", {}, "champion")
    post.register(TIDES, "2022-01-03T00", {"mase": 0.9}, "champion", "challenger")

    post.run()

    rows = post.rows(MODEL_VERSIONS, "toy")
    assert [(row["version"], row["metric"], row["value"], row["is_gate"]) for row in sorted(rows, key=lambda row: row["version"])] == [
        (1, "average_precision", 0.7, True),
        (1, "roc_auc", 0.8, False),
        (2, "average_precision", 0.6, True),
        (3, None, None, False),
    ]
    assert {row["version"]: (row["is_champion"], row["was_champion"], row["aliases"], row["partition"]) for row in rows} == {
        1: (False, True, "", "2017-03"),
        2: (False, False, "challenger", "2017-04"),
        3: (True, True, "champion", "2017-05"),
    }
    first = registry.history(post.client, "toy")[-1]
    assert {(row["registered_at"], row["candidate"], row["model"]) for row in rows if row["version"] == 1} == {
        (first.created_at, "trees", "toy")
    }
    (tides,) = post.rows(MODEL_VERSIONS, "tides")
    assert (tides["metric"], tides["is_gate"], tides["aliases"]) == ("mase", True, "challenger, champion")


def test_a_champion_promoted_by_hand_stays_known_after_it_was_replaced(post: Post, toy: TabularDomain) -> None:
    by_hand = post.register(toy, "2017-03", {"average_precision": 0.7})
    registry.set_alias(post.client, "toy", "champion", by_hand)
    post.run()
    post.register(toy, "2017-04", {"average_precision": 0.8}, "champion")

    post.run()

    assert {row["version"]: (row["is_champion"], row["was_champion"]) for row in post.rows(MODEL_VERSIONS, "toy")} == {
        1: (False, True),
        2: (True, True),
    }


def test_rows_are_counted_in_the_lake_and_in_the_warehouse(post: Post) -> None:
    post.store("toy/raw_toys", "2017-03", pd.DataFrame({"size": [1.0, 2.0]}))
    post.store("toy/rejected_toys", "2017-03", pd.DataFrame({"size": pd.Series(dtype="float64")}))
    post.store("toy/enriched", "2017-03", pd.DataFrame({"size": [1.0]}))
    post.store("toy/split_train", "2017-03", pd.DataFrame({"size": [1.0]}))
    post.store("tides/raw_tides", "2022-01-03T07", pd.DataFrame({"value": [1.0] * 3}))
    hour = hour_of("2022-01-03T07")
    post.write("tides/enriched", READINGS, "2022-01-03T07", pa.table({"hour": pa.array([hour] * 4, pa.timestamp("us", "UTC"))}))
    post.write("tides/series", READINGS, "2022-01-03T07", pa.table({"hour": pa.array([hour], pa.timestamp("us", "UTC"))}))

    post.run()

    counted = {
        (row["system"], row["stage"], row["partition"], row["starts_at"]): row["row_count"]
        for system in ("toy", "tides")
        for row in post.rows(PARTITION_ROWS, system)
    }
    march = datetime(2017, 3, 1, tzinfo=UTC)
    assert counted == {
        ("toy", "raw_toys", "2017-03", march): 2,
        ("toy", "rejected_toys", "2017-03", march): 0,
        ("toy", "enriched", "2017-03", march): 1,
        ("tides", "raw_tides", "2022-01-03T07", hour): 3,
        ("tides", "enriched", "2022-01-03T07", hour): 4,
    }
    assert first_moment(Batches(count=3), "02") is None


def test_unchanged_content_changes_nothing_and_a_change_replaces_its_system_only(post: Post, toy: TabularDomain) -> None:
    post.register(toy, "2017-03", {"average_precision": 0.7}, "champion")
    post.store("toy/enriched", "2017-03", pd.DataFrame({"size": [1.0]}))
    post.store("tides/raw_tides", "2022-01-03T07", pd.DataFrame({"value": [1.0]}))
    first = post.run()
    second = post.run()
    post.store("toy/enriched", "2017-03", pd.DataFrame({"size": [1.0, 2.0]}))
    third = post.run()

    def changes(run: dict[str, dict[str, Any]]) -> dict[str, tuple[int, int]]:
        return {asset: (said["rows_inserted"], said["rows_deleted"]) for asset, said in run.items()}

    assert changes(first)["toy/model_versions"] == changes(first)["tides/partition_rows"] == (1, 0)
    assert set(changes(second).values()) == {(0, 0)}
    assert {asset: change for asset, change in changes(third).items() if change != (0, 0)} == {"toy/partition_rows": (1, 1)}


def test_only_the_newest_partitions_are_read_however_many_there_are(
    post: Post, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(monitoring, "NEWEST", 3)
    hours = [hour_key(hour_of("2022-01-03T00") + pd.Timedelta(hours=number)) for number in range(6)]
    for hour in hours:
        stamped = pa.table({"hour": pa.array([hour_of(hour)], pa.timestamp("us", "UTC"))})
        post.write("tides/enriched", READINGS, hour, stamped)
    for hour in hours[:3]:
        post.lake.lake.write(f"tides/raw_tides/{hour}.parquet", b"whoever reads this says so")
    for hour in hours[3:]:
        post.store("tides/raw_tides", hour, pd.DataFrame({"value": [1.0]}))

    post.run()

    assert [(row["stage"], row["partition"]) for row in post.rows(PARTITION_ROWS, "tides")] == [
        (stage, hour) for stage in ("enriched", "raw_tides") for hour in hours[-3:]
    ]
    assert "cannot be read" not in caplog.text
    assert NEWEST >= 16 * 24


def test_a_damaged_object_is_left_out_and_named(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    post.store("toy/enriched", "2017-03", pd.DataFrame({"size": [1.0]}))
    post.lake.lake.write("toy/enriched/2017-04.parquet", b"cut off")

    post.run()

    assert [row["partition"] for row in post.rows(PARTITION_ROWS, "toy")] == ["2017-03"]
    assert "toy/enriched/2017-04.parquet" in caplog.text


def test_monitoring_is_one_job_for_all_systems_every_quarter_of_an_hour(post: Post, toy: TabularDomain) -> None:
    defs = monitoring_definitions([toy, TIDES])
    (schedule,) = defs.schedules or ()

    assert isinstance(schedule, dg.ScheduleDefinition)
    assert (schedule.name, schedule.cron_schedule, schedule.job_name) == ("monitoring_schedule", "*/15 * * * *", "monitoring")
    assert {key.to_user_string() for key in post.job.asset_layer.executable_asset_keys} == {
        f"{system}/{table}" for system in ("toy", "tides") for table in ("model_versions", "partition_rows")
    }
    for asset in defs.assets or ():
        (spec,) = asset.specs
        assert (spec.tags["stage"], spec.group_name) == ("monitoring", spec.key.path[0])


def test_monitored_tables_are_those_of_all_systems_and_the_mirrors(toy: TabularDomain) -> None:
    other = replace(toy, tables=())

    assert monitored_tables([TIDES, other]) == (READINGS, MODEL_VERSIONS, PARTITION_ROWS)
