"""An MLflow server as a deployment runs it: PostgreSQL behind it, artifacts served through it out of the S3 store."""

import sys
from collections.abc import Mapping
from pathlib import Path

import requests

from mlops_assets_tests.services.processes import Process, free_ports

ALLOWED_HOSTS = ("mlflow:5000", "localhost:*", "127.0.0.1:*")
"""What a client may call it; it refuses every other name, so that no web page can reach it through a name of its own."""


class MlflowServer:
    """A server started when this is made. `backend` is PostgreSQL's address, `artifacts` an `s3://` one."""

    def __init__(self, folder: Path, backend: str, artifacts: str, environment: Mapping[str, str]) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        options = {
            "--host": "127.0.0.1",
            "--port": str(port),
            "--workers": "1",
            "--artifacts-destination": artifacts,
            "--allowed-hosts": ",".join(ALLOWED_HOSTS),
        }
        settings = {
            # Not an option: a command line is there for all to see.
            "MLFLOW_BACKEND_STORE_URI": backend,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        command = [sys.executable, "-m", "mlflow", "server", *(word for option in options.items() for word in option)]
        self._process = Process(command, folder / "mlflow.log", env={**environment, **settings})
        self.start()

    @property
    def version(self) -> str:
        """What it says of itself."""
        return f"MLflow {requests.get(f'{self.url}/version', timeout=30).text} at {self.url}"

    def stop(self) -> None:
        """Ends the server."""
        self._process.stop()

    def start(self) -> None:
        """Starts it again on the same port."""
        self._process.start(self._answers)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/health", timeout=5).ok
        except requests.RequestException:
            return False
