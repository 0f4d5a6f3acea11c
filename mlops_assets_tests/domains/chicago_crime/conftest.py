"""The platform's ingest on a sandbox of 300 crimes a month, with a lake and a Dagster instance of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.definitions import build_defs
from mlops_assets.factories.automation import failure_text
from mlops_assets.resources.socrata import SocrataResource
from mlops_assets.sandbox.socrata import SocrataSandbox
from mlops_assets.storage.io_managers import ArtifactIOManager, FrameIOManager
from mlops_assets.storage.parquet import decode
from mlops_assets.storage.resource import LakeResource


class Platform:
    """Definitions, Dagster instance, lake and portal."""

    def __init__(self, folder: Path, sandbox: SocrataSandbox, instance: dg.DagsterInstance) -> None:
        self.sandbox, self.instance = sandbox, instance
        self.lake = LakeResource(uri=str(folder / "lake"))
        self.defs = build_defs(
            resources={
                "lake": self.lake,
                "frames": FrameIOManager(lake=self.lake),
                "artifacts": ArtifactIOManager(lake=self.lake),
                "socrata": SocrataResource(url=sandbox.url, attempts=1),
            }
        )

    def ingest(self, first: str, last: str | None = None) -> dg.ExecuteInProcessResult:
        """Runs the ingest job for one month or a range of months."""
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last or first}
        return self.defs.resolve_job_def("chicago_crime_ingest").execute_in_process(instance=self.instance, tags=tags, raise_on_error=False)

    def failures(self, result: dg.ExecuteInProcessResult) -> dict[str, str]:
        """What the failed steps of a run say, by step."""
        events = (event for event in result.all_events if event.is_step_failure)
        return {str(event.step_key).removeprefix("chicago_crime__"): failure_text(event.step_failure_data) for event in events}

    def data(self, stage: str, month: str) -> bytes:
        """The stored object of a frame."""
        return self.lake.lake.read(f"chicago_crime/{stage}/{month}.parquet")

    def delete(self, stage: str, month: str) -> None:
        """Deletes a stored frame, as an operator does."""
        Path(self.lake.lake.location(f"chicago_crime/{stage}/{month}.parquet")).unlink()

    def frame(self, stage: str, month: str) -> pd.DataFrame:
        """The stored frame."""
        return decode(self.data(stage, month))[0]

    def rows_served(self, dataset: str) -> dict[str, int]:
        """Rows downloaded since the last call or `reset_stats`, by month; counts are no download."""
        months = self.sandbox.stats()[dataset]["months"]
        return {month: counters["rows"] for month, counters in months.items() if counters["rows"]}


@pytest.fixture(scope="session")
def portal() -> Iterator[SocrataSandbox]:
    """The portal of the whole session; `sandbox` hands it out clean."""
    with SocrataSandbox(today=date(2018, 2, 1), rows_per_month=300) as running:
        yield running


@pytest.fixture
def sandbox(portal: SocrataSandbox) -> SocrataSandbox:
    """A portal without faults; months may have been revised by other tests."""
    portal.faults.clear()
    portal.reset_stats()
    return portal


@pytest.fixture(scope="session")
def make_platform(portal: SocrataSandbox, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], AbstractContextManager[Platform]]:
    """Makes platforms that have stored nothing yet."""

    @contextmanager
    def make() -> Iterator[Platform]:
        with dg.DagsterInstance.ephemeral() as instance:
            yield Platform(tmp_path_factory.mktemp("platform"), portal, instance)

    return make


@pytest.fixture
def platform(sandbox: SocrataSandbox, make_platform: Callable[[], AbstractContextManager[Platform]]) -> Iterator[Platform]:
    """A platform that has stored nothing yet, on a portal without faults."""
    with make_platform() as platform:
        yield platform
