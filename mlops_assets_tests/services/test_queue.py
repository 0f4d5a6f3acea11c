"""Runs of one pool wait for each other with Dagster on PostgreSQL, as a deployment sets it: the tests of `deploy/test_dagster.py`."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets_tests.deploy import test_dagster
from mlops_assets_tests.services.contract import suite_of

pytestmark = pytest.mark.services


@pytest.fixture
def local(bucket: str, postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance by the deployment's settings, that launches runs by noting them."""
    monkeypatch.setenv("MLOPS_DAGSTER_STORAGE_URL", postgresql_url)
    monkeypatch.setenv("MLOPS_COMPUTE_LOGS_BUCKET", bucket)
    monkeypatch.setenv("MLOPS_DAGSTER_DIR", str(tmp_path / "dagster"))
    launcher = {"module": "dagster._core.test_utils", "class": "MockedRunLauncher"}
    overrides = {**test_dagster._settings(test_dagster.DEPLOYMENT), "run_launcher": launcher}
    with dg.instance_for_test(overrides=overrides, temp_dir=str(tmp_path)) as instance:
        yield instance


globals().update({name: test for name, test in suite_of(test_dagster).items() if "_pool_" in name or "_limit_" in name})
