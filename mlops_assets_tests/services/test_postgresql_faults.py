"""PostgreSQL refuses, crashes and recovers, under the warehouse and under Dagster's own storage: no row is lost, none is there twice."""

import traceback
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.storage.table_io_manager import TableIOManager
from mlops_assets.storage.warehouse import Warehouse, WarehouseError
from mlops_assets.storage.warehouse_resource import WarehouseResource
from mlops_assets_tests.services.postgresql import PostgresqlServer
from mlops_assets_tests.storage.test_table_io_manager import BATCHES, SAMPLES, batch_of, failure_of, samples_asset
from mlops_assets_tests.storage.warehouse.test_processes import LEDGER, OBSERVATIONS, ROWS, whole_transactions, writer

pytestmark = pytest.mark.services

TRANSACTIONS = 4


def test_wrong_password_is_told_without_it(postgresql_url: str) -> None:
    name, secret = postgresql_url.split("/")[-1], "TheSecretNobodyMaySee"
    address = postgresql_url.split("@")[1]

    with pytest.raises(WarehouseError, match=f"{address}.*password authentication failed") as caught:
        Warehouse(f"postgresql://{name}:{secret}@{address}").rows(SAMPLES)

    assert secret not in "".join(traceback.format_exception(caught.value))


def test_server_that_crashes_under_a_writer_keeps_whole_transactions(postgresql: PostgresqlServer, postgresql_url: str) -> None:
    warehouse = Warehouse(postgresql_url, [OBSERVATIONS, LEDGER])
    with writer(postgresql_url, 0, 10_000) as process:
        acknowledged = [int(process.stdout.readline()) for _ in range(TRANSACTIONS)]
        postgresql.stop(at_once=True)
        acknowledged += [int(line) for line in process.stdout]
        postgresql.start()
        assert process.wait() != 0

    stored = whole_transactions(warehouse)
    assert set(acknowledged) <= set(stored)
    assert len(stored) <= len(acknowledged) + 1  # the last one may be stored, but not acknowledged any more

    with writer(postgresql_url, 0, len(stored) + 1) as process:
        assert process.wait() == 0
    assert whole_transactions(warehouse) == list(range(len(stored) + 1))
    assert warehouse.rows(LEDGER)["row_count"].to_pylist() == [ROWS] * (len(stored) + 1)


def test_server_that_restarts_in_the_middle_of_a_run_loses_nothing(
    postgresql: PostgresqlServer, postgresql_url: str, tmp_path: Path
) -> None:
    warehouse, restarted = WarehouseResource(url=postgresql_url), []

    def compute(batch: str) -> pd.DataFrame:
        if batch == "02" and not restarted:
            postgresql.stop(at_once=True)
            postgresql.start()
            restarted.append(batch)
        return batch_of(batch, batch)

    storage = {"storage": {"postgres": {"postgres_url": postgresql.database()}}}
    with dg.instance_for_test(overrides=storage, temp_dir=str(tmp_path)) as instance:
        runs = []
        for _ in range(2):
            job = dg.Definitions([samples_asset(compute)], resources={"tables": TableIOManager(warehouse=warehouse)})
            result = job.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=instance,
                tags={"dagster/asset_partition_range_start": BATCHES[0], "dagster/asset_partition_range_end": BATCHES[-1]},
                raise_on_error=False,
            )
            runs.append(result)
            if not result.success:
                assert "server closed the connection" in failure_of(result)
        assert restarted
        assert runs[-1].success
        assert instance.get_runs_count() == 2
        materialized = instance.get_materialized_partitions(dg.AssetKey(["domain", "samples"]))

    assert materialized == set(BATCHES)
    rows = warehouse.warehouse.rows(SAMPLES)
    assert sorted(zip(rows["id"].to_pylist(), rows["batch"].to_pylist(), strict=True)) == [("0", 1), ("1", 1), ("2", 2), ("3", 3)]
