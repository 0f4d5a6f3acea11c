"""The platform on a folder of its own, fed by a sandbox that is a process of its own, for benchmarks to run jobs on.

Here belongs how a measured process is started and where it finds things; what is measured is the benchmarks' business.
"""

import compileall
import json
import os
import shutil
import site
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Usage, run_process
from mlops_assets.cli.sandbox import running_sandbox
from mlops_assets.domains.chicago_crime.spec import CADENCE, CHICAGO_CRIME
from mlops_assets.settings import PROJECT_DIR

if TYPE_CHECKING:
    import pandas as pd

GENERATED_LAST = "2017-12"
"""Of generated crimes the year that ends here is taken."""
RAW = ("raw_crimes", "raw_police_stations")
OPENMP = ("OMP_", "GOMP_", "KMP_")


@dataclass(frozen=True, slots=True)
class Platform:
    """State under `home`; `upstream` are the settings that lead to the sandbox, `months` the window of the training, oldest first."""

    home: Path
    upstream: Mapping[str, str]
    months: tuple[str, ...]

    @property
    def lake(self) -> Path:
        """Chicago's assets: `<stage>/<month>.<suffix>`."""
        return self.home / "lake" / CHICAGO_CRIME.name

    @property
    def mlflow(self) -> Path:
        """MLflow's database; artifacts stand beside it."""
        return self.home / "mlflow" / "mlflow.db"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of our own process with the platform's settings, and OpenMP as its libraries have it by default."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OPENMP)}
        return inherited | {
            "MLOPS_HOME": str(self.home),
            "MLOPS_LAKE_URI": str(self.home / "lake"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.mlflow}",
            "DAGSTER_HOME": str(PROJECT_DIR),
            "MLOPS_DAGSTER_DIR": str(self.home / "dagster"),
            **self.upstream,
        }

    def python(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Usage:
        """Runs Python with these arguments as a fresh process."""
        self.home.mkdir(parents=True, exist_ok=True)
        return run_process([sys.executable, *arguments], self.environment | dict(environment or {}), self.home)

    def program(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Usage:
        """Runs one of `benchmarks.programs`."""
        paths = [str(PROJECT_DIR), *filter(None, [os.environ.get("PYTHONPATH")])]
        path = {"PYTHONPATH": os.pathsep.join(paths)}
        return self.python("-m", f"benchmarks.programs.{name}", *arguments, environment=path | dict(environment or {}))

    def job(self, stage: str, tags: Mapping[str, str], ops: Mapping[str, Any] | None = None) -> Usage:
        """Runs `dagster job execute` for `chicago_crime_<stage>` with `ops` as the run config's."""
        self.home.mkdir(parents=True, exist_ok=True)
        config = self.home / "run_config.yaml"
        config.write_text(json.dumps({"ops": {f"{CHICAGO_CRIME.name}__{op}": {"config": value} for op, value in (ops or {}).items()}}))
        name, location = f"{CHICAGO_CRIME.name}_{stage}", "mlops_assets.definitions"
        return self.python(
            "-m", "dagster", "job", "execute", "-m", location, "-j", name, "--tags", json.dumps(dict(tags)), "--config", str(config)
        )

    def ingest(self, months: Sequence[str]) -> Usage:
        """Runs the ingest job for consecutive months."""
        return self.job("ingest", {"dagster/asset_partition_range_start": months[0], "dagster/asset_partition_range_end": months[-1]})

    def train(self, ops: Mapping[str, Any] | None = None) -> Usage:
        """Runs the training job for the last month."""
        return self.job("training", {"dagster/partition": self.months[-1]}, ops)

    def ingested(self) -> "Platform":
        """The same platform with its window in the lake; whoever asks first ingests it."""
        if not (self.lake / "enriched" / f"{self.months[-1]}.parquet").exists():
            self.ingest(self.months)
        return self

    def fresh(self, name: str) -> "Platform":
        """The same platform without any state, in a folder inside this one's."""
        return replace(self, home=self.home / name)

    def with_raw_only(self, name: str) -> "Platform":
        """The same platform anew, with nothing but the raw tables of the window."""
        copy = self.fresh(name)
        shutil.rmtree(copy.home, ignore_errors=True)
        for stage in RAW:
            shutil.copytree(self.ingested().lake / stage, copy.lake / stage)
        return copy

    def frame(self, stage: str) -> "pd.DataFrame":
        """A stage of the last month; of `raw_crimes` and `enriched`, all months of the window."""
        import pandas as pd

        from mlops_assets.storage.parquet import decode

        months = self.months if stage in ("raw_crimes", "enriched") else self.months[-1:]
        return pd.concat([decode((self.lake / stage / f"{month}.parquet").read_bytes())[0] for month in months], ignore_index=True)


@contextmanager
def running_platform(data: Path | None) -> Iterator[Platform]:
    """A platform in a temporary folder; `data` is a folder of real exports, of which the newest year is taken, None: generated crimes."""
    with TemporaryDirectory(prefix="benchmarks-") as folder, running_sandbox(data) as upstream:
        last = _newest_month(upstream) if data else GENERATED_LAST
        yield Platform(Path(folder), upstream, window(last))


def window(last: str, months: int = CADENCE.window) -> tuple[str, ...]:
    """The `months` months that end with `last` (`YYYY-MM`), oldest first."""
    year, month = map(int, last.split("-"))
    end = year * 12 + month
    return tuple(f"{(ordinal - 1) // 12}-{(ordinal - 1) % 12 + 1:02d}" for ordinal in range(end - months + 1, end + 1))


def compile_bytecode() -> None:
    """Compiles what is not compiled yet, so that no measured process has to: installers and settings differ in whether it is."""
    for folder in (*site.getsitepackages(), str(PROJECT_DIR / "mlops_assets"), str(PROJECT_DIR / "benchmarks")):
        compileall.compile_dir(folder, quiet=2, workers=0)


def _newest_month(upstream: Mapping[str, str]) -> str:
    from mlops_assets.domains.chicago_crime.ingest import partitions_to_ingest
    from mlops_assets.resources.socrata import SocrataResource

    return partitions_to_ingest({"socrata": SocrataResource(url=upstream["SOCRATA_URL"])}, None)[-1]
