"""What a process of ours sets for itself before heavy libraries load, wherever it is started from."""

import gc
import os
import warnings

QUIET_DEFAULTS = {
    # OpenMP threads that spin while they wait burn several times the CPU time of the work.
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}

FORCED = {
    # A pickle runs code when it is loaded, and whoever reaches MLflow can register one.
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}

BETA_FEATURES = ("backfill_policy", "allow_nonexistent_upstream_partitions")


def prepare_process() -> None:
    """Sets in the environment what the operator has not set, and what nobody may set otherwise."""
    for name, value in QUIET_DEFAULTS.items():
        os.environ.setdefault(name, value)
    os.environ.update(FORCED)


def collect_garbage_rarely() -> None:
    """For a training: loading pandas, scikit-learn and MLflow makes hundreds of thousands of objects that all stay.

    By default they are gone through hundreds of times, a twentieth of the CPU time. Not for an ingest: a long range of partitions leaves
    much behind that must be found soon.
    """
    gc.set_threshold(50_000, 20, 100)


def hide_notices_of_chosen_features() -> None:
    """Keeps Dagster's notices about the beta and preview features that the platform chose out of every terminal."""
    from dagster import BetaWarning, PreviewWarning

    for feature in BETA_FEATURES:
        warnings.filterwarnings("ignore", f".*`{feature}`", BetaWarning)
    warnings.filterwarnings("ignore", "Specifying a partitions_def on an AssetCheckSpec", PreviewWarning)
