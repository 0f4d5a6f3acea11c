"""`mlops-assets` as a process of its own, with nothing in its environment but what a test gives it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

FOREIGN = ("MLOPS_", "MLFLOW_", "AWS_", "DAGSTER_", "SOCRATA_", "FOREST_", "DONOSTIA_", "STORAGE_EMULATOR_HOST", "GOOGLE_")
"""What the names of settings begin with."""


class Command:
    """A command that runs beside the test; what it says is in a file."""

    def __init__(self, home: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        home.mkdir(exist_ok=True)
        self._output = home / "output.txt"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlops_assets.cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**inherited, "COLUMNS": "200", "MLOPS_HOME": str(home), **(environment or {})},
            )

    @property
    def output(self) -> str:
        """What it has said up to now."""
        return self._output.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait(timeout=600)
