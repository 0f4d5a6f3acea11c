"""Tables through real Dagster runs, on a real PostgreSQL and S3 server: the suite of `storage/test_table_io_manager.py`."""

from typing import Any

import pytest

from mlops_assets.storage.io_managers import FrameIOManager
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.table_io_manager import TableIOManager
from mlops_assets.storage.warehouse_resource import WarehouseResource
from mlops_assets_tests.services.contract import suite_of
from mlops_assets_tests.storage import test_table_io_manager

pytestmark = pytest.mark.services


@pytest.fixture
def warehouse(postgresql_url: str) -> WarehouseResource:
    """An empty warehouse."""
    return WarehouseResource(url=postgresql_url)


@pytest.fixture
def lake(bucket: str) -> LakeResource:
    """An empty lake."""
    return LakeResource(uri=f"s3://{bucket}/a lake")


@pytest.fixture
def resources(warehouse: WarehouseResource, lake: LakeResource) -> dict[str, Any]:
    """What assets need to store tables and frames."""
    return {"tables": TableIOManager(warehouse=warehouse), "frames": FrameIOManager(lake=lake)}


globals().update(suite_of(test_table_io_manager, without=frozenset({"tmp_path"})))
