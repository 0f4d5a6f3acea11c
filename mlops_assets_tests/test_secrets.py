"""Where secrets could come to light: what Dagster shows of the code location, what a run records, what MLflow is told."""

import os
import subprocess
import sys

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap

from mlops_assets.definitions import build_defs
from mlops_assets.settings import Settings

SECRETS = {
    "MLOPS_WAREHOUSE_URL": "postgresql://me:nobody-may-see-1@db/tables",
    "MLOPS_DAGSTER_STORAGE_URL": "postgresql://me:nobody-may-see-2@db/dagster",
    "MLOPS_API_KEYS": "nobody-may-see-3",
    "MLOPS_ALERT_WEBHOOK_URL": "https://hooks.example.org/nobody-may-see-4",
    "SOCRATA_APP_TOKEN": "nobody-may-see-5",
    "MLFLOW_TRACKING_PASSWORD": "nobody-may-see-6",
    "AWS_SECRET_ACCESS_KEY": "nobody-may-see-7",
}
MARK = "nobody-may-see"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them are set."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def test_settings_show_none() -> None:
    settings = Settings(_env_file=None)

    assert MARK not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert MARK in str(settings.warehouse_url.get_secret_value())


@pytest.mark.filterwarnings("ignore:.*environment_vars")  # Dagster reads its own deprecated property
def test_code_location_shows_none() -> None:
    snapshot = RepositorySnap.from_def(build_defs().get_repository_def())

    shown = dg.serialize_value(snapshot)
    assert "MLOPS_WAREHOUSE_URL" in shown or "warehouse" in shown
    assert MARK not in shown


def test_pickles_are_forbidden_in_every_process_that_loads_models() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"}
    read = "from mlflow.environment_variables import MLFLOW_ALLOW_PICKLE_DESERIALIZATION as allowed; print(allowed.get())"

    # mlflow first, as Dagster's own integration imports it.
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"import mlflow; import mlops_assets.ml.registry; {read}"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout == "False\n"
