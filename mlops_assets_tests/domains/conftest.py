"""What tests of several systems' ingest need: local state for processes that share it, and a warehouse of each kind."""

from pathlib import Path

import dagster as dg
import pytest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """All local state, with Dagster's databases created before two runs would do it at once."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(folder)):
        return folder


@pytest.fixture(params=["duckdb", "postgresql"])
def warehouse_url(request: pytest.FixtureRequest, home: Path) -> str:
    """The address of an empty warehouse."""
    return f"duckdb:///{home / 'warehouse.duckdb'}" if request.param == "duckdb" else str(request.getfixturevalue("postgresql_url"))
