"""Forest cover's ingest against a batch API that the test scripts, with a lake, a warehouse and a Dagster instance of its own."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.domain import Table
from mlops_assets.domains.forest_cover.assets import ASSETS
from mlops_assets.domains.forest_cover.automation import batch_sensor
from mlops_assets.domains.forest_cover.checks import CHECKS
from mlops_assets.domains.forest_cover.landing import Landing
from mlops_assets.domains.forest_cover.spec import SAMPLES
from mlops_assets.factories.automation import failure_text
from mlops_assets.resources.forest_api import ForestApiResource
from mlops_assets.storage.io_managers import ArtifactIOManager, FrameIOManager
from mlops_assets.storage.parquet import decode
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.table_io_manager import TableIOManager
from mlops_assets.storage.warehouse.frames import to_frame
from mlops_assets.storage.warehouse_resource import WarehouseResource


class BatchApi:
    """A real HTTP server that gives the scripted replies (status, JSON or bytes) in turn, the last one for ever."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, Any]] = []
        self.calls = 0
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                api.calls += 1
                status, content = api.replies.pop(0) if len(api.replies) > 1 else api.replies[0]
                body = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def serves(self, *batches: tuple[int, list[Any]]) -> None:
        """The next replies: (batch number, rows)."""
        self.replies = [(200, {"group_number": 1, "batch_number": number, "data": rows}) for number, rows in batches]

    def fails(self, status: int, content: Any) -> None:
        """Every next reply."""
        self.replies = [(status, content)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Platform:
    """Forest cover's ingest definitions, Dagster instance, lake, warehouse and API."""

    def __init__(self, folder: Path, api: BatchApi, instance: dg.DagsterInstance) -> None:
        self.api, self.instance = api, instance
        self.lake = LakeResource(uri=str(folder / "lake"))
        self.landing = Landing(self.lake.lake)
        self.warehouse = WarehouseResource(url=f"duckdb:///{folder / 'warehouse.duckdb'}")
        self.forest_api = ForestApiResource(url=api.url, group_number=1, attempts=1)
        job = dg.define_asset_job("forest_cover_ingest", dg.AssetSelection.assets(*ASSETS))
        self.defs = dg.Definitions(
            assets=ASSETS,
            asset_checks=CHECKS,
            jobs=[job],
            sensors=[batch_sensor(job)],
            resources={
                "lake": self.lake,
                "frames": FrameIOManager(lake=self.lake),
                "artifacts": ArtifactIOManager(lake=self.lake),
                "tables": TableIOManager(warehouse=self.warehouse),
                "forest_api": self.forest_api,
            },
            executor=dg.in_process_executor,
        )

    def ingest(self, first: str, last: str | None = None) -> dg.ExecuteInProcessResult:
        """Runs the ingest job for one batch, as the sensor does, or for a range of them."""
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last} if last else {}
        partition = None if last else first
        job = self.defs.resolve_job_def("forest_cover_ingest")
        return job.execute_in_process(instance=self.instance, partition_key=partition, tags=tags, raise_on_error=False)

    def failures(self, result: dg.ExecuteInProcessResult) -> dict[str, str]:
        """What the failed steps of a run say, by step."""
        events = (event for event in result.all_events if event.is_step_failure)
        return {str(event.step_key).removeprefix("forest_cover__"): failure_text(event.step_failure_data) for event in events}

    def frame(self, stage: str, batch: str) -> pd.DataFrame:
        """The stored frame."""
        return decode(self.lake.lake.read(f"forest_cover/{stage}/{batch}.parquet"))[0]

    def rows(self, table: Table, batch: str) -> pd.DataFrame:
        """A table's rows of a batch."""
        return to_frame(self.warehouse.warehouse.rows(table, batch))

    def elevations(self, batch: str) -> list[int]:
        """The numbers of the observations that the batch brought first."""
        return sorted(int(value) - 2000 for value in self.rows(SAMPLES, batch)["elevation"])

    def land(self, batch: str, received_at: datetime, *rows: list[str]) -> None:
        """An answer that an earlier run has landed."""
        body = {"group_number": 1, "batch_number": int(batch), "data": list(rows)}
        self.landing.accept(batch, received_at, json.dumps(body).encode())

    def metadata(self, stage: str, batch: str) -> dict[str, Any]:
        """What the UI shows of a partition's newest materialization."""
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(["forest_cover", stage]), asset_partitions=[batch])
        event = self.instance.fetch_materializations(wanted, limit=1).records[0].asset_materialization
        assert event is not None
        return {name: value.value for name, value in event.metadata.items()}


@pytest.fixture
def api() -> Iterator[BatchApi]:
    api = BatchApi()
    yield api
    api.close()


@pytest.fixture
def platform(tmp_path: Path, api: BatchApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A platform that has stored nothing yet; the API stays 300 s with a batch."""
    monkeypatch.setenv("FOREST_BATCH_SECONDS", "300")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Platform(tmp_path, api, instance)


@pytest.fixture
def noon() -> datetime:
    return datetime(2024, 5, 1, 12, tzinfo=UTC)
