"""What a process of ours sets for itself before heavy libraries load, wherever it is started from."""

import os
import warnings

QUIET_DEFAULTS = {
    # OpenMP threads that spin while they wait burn several times the CPU time of the work.
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}

BETA_FEATURES = ("backfill_policy", "allow_nonexistent_upstream_partitions")


def prepare_process() -> None:
    """Sets what the operator has not set, and keeps Dagster's notices about the beta features that we chose out of every terminal."""
    for name, value in QUIET_DEFAULTS.items():
        os.environ.setdefault(name, value)
    from dagster import BetaWarning, PreviewWarning

    for feature in BETA_FEATURES:
        warnings.filterwarnings("ignore", f".*`{feature}`", BetaWarning)
    warnings.filterwarnings("ignore", "Specifying a partitions_def on an AssetCheckSpec", PreviewWarning)
