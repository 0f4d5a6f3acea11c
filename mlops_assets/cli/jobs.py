"""Jobs of the platform executed by this process, with a progress bar."""

from typing import TYPE_CHECKING, Any

from rich.console import Console

from mlops_assets.cli.progress import progress_of

if TYPE_CHECKING:
    import dagster as dg

MONITORING_JOB = "monitoring"


def execute(
    defs: "dg.Definitions",
    instance: "dg.DagsterInstance",
    job_name: str,
    console: Console,
    *,
    partitions: list[str] | None = None,
    partition: str | None = None,
    config: dict[str, Any] | None = None,
) -> "dg.ExecuteInProcessResult":
    """The job for a range of `partitions`, for one `partition`, or for none; it does not raise when a step fails."""
    from dagster._core.utils import make_new_run_id

    job = defs.resolve_job_def(job_name)
    run_id = make_new_run_id()
    quiet: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with progress_of(instance, run_id, job_name, len(job.nodes), console):
        return job.execute_in_process(
            run_config={**quiet, "ops": config or {}},
            instance=instance,
            partition_key=partition,
            raise_on_error=False,
            tags=_range_tags(partitions) if partitions else {},
            run_id=run_id,
        )


def _range_tags(partitions: list[str]) -> dict[str, str]:
    return {"dagster/asset_partition_range_start": partitions[0], "dagster/asset_partition_range_end": partitions[-1]}
