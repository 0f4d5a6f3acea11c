"""A second system, made up and small, that the factories must serve as they serve the real ones."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from mlops_assets.domain import Candidate, Features, Gates, Monthly, Outliers, RequestField, Search, TabularDomain
from mlops_assets.factories.keys import artifact_asset, frame_asset
from mlops_assets.ml import registry
from mlops_assets.ml.scale import FrameScaler
from mlops_assets.resources.mlflow import MlflowResource
from mlops_assets.storage.io_managers import ArtifactIOManager, FrameIOManager
from mlops_assets.storage.parquet import decode
from mlops_assets.storage.resource import LakeResource

ROWS = 120
SECRET = "hook-s3cret"


@pytest.fixture(scope="session")
def toy() -> TabularDomain:
    """Two numbers and a kind; three months a window."""
    return TabularDomain(
        name="toy",
        title="Toy",
        description="Whether a toy works.",
        id_column="id",
        time_column="occurred_at",
        target="works",
        request=(RequestField("id", "string", "Identifier.", "1"), RequestField("size", "double", "Size.", 1.5, required=True)),
        features=Features(numeric=("size", "weight"), frequency=("kind",), scaled=("size",)),
        outliers=Outliers(columns=("size",)),
        candidates=(
            Candidate("plain", "As it is.", params={"n_estimators": 5, "max_depth": 2}),
            Candidate("resampled", "Balanced rows and selected features.", balance=True, select=True, params={"n_estimators": 5}),
        ),
        search=Search(trials=0),
        gates=Gates(minimum={"roc_auc": 0.5}, min_rows=300),
        cadence=Monthly(start="2017-01", window=3),
    )


def _month(domain: TabularDomain, month: str) -> pd.DataFrame:
    """Enriched rows of a month; bigger toys work more often."""
    rng = np.random.default_rng(int(month.replace("-", "")))
    size = rng.normal(size=ROWS)
    days = np.datetime64(f"{month}-01", "us") + rng.integers(0, 28, ROWS).astype("timedelta64[D]")
    return pd.DataFrame(
        {
            domain.id_column: pd.array([f"{month}-{row}" for row in range(ROWS)], dtype="string[pyarrow]"),
            domain.time_column: days,
            domain.target: rng.random(ROWS) < 1 / (1 + np.exp(-2 * size)),
            "size": size,
            "weight": rng.random(ROWS),
            "kind": pd.array(rng.choice(["car", "doll"], ROWS), dtype="string[pyarrow]"),
        }
    )


@pytest.fixture(scope="session")
def toy_ingest(toy: TabularDomain) -> list[dg.AssetsDefinition]:
    """`enriched` and `enricher` of the toy system."""

    @frame_asset(toy, "enriched", "Rows of a month.")
    def enriched(context: dg.AssetExecutionContext) -> Any:
        return _month(toy, context.partition_key)

    @artifact_asset(toy, "enricher", "Something fitted.")
    def enricher() -> Any:
        return FrameScaler(("size",)).fit(pd.DataFrame({"size": [0.0, 1.0]}))

    return [enriched, enricher]


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables; making them takes seconds."""
    database = tmp_path_factory.mktemp("empty") / "mlflow.db"
    registry.connect(f"sqlite:///{database}")
    return database


class Workshop:
    """A lake, an MLflow database and a Dagster instance, and assets materialized on them."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.lake = LakeResource(uri=str(folder / "lake"))
        self.tracking_uri = f"sqlite:///{folder / 'mlflow.db'}"
        self.resources = {
            "lake": self.lake,
            "frames": FrameIOManager(lake=self.lake),
            "artifacts": ArtifactIOManager(lake=self.lake),
            "mlflow": MlflowResource(tracking_uri=self.tracking_uri),
        }

    @property
    def client(self) -> MlflowClient:
        """A client of the database."""
        return registry.connect(self.tracking_uri)

    def materialize(self, assets: list[Any], partition: str, **options: Any) -> dg.ExecuteInProcessResult:
        """One run; a failing step does not raise."""
        return dg.materialize(
            assets, instance=self.instance, resources=self.resources, partition_key=partition, raise_on_error=False, **options
        )

    def frame(self, asset: str, partition: str) -> pd.DataFrame:
        """A stored frame."""
        return decode(self.lake.lake.read(f"{asset}/{partition}.parquet"))[0]


@pytest.fixture
def workshop(tmp_path: Path, empty_database: Path) -> Iterator[Workshop]:
    """A workshop where nothing is stored yet."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Workshop(tmp_path, instance)


@pytest.fixture(scope="session")
def failures() -> Callable[[dg.ExecuteInProcessResult], dict[str, str]]:
    """What the failed steps of a run say, by step."""
    from mlops_assets.factories.automation import failure_text

    def texts(result: dg.ExecuteInProcessResult) -> dict[str, str]:
        return {str(event.step_key): failure_text(event.step_failure_data) for event in result.all_events if event.is_step_failure}

    return texts


class Webhook:
    """A real HTTP server that keeps the JSON it is sent and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.messages: list[dict[str, Any]] = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                webhook.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(webhook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/{SECRET}"

    def close(self) -> None:
        """Stops to listen."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook that the settings name."""
    running = Webhook()
    monkeypatch.setenv("MLOPS_ALERT_WEBHOOK_URL", running.url)
    monkeypatch.setenv("DAGSTER_UI_URL", "http://dagster.example/")
    yield running
    running.close()
