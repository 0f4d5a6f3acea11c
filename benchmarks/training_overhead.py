"""The training job with its default search, from the command line, against the same functions in a plain script: at most 1.5 times.

Both are fresh processes with imports; both find a champion in the registry, which they score. The job also stores every stage with its
lineage, writes Dagster's event log, logs trials and pictures to MLflow, and proves that the registered model repeats the lineage.
"""

import json
import shutil
from collections.abc import Iterator

from benchmarks.measure import Row, in_turn
from benchmarks.platform import Platform

BAR = 1.5
REPEATS = 2
WEAK = {"model": {"trials": 0}, "outliers_removed": {"deviations": 0.5}}
"""A champion that has seen a part of the rows: any training with the defaults beats it."""


def rows(platform: Platform) -> Iterator[Row]:
    """One row."""
    platform.ingested().train(WEAK)
    registry = platform.mlflow.with_suffix(".kept")
    shutil.copy(platform.mlflow, registry)
    printed = []

    def job() -> float:
        shutil.copy(registry, platform.mlflow)
        return platform.train().cpu_seconds

    def script() -> float:
        shutil.copy(registry, platform.mlflow)
        usage = platform.program("plain_training", str(platform.lake))
        printed.append(json.loads(usage.output.splitlines()[-1]))
        return usage.cpu_seconds

    ours, theirs = in_turn(job, script, repeats=REPEATS)
    metrics = platform.frame("evaluation")
    same = dict(zip(metrics["metric"], metrics["value"], strict=True)) == printed[-1]
    yield Row("training_overhead", ours, theirs, BAR, same=same, note=f"AP {printed[-1]['average_precision']:.4f} on both sides")
