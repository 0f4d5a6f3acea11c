"""From raw rows of a year to a registered model: our lineage without a search against the old chain, at most 40 % of its CPU.

Each side is a fresh process, imports included, that starts from raw rows on disk (Parquet in the lake; CSV) with an empty registry. Ours
enriches all months, then trains up to the registered model, where the old chain ends; provenance and pictures are part of its time. What
the old chain has no counterpart of (second split, gate, parity, champion) is in a row without a bar. The old chain runs as its libraries
come, with OpenMP threads that spin, and again with OMP_WAIT_POLICY=PASSIVE; the bar is judged against that, which is less.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import Row, Usage, in_turn
from benchmarks.platform import Platform

BAR = 0.4
REPEATS = 2
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}
SHOWN = {"roc_auc": "AUC", "average_precision": "AP", "mcc": "MCC"}


def rows(platform: Platform) -> Iterator[Row]:
    """Against the chain with PASSIVE, then as it comes."""
    platform.ingested()
    models: dict[str, str] = {}

    def lineage(extent: str = "registered") -> float:
        usage = platform.with_raw_only("lineage").program("lineage", platform.months[0], platform.months[-1], extent)
        models["ours"] = metrics(usage)
        return usage.cpu_seconds

    def passive() -> float:
        usage = old_chain(platform, PASSIVE)
        models["theirs"] = metrics(usage)
        return usage.cpu_seconds

    spinning = old_chain(platform, {}).cpu_seconds
    ours, theirs = in_turn(lineage, passive, repeats=REPEATS)
    note = "; ".join(f"{side}: {model}" for side, model in models.items())
    yield Row("reference_chain, theirs with PASSIVE", ours, theirs, BAR, note=note)
    yield Row("reference_chain, theirs as it comes", ours, spinning)
    yield Row("reference_chain, our whole training job", lineage("whole"), theirs)


def old_chain(platform: Platform, environment: Mapping[str, str]) -> Usage:
    """One run of the old chain, on CSV files of the stored raw tables."""
    with TemporaryDirectory(dir=platform.home) as folder:
        write_csv(platform, Path(folder))
        return platform.program("reference_chain", folder, environment=environment)


def write_csv(platform: Platform, folder: Path) -> None:
    """The raw tables as the old chain downloads them."""
    platform.frame("raw_crimes").to_csv(folder / "crimes.csv", index=False)
    platform.frame("raw_police_stations").to_csv(folder / "police_stations.csv", index=False)


def metrics(usage: Usage) -> str:
    """What a program printed of its model."""
    found = json.loads(usage.output.splitlines()[-1])
    return " ".join(f"{title} {found[name]:.3f}" for name, title in SHOWN.items())
