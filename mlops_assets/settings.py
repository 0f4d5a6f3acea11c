"""Every setting of the platform: URLs, paths, credentials, and the default layout of local state.

The names are a contract with operators; a default layout lives here and nowhere else. Values come from the environment, then from
`.env` in the project folder, then from the defaults below. Nothing here touches the file system or the network.
"""

from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_DIR = Path(__file__).resolve().parent.parent
"""The checkout: `dagster.yaml` and `.env` stand there."""


class Settings(BaseSettings):
    """The platform's settings; a field's upper-case name is its environment variable."""

    model_config = SettingsConfigDict(env_file=PROJECT_DIR / ".env", extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    mlops_home: Path = PROJECT_DIR / ".mlops"
    mlops_lake_uri: str | None = None
    mlflow_tracking_uri: str | None = None
    mlops_alert_webhook_url: SecretStr | None = None

    socrata_url: str = "https://data.cityofchicago.org"
    socrata_app_token: SecretStr | None = None
    socrata_page_rows: int = Field(default=50_000, ge=1)
    socrata_timeout_seconds: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    socrata_attempts: int = Field(default=5, ge=1)

    dagster_ui_url: str = "http://127.0.0.1:3000"
    mlflow_ui_url: str = "http://127.0.0.1:5000"

    @field_validator("mlflow_tracking_uri")
    @classmethod
    def _without_credentials(cls, uri: str | None) -> str | None:
        if uri and urlsplit(uri).password:
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
    def tracking_uri(self) -> str:
        """MLflow's tracking and registry address."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home / 'mlflow' / 'mlflow.db'}"
