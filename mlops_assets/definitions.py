"""The code location: every system's definitions with one set of resources. Loading it does no I/O and needs no environment."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import dagster as dg

from mlops_assets.domains import DOMAINS
from mlops_assets.factories.automation import failure_alert_sensor
from mlops_assets.factories.keys import ARTIFACTS, FRAMES, TABLES
from mlops_assets.factories.monitoring import monitoring_definitions
from mlops_assets.process import hide_notices_of_chosen_features, prepare_process
from mlops_assets.resources.donostia_api import DonostiaResource
from mlops_assets.resources.forest_api import ForestApiResource
from mlops_assets.resources.mlflow import MlflowResource
from mlops_assets.resources.socrata import SocrataResource
from mlops_assets.storage.io_managers import ArtifactIOManager, FrameIOManager
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.table_io_manager import TableIOManager
from mlops_assets.storage.warehouse_resource import WarehouseResource

prepare_process()
hide_notices_of_chosen_features()


def default_resources() -> dict[str, Any]:
    """The one resource dictionary; deployments differ in settings only."""
    lake, warehouse = LakeResource(), WarehouseResource()
    return {
        "lake": lake,
        "warehouse": warehouse,
        FRAMES: FrameIOManager(lake=lake),
        ARTIFACTS: ArtifactIOManager(lake=lake),
        TABLES: TableIOManager(warehouse=warehouse),
        "socrata": SocrataResource(),
        "forest_api": ForestApiResource(),
        "donostia_api": DonostiaResource(),
        "mlflow": MlflowResource(),
    }


def build_defs(*, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """All systems; `resources` replaces some of the default ones, as tests do."""
    systems = [import_module(f"mlops_assets.domains.{name}.definitions").DEFINITIONS for name in DOMAINS]
    shared = dg.Definitions(
        resources={**default_resources(), **(resources or {})},
        sensors=[failure_alert_sensor()],
        # Runs are processes of their own already; a process for each step would cost more than most steps.
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(*systems, monitoring_definitions(DOMAINS.values()), shared)


defs = build_defs()
