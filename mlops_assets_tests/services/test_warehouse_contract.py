"""What the warehouse promises, on a real PostgreSQL server: the suite of `storage/warehouse/test_contract.py`."""

import pytest

from mlops_assets.storage.warehouse import Warehouse
from mlops_assets_tests.services.contract import suite_of
from mlops_assets_tests.storage.warehouse import test_contract
from mlops_assets_tests.storage.warehouse.conftest import OBSERVATIONS, observations  # noqa: F401  # a fixture

pytestmark = pytest.mark.services


@pytest.fixture
def warehouse(postgresql_url: str) -> Warehouse:
    """An empty warehouse; queries may read `observations`."""
    return Warehouse(postgresql_url, [OBSERVATIONS])


globals().update(suite_of(test_contract))
