"""What a deployment's backup puts back: databases and buckets as they were, with the same champion."""

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from mlops_assets.domain import Column, Table
from mlops_assets.domains.donostia_parking.spec import DONOSTIA_PARKING
from mlops_assets.ml import champions, registry
from mlops_assets.ml.forecast.model import ForecastModel
from mlops_assets.ml.provenance import Provenance
from mlops_assets.ml.release import register_method
from mlops_assets.settings import PROJECT_DIR
from mlops_assets.storage.lake import Lake
from mlops_assets.storage.warehouse import Warehouse
from mlops_assets_tests.services.ceph import CephGateway
from mlops_assets_tests.services.mlflow_server import MlflowServer
from mlops_assets_tests.services.postgresql import PostgresqlServer
from mlops_assets_tests.services.processes import require_programs

SCRIPTS = PROJECT_DIR / "deploy" / "backup"
NAME = DONOSTIA_PARKING.model_name
SALES = Table("sales", "Rows to lose.", (Column("day", "string", ""), Column("sold", "long", "")), "day", mode="replace")
START = datetime(2022, 5, 1, tzinfo=UTC)

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def stores(ceph: CephGateway, postgresql: PostgresqlServer) -> dict[str, str]:
    """Two databases and two buckets of this test's own, by what they are for."""
    names = {"warehouse": postgresql.database(), "mlflow": postgresql.database()}
    return {**names, "lake_bucket": ceph.make_bucket(), "mlflow_bucket": ceph.make_bucket()}


