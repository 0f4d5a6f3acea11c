"""The platform on a folder, for tests that go through the lineage of a whole system: its definitions, lake, warehouse, MLflow, Dagster."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.definitions import build_defs
from mlops_assets.domain import Domain
from mlops_assets.factories.monitoring import MONITORING
from mlops_assets.resources.mlflow import MlflowResource
from mlops_assets.storage.io_managers import ArtifactIOManager, FrameIOManager
from mlops_assets.storage.parquet import decode
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.table_io_manager import TableIOManager
from mlops_assets.storage.warehouse_resource import WarehouseResource


class Platform:
    """One system's jobs on a folder of their own; `upstream` are the resources that lead to its sandbox.

    Lake, warehouse (DuckDB) and MLflow (SQLite) are in the folder if the other addresses do not say otherwise.
    """

    def __init__(
        self,
        domain: Domain,
        home: Path,
        instance: dg.DagsterInstance,
        upstream: Mapping[str, Any],
        warehouse_url: str = "",
        *,
        lake_uri: str = "",
        tracking_uri: str = "",
    ) -> None:
        self.domain, self.instance = domain, instance
        self.lake = LakeResource(uri=lake_uri or str(home / "la ke"))
        self.warehouse = WarehouseResource(url=warehouse_url or f"duckdb:///{home / 'ware house.duckdb'}")
        self.tracking_uri = tracking_uri or f"sqlite:///{home / 'ml flow' / 'mlflow.db'}"
        self.defs = build_defs(
            resources={
                "lake": self.lake,
                "frames": FrameIOManager(lake=self.lake),
                "artifacts": ArtifactIOManager(lake=self.lake),
                "warehouse": self.warehouse,
                "tables": TableIOManager(warehouse=self.warehouse),
                "mlflow": MlflowResource(tracking_uri=self.tracking_uri),
                **upstream,
            }
        )

    def ingest(self, first: str, last: str) -> dg.ExecuteInProcessResult:
        """A range of partitions in one run."""
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        return self.defs.resolve_job_def(f"{self.domain.name}_ingest").execute_in_process(instance=self.instance, tags=tags)

    def run(self, stage: str, partition: str) -> dg.ExecuteInProcessResult:
        """Another job of the system, for one partition."""
        return self.defs.resolve_job_def(f"{self.domain.name}_{stage}").execute_in_process(instance=self.instance, partition_key=partition)

    def train(
        self, partition: str, config: Mapping[str, Mapping[str, Any]] | None = None, *, raise_on_error: bool = True
    ) -> dg.ExecuteInProcessResult:
        """One training; `config` by stage."""
        ops = {f"{self.domain.name}__{stage}": {"config": dict(values)} for stage, values in (config or {}).items()}
        job = self.defs.resolve_job_def(f"{self.domain.name}_training")
        return job.execute_in_process(
            instance=self.instance, partition_key=partition, run_config={"ops": ops}, raise_on_error=raise_on_error
        )

    def mirror(self) -> dg.ExecuteInProcessResult:
        """The job that mirrors the registry and the row counts of all systems into the warehouse."""
        return self.defs.resolve_job_def(MONITORING).execute_in_process(instance=self.instance)

    def frame(self, stage: str, partition: str) -> pd.DataFrame:
        """A stored frame."""
        return decode(self.lake.lake.read(f"{self.domain.name}/{stage}/{partition}.parquet"))[0]

    def data_versions(self) -> dict[tuple[str, str], str | None]:
        """What Dagster holds as the latest data version of every materialized partition."""
        versions = {}
        for key in self.instance.all_asset_keys():
            for record in self.instance.fetch_materializations(key, limit=500).records[::-1]:
                materialization = record.asset_materialization
                assert materialization
                versions[key.to_user_string(), str(materialization.partition)] = (materialization.tags or {}).get("dagster/data_version")
        return versions
