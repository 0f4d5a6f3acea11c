"""Every setting of the platform: URLs, paths, credentials, and the default layout of local state.

The names are a contract with operators; a default layout lives here and nowhere else. Values come from the environment, then from
`.env` in the project folder, then from the defaults below. Nothing here touches the file system or the network.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_DIR = Path(__file__).resolve().parent.parent
"""The checkout: `dagster.yaml` and `.env` stand there."""
DUCKDB = "duckdb:///"


class SettingsError(ValueError):
    """Settings that cannot be used: every one of them, never a value."""

    def __init__(self, faults: dict[str, str]) -> None:
        self.faults = faults
        """By the name of the environment variable, what is wrong with it."""
        super().__init__("settings cannot be used: " + "; ".join(f"{name}: {fault}" for name, fault in faults.items()))


class Settings(BaseSettings):
    """The platform's settings; a field's upper-case name is its environment variable. SettingsError names all that cannot be used."""

    model_config = SettingsConfigDict(env_file=PROJECT_DIR / ".env", extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            faults = {"_".join(map(str, fault["loc"])).upper(): fault["msg"].removeprefix("Value error, ") for fault in error.errors()}
            raise SettingsError(faults) from None

    mlops_home: Path = PROJECT_DIR / ".mlops"
    mlops_lake_uri: str | None = None
    mlops_warehouse_url: SecretStr | None = None
    mlflow_tracking_uri: str | None = None
    mlops_lake_retention_days: int = Field(default=60, ge=3, le=3650)
    """How long a bucket keeps what only one training reads; `mlops-assets lake init` sets the rule. An hour may be due for two days."""
    mlops_compute_logs_bucket: str | None = None
    """The bucket in which a deployment keeps the output of runs, where dagster.yaml sends it to one."""
    mlflow_artifacts_destination: str | None = None
    """Where the MLflow server keeps its artifacts; its bucket is made beside the lake's."""
    mlops_dagster_storage_url: SecretStr | None = None
    """PostgreSQL of Dagster's own runs and events, where dagster.yaml says so; none: SQLite under MLOPS_HOME."""
    mlops_alert_webhook_url: SecretStr | None = None

    socrata_url: str = "https://data.cityofchicago.org"
    socrata_app_token: SecretStr | None = None
    socrata_page_rows: int = Field(default=50_000, ge=1)
    socrata_timeout_seconds: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    socrata_attempts: int = Field(default=5, ge=1)

    forest_api_url: str | None = None
    forest_group_number: int = Field(default=1, ge=1, le=10)
    forest_batch_seconds: float = Field(default=300.0, ge=0, allow_inf_nan=False)
    """How long the API stays with one batch; 0: every call gets the next one."""
    forest_timeout_seconds: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    forest_attempts: int = Field(default=5, ge=1)

    donostia_api_url: str = "https://www.donostia.eus/info/ciudadano/camaras_trafico.nsf/getParkings.xsp"
    donostia_burst_minutes: float = Field(default=0.0, ge=0, le=55, allow_inf_nan=False)
    """For how long an hour's run reads on; 0: one reading."""
    donostia_burst_seconds: float = Field(default=15.0, gt=0, allow_inf_nan=False)
    """Between the readings of a burst."""
    donostia_timeout_seconds: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    donostia_attempts: int = Field(default=5, ge=1)

    mlops_api_keys: SecretStr | None = None
    mlops_api_url: str = "http://127.0.0.1:8000"
    mlops_api_max_records: int = Field(default=10_000, ge=1)
    mlops_api_max_body_bytes: int = Field(default=16_000_000, ge=1)
    mlops_api_poll_seconds: float = Field(default=2.0, gt=0, allow_inf_nan=False)
    """How often the prediction API asks the registry for a new champion."""

    dagster_ui_url: str = "http://127.0.0.1:3000"
    mlflow_ui_url: str = "http://127.0.0.1:5000"

    @field_validator("mlflow_tracking_uri")
    @classmethod
    def _without_credentials(cls, uri: str | None) -> str | None:
        _, _, rest = (uri or "").partition("://")
        # The last @: a / or # in the password would end the host for urlsplit, which then finds no password.
        if not rest.startswith("/") and ":" in rest.rpartition("@")[0]:
            raise ValueError("must hold no password, it would stand in logs: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
        return uri

    @cached_property
    def home(self) -> Path:
        """Absolute folder of all local state; a relative MLOPS_HOME counts from the project folder."""
        return (PROJECT_DIR / self.mlops_home.expanduser()).resolve()

    @property
    def lake_uri(self) -> str:
        """Where frames and artifacts are stored: an absolute folder, `s3://bucket/prefix` or `gs://bucket/prefix`.

        A relative folder counts from the project folder.
        """
        uri = self.mlops_lake_uri or str(self.home / "lake")
        return uri if "://" in uri else str((PROJECT_DIR / Path(uri).expanduser()).resolve())

    @property
    def warehouse_url(self) -> SecretStr:
        """Where tables are: `duckdb:///file` (a relative file counts from the project folder), `postgresql://...`, `bigquery://project/dataset?location=EU`.

        A secret, because it may hold a password.
        """
        url = self.mlops_warehouse_url.get_secret_value() if self.mlops_warehouse_url else f"{DUCKDB}{self.home / 'warehouse.duckdb'}"
        if url.startswith(DUCKDB):
            url = f"{DUCKDB}{(PROJECT_DIR / Path(url.removeprefix(DUCKDB)).expanduser()).resolve()}"
        return SecretStr(url)

    @property
    def api_keys(self) -> tuple[str, ...]:
        """The prediction API's keys; none: predictions are open and administration is closed."""
        keys = self.mlops_api_keys.get_secret_value() if self.mlops_api_keys else ""
        return tuple(key.strip() for key in keys.split(",") if key.strip())

    @property
    def tracking_uri(self) -> str:
        """MLflow's tracking and registry address."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home / 'mlflow' / 'mlflow.db'}"