@pytest.fixture
def script(ceph: CephGateway, postgresql: PostgresqlServer, stores: dict[str, str]) -> Script:
    """Runs one of the scripts on these stores with the tools of this machine; the answer is what somebody types."""
    require_programs("rclone", "pg_dump", "pg_restore")
    environment = {
        **{name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"},  # rclone does not start with it
        **postgresql.environment,
        "BACKUP_TOOLS": "host",
        "BACKUP_DATABASES": " ".join(stores[name].rpartition("/")[2] for name in ("warehouse", "mlflow")),
        "BACKUP_PATHS": f"{stores['lake_bucket']}/assets {stores['mlflow_bucket']}/artifacts",
        "RCLONE_CONFIG_S3_TYPE": "s3",
        "RCLONE_CONFIG_S3_PROVIDER": "Other",
        "RCLONE_CONFIG_S3_ENDPOINT": ceph.url,
        "RCLONE_CONFIG_S3_ACCESS_KEY_ID": ceph.access_key,
        "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": ceph.secret_key,
    }

    def run(name: str, *arguments: str, answer: str = "") -> "subprocess.CompletedProcess[str]":
        command = [str(SCRIPTS / name), *arguments]
        return subprocess.run(command, env=environment, input=answer, capture_output=True, text=True, check=False)

    return run


def _promote(server: MlflowServer, number: int) -> None:
    """The method of this number becomes the champion."""
    client = registry.connect(server.url)
    registry.create_experiment(client, NAME, None)
    run_id = client.create_run(client.get_experiment_by_name(NAME).experiment_id).info.run_id
    provenance = Provenance("run", "2022-05-03T23", "code", "commit", "", {"mae": 1.0}, upstream={"donostia_parking/series": {"x": "v1"}})
    model = ForecastModel.of(DONOSTIA_PARKING, DONOSTIA_PARKING.methods[number])
    version, _ = register_method(client, DONOSTIA_PARKING, model, run_id=run_id, provenance=provenance)
    champions.promote(client, NAME, version.version)


def _champion(server: MlflowServer) -> tuple[registry.Trace, pd.DataFrame]:
    """The champion's way back, and what it forecasts from three days of a made-up car park."""
    client = registry.connect(server.url)
    hours = [START + timedelta(hours=number) for number in range(72)]
    time, parking, target = DONOSTIA_PARKING.time_column, DONOSTIA_PARKING.id_column, DONOSTIA_PARKING.target
    history = pd.DataFrame({time: hours, parking: None, target: [100.0 + number % 24 for number in range(72)]})
    forecast = registry.load_served(f"models:/{NAME}@champion").forecast(history, created_at=START + timedelta(hours=72))
    return registry.trace(client, NAME), forecast.rows


def test_a_restored_deployment_has_the_same_champion_rows_and_objects(
    ceph: CephGateway, s3_environment: str, stores: dict[str, str], script: Script, tmp_path: Path
) -> None:
    server = MlflowServer(tmp_path, stores["mlflow"], f"s3://{stores['mlflow_bucket']}/artifacts", ceph.environment)
    lake, warehouse = Lake(f"s3://{stores['lake_bucket']}/assets"), Warehouse(stores["warehouse"], [SALES])
    backup = tmp_path / "a backup"
    try:
        _promote(server, 0)
        lake.write("crime/raw/2017-01.parquet", b"as it was")
        warehouse.write(SALES, pa.table({"day": ["monday"], "sold": [1]}), partition="monday")
        champion, forecast = _champion(server)

        done = script("backup.sh", str(backup))
        assert done.returncode == 0, done.stderr

        _promote(server, 1)
        lake.write("crime/raw/2017-01.parquet", b"damaged")
        lake.write("crime/raw/2017-02.parquet", b"later")
        for page in ceph.client().get_paginator("list_objects_v2").paginate(Bucket=stores["mlflow_bucket"]):
            for item in page.get("Contents", []):
                ceph.client().delete_object(Bucket=stores["mlflow_bucket"], Key=item["Key"])
        warehouse.write(SALES, pa.table({"day": ["monday", "monday"], "sold": [2, 3]}), partition="monday")

        refused = script("restore.sh", str(backup), answer="no\n")
        assert (refused.returncode, lake.read("crime/raw/2017-01.parquet")) == (2, b"damaged")
        server.stop()
        done = script("restore.sh", str(backup), answer="yes\n")
        assert done.returncode == 0, done.stderr
        server.start()

        again, repeated = _champion(server)
        assert again == champion
        pd.testing.assert_frame_equal(repeated, forecast)
    finally:
        server.stop()
    assert lake.read("crime/raw/2017-01.parquet") == b"as it was"
    assert list(lake.keys("crime/raw")) == ["crime/raw/2017-01.parquet"]
    assert warehouse.rows(SALES).to_pydict() == {"day": ["monday"], "sold": [1]}


def test_a_backup_that_was_cut_off_is_not_restored(script: Script, tmp_path: Path) -> None:
    assert script("backup.sh", str(tmp_path)).returncode == 0
    (tmp_path / "complete").unlink()

    refused = script("restore.sh", str(tmp_path), answer="yes\n")

    assert refused.returncode == 2
    assert "holds no complete backup" in refused.stderr


@pytest.mark.parametrize("harm", ["objects lost", "dump cut off", "dump of another database"])
def test_a_backup_that_was_changed_since_is_refused_before_anything_is_replaced(
    harm: str, s3_environment: str, stores: dict[str, str], script: Script, tmp_path: Path
) -> None:
    lake = Lake(f"s3://{stores['lake_bucket']}/assets")
    lake.write("crime/raw/2017-01.parquet", b"as it is")
    assert script("backup.sh", str(tmp_path)).returncode == 0
    dumps = [tmp_path / f"{stores[name].rpartition('/')[2]}.dump" for name in ("warehouse", "mlflow")]
    if harm == "objects lost":
        (tmp_path / stores["lake_bucket"] / "assets/crime/raw/2017-01.parquet").unlink()
    elif harm == "dump cut off":
        dumps[0].write_bytes(dumps[0].read_bytes()[:-1])
    else:
        dumps[0].write_bytes(dumps[1].read_bytes())

    refused = script("restore.sh", str(tmp_path), "--yes")

    assert refused.returncode == 2
    assert "is not what was backed up" in refused.stderr
    assert lake.read("crime/raw/2017-01.parquet") == b"as it is"


def test_a_backup_never_overwrites_another_one(script: Script, tmp_path: Path) -> None:
    (tmp_path / "dagster.dump").write_text("yesterday's")

    refused = script("backup.sh", str(tmp_path))

    assert (refused.returncode, (tmp_path / "dagster.dump").read_text()) == (2, "yesterday's")
    assert "is not empty" in refused.stderr
