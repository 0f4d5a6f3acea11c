"""Donostia's ingest against the sandbox's feed, with a clock, a lake, a warehouse and a Dagster instance of its own."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from pydantic import PrivateAttr

from mlops_assets.domain import Table
from mlops_assets.domains.donostia_parking.assets import ASSETS
from mlops_assets.domains.donostia_parking.checks import CHECKS
from mlops_assets.domains.donostia_parking.ingest import ReadingLanding
from mlops_assets.domains.donostia_parking.spec import HOURLY_PARKING
from mlops_assets.factories.automation import failure_text
from mlops_assets.resources.donostia_api import DonostiaResource
from mlops_assets.sandbox.donostia import DonostiaSandbox
from mlops_assets.storage.io_managers import FrameIOManager
from mlops_assets.storage.parquet import decode
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.table_io_manager import TableIOManager
from mlops_assets.storage.warehouse.frames import to_frame
from mlops_assets.storage.warehouse_resource import WarehouseResource


class Clock:
    """What the sandbox and the client take for now; it moves when somebody sleeps, or the test says so."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.at_sleep: Callable[[], None] = lambda: None

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.at_sleep()


class ClockedResource(DonostiaResource):
    """The feed's resource with a clock of the test's."""

    _clock: Clock = PrivateAttr()

    def with_clock(self, clock: Clock) -> "ClockedResource":
        self._clock = clock
        return self

    def now(self) -> datetime:
        return self._clock.now

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


class Platform:
    """Donostia's ingest definitions, Dagster instance, lake, warehouse and feed."""

    def __init__(self, folder: Path, feed: DonostiaSandbox, clock: Clock, instance: dg.DagsterInstance, warehouse_url: str) -> None:
        self.feed, self.clock, self.instance = feed, clock, instance
        self.lake = LakeResource(uri=str(folder / "lake"))
        self.landing = ReadingLanding(self.lake.lake)
        self.warehouse = WarehouseResource(url=warehouse_url)
        self.donostia_api = ClockedResource(url=feed.url, attempts=1).with_clock(clock)
        self.defs = dg.Definitions(
            assets=ASSETS,
            asset_checks=CHECKS,
            jobs=[dg.define_asset_job("donostia_parking_ingest", dg.AssetSelection.assets(*ASSETS))],
            resources={
                "lake": self.lake,
                "warehouse": self.warehouse,
                "frames": FrameIOManager(lake=self.lake),
                "tables": TableIOManager(warehouse=self.warehouse),
                "donostia_api": dg.ResourceDefinition.hardcoded_resource(self.donostia_api),
            },
            executor=dg.in_process_executor,
        )

    def ingest(self, first: str, last: str | None = None, **burst: float) -> dg.ExecuteInProcessResult:
        """Runs the ingest job for one hour, as the schedule does, or for a range of them."""
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last} if last else {}
        config = {"ops": {"donostia_parking__raw_readings": {"config": burst}}}
        job = self.defs.resolve_job_def("donostia_parking_ingest")
        return job.execute_in_process(
            instance=self.instance, partition_key=None if last else first, tags=tags, run_config=config, raise_on_error=False
        )

    def failures(self, result: dg.ExecuteInProcessResult) -> dict[str, str]:
        """What the failed steps of a run say, by step."""
        events = (event for event in result.all_events if event.is_step_failure)
        return {str(event.step_key).removeprefix("donostia_parking__"): failure_text(event.step_failure_data) for event in events}

    def findings(self, result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
        """The checks that did not hold, by name."""
        return {found.check_name: found for found in result.get_asset_check_evaluations() if not found.passed}

    def frame(self, stage: str, hour: str) -> pd.DataFrame:
        """The stored frame."""
        return decode(self.lake.lake.read(f"donostia_parking/{stage}/{hour}.parquet"))[0]

    def rows(self, table: Table, hour: str | None = None) -> pd.DataFrame:
        """A table's rows, of an hour or all."""
        return to_frame(self.warehouse.warehouse.rows(table, hour))

    def city(self) -> dict[str, int]:
        """Hour -> the city's free spaces."""
        rows = self.rows(HOURLY_PARKING)
        return {f"{hour:%Y-%m-%dT%H}": int(free) for hour, free in rows.loc[rows["parking_id"].isna(), ["hour", "free"]].to_numpy()}

    def free(self, moment: datetime) -> int:
        """What the city has free at a time, as the feed shows it."""
        return sum(max(0, int(count)) for count in self.feed.counts(moment).values())

    def materialized(self, stage: str) -> set[str]:
        """The partitions of which Dagster says that they are there."""
        return set(self.instance.get_materialized_partitions(dg.AssetKey(["donostia_parking", stage])))

    def metadata(self, stage: str, hour: str) -> dict[str, Any]:
        """What the UI shows of a partition's newest materialization."""
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(["donostia_parking", stage]), asset_partitions=[hour])
        event = self.instance.fetch_materializations(wanted, limit=1).records[0].asset_materialization
        assert event is not None
        return {name: value.value for name, value in event.metadata.items()}


@pytest.fixture
def clock() -> Clock:
    """Ten minutes before the end of hour 2022-05-13T08."""
    return Clock(datetime(2022, 5, 13, 8, 50, tzinfo=UTC))


@pytest.fixture
def feed(clock: Clock) -> Iterator[DonostiaSandbox]:
    with DonostiaSandbox(clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
def platform(tmp_path: Path, feed: DonostiaSandbox, clock: Clock) -> Iterator[Platform]:
    """A platform that has stored nothing yet."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Platform(tmp_path, feed, clock, instance, f"duckdb:///{tmp_path / 'warehouse.duckdb'}")
