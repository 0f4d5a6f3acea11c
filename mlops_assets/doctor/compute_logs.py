"""The bucket that keeps the output of runs, where a deployment sends it to one."""

from mlops_assets.doctor.lake import bucket
from mlops_assets.doctor.problem import Finding, Part
from mlops_assets.settings import Settings

PREFIX = "compute_logs"


def examine(settings: Settings, thorough: bool) -> list[Finding]:  # noqa: ARG001  # the probe is the cheapest question there is
    """That the output of runs can be stored; nothing if it stays on this machine."""
    name = settings.mlops_compute_logs_bucket
    return [bucket(Part.COMPUTE_LOGS, f"s3://{name}/{PREFIX}", "MLOPS_COMPUTE_LOGS_BUCKET")] if name else []
