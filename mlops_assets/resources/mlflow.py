"""MLflow as a Dagster resource: one MLflow run for each Dagster run, made by dagster-mlflow when an asset first asks for it.

Here belongs the tracking of runs. Models and versions are `ml/registry.py`'s. Nothing here imports mlflow before it is needed, so an
asset that requires the resource and does not use it pays nothing.
"""

import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import PrivateAttr

from mlops_assets.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

PARTITION_TAGS = ("dagster/partition", "dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@dataclass(frozen=True, slots=True)
class MlflowRun:
    """The MLflow run that belongs to the Dagster run. Everything it logs is one request."""

    client: "MlflowClient"
    run_id: str
    experiment_id: str
    ui_url: str

    @property
    def url(self) -> str:
        """The run's page in MLflow's UI."""
        return f"{self.ui_url.rstrip('/')}/#/experiments/{self.experiment_id}/runs/{self.run_id}"

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Logs the metrics."""
        self._log(self.run_id, metrics=metrics)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Logs the parameters as text."""
        self._log(self.run_id, params=params)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Sets the tags."""
        self._log(self.run_id, tags=tags)

    def log_figure_bytes(self, name: str, png: bytes) -> None:
        """Stores a picture as artifact `figures/<name>.png`."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.png"
            path.write_bytes(png)
            self.client.log_artifact(self.run_id, str(path), "figures")

    @contextmanager
    def trial(self, number: int, params: Mapping[str, Any], tags: Mapping[str, str] | None = None) -> Iterator[dict[str, float]]:
        """A nested run for one trial of a search; the metrics put into the yielded dictionary are logged when the block ends.

        The nested run is FAILED if the block raises.
        """
        parent = {"mlflow.parentRunId": self.run_id, "trial": str(number)}
        run = self.client.create_run(self.experiment_id, run_name=f"trial {number}", tags={**parent, **(tags or {})})
        metrics: dict[str, float] = {}
        status = "FAILED"
        try:
            yield metrics
            status = "FINISHED"
        finally:
            self._log(run.info.run_id, metrics=metrics, params=params)
            self.client.set_terminated(run.info.run_id, status)

    def _log(
        self,
        run_id: str,
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        self.client.log_batch(
            run_id,
            metrics=[Metric(name, float(value), now, 0) for name, value in (metrics or {}).items()],
            params=[Param(name, str(value)) for name, value in (params or {}).items()],
            tags=[RunTag(name, value) for name, value in (tags or {}).items()],
        )


class MlflowResource(dg.ConfigurableResource["MlflowResource"]):
    """Gives assets the MLflow run of their Dagster run: `mlflow.run(domain.name).log_metrics(...)`.

    Every MLflow run that was opened ends with the Dagster run: FINISHED, FAILED if a step failed, KILLED if it was terminated.
    """

    tracking_uri: str | None = None
    """Where to track; by default what `Settings` says."""

    _runs: dict[str, MlflowRun] = PrivateAttr(default_factory=dict)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["MlflowResource"]:
        """The resource for one execution; ends the MLflow runs afterwards."""
        try:
            yield self
        finally:
            for run in self._runs.values():
                _end(run, _status(_dagster_run(context), context.instance))

    def run(self, experiment: str) -> MlflowRun:
        """The MLflow run of this Dagster run in the experiment (the domain's name); opened on first use."""
        if experiment not in self._runs:
            self._runs[experiment] = self._open(experiment)
        return self._runs[experiment]

    def _open(self, experiment: str) -> MlflowRun:
        from mlops_assets.ml import registry  # sets MLflow's environment, so it comes before dagster-mlflow

        context = self.get_resource_context()
        dagster_run = _dagster_run(context)
        settings = Settings()
        tracking_uri = self.tracking_uri or settings.tracking_uri
        client = registry.connect(tracking_uri)
        registry.create_experiment(client, experiment, _artifact_location(tracking_uri))
        run_context = SimpleNamespace(
            log=context.log,
            run_id=dagster_run.run_id,
            dagster_run=SimpleNamespace(job_name=_run_name(dagster_run, experiment)),
            resource_config={
                "experiment_name": experiment,
                "mlflow_tracking_uri": tracking_uri,
                "extra_tags": {"dagster_run_url": f"{settings.dagster_ui_url.rstrip('/')}/runs/{dagster_run.run_id}"},
            },
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)  # all of dagster-mlflow is called beta
            from dagster_mlflow.resources import MlFlow

            tracking: Any = MlFlow  # it takes over all of mlflow's functions when it is made
            tracking.end_run()  # an open run of another experiment would be taken for this one's
            info = tracking(run_context).active_run().info
        return MlflowRun(client, info.run_id, info.experiment_id, settings.mlflow_ui_url)


def _artifact_location(tracking_uri: str) -> str | None:
    """Where a new experiment keeps its artifacts: beside a SQLite file; a server decides for itself (None)."""
    database = tracking_uri.removeprefix("sqlite:///")
    return None if database == tracking_uri else (Path(database).resolve().parent / "artifacts").as_uri()


def _dagster_run(context: dg.InitResourceContext) -> dg.DagsterRun:
    if context.run is None:
        raise RuntimeError("MLflow runs belong to Dagster runs: use this resource inside one")
    return context.run


def _run_name(run: dg.DagsterRun, experiment: str) -> str:
    """Job and partition; the experiment's name stands for a job that Dagster made up."""
    partitions = [run.tags[tag] for tag in PARTITION_TAGS if tag in run.tags]
    return " ".join([experiment if run.job_name.startswith("__") else run.job_name, "...".join(partitions)]).strip()


def _status(run: dg.DagsterRun, instance: dg.DagsterInstance | None) -> str:
    """MLflow's name for how the Dagster run went. A failed step raises nothing here, so the event log is asked."""
    if instance is None:
        return "FINISHED"
    current = instance.get_run_by_id(run.run_id)
    if current and current.status in (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED):
        return "KILLED"
    failures = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE, limit=1)
    return "FAILED" if failures.records else "FINISHED"


def _end(run: MlflowRun, status: str) -> None:
    import mlflow

    active = mlflow.active_run()
    if active and active.info.run_id == run.run_id:
        mlflow.end_run()
    run.client.set_terminated(run.run_id, status)
