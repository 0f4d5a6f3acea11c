"""Which benchmarks there are, and running one of them."""

import multiprocessing
import sys
from importlib import import_module

from benchmarks.platform import Platform

NAMES = (
    "import_definitions",
    "nearest_station",
    "mutual_information",
    "ingest_unchanged",
    "ingest_memory",
    "reference_chain",
    "training_overhead",
    "ingest_batches",
    "serving",
    "forecasting",
    "hourly_history",
)
"""Modules of this package with a function `rows(platform)`."""


def holds(name: str, platform: Platform) -> bool:
    """Runs a benchmark and prints its rows; whether it ran and all bars are reached.

    It has a process of its own, because the peak memory of a process starts with that of the one that started it.
    """
    process = multiprocessing.get_context("spawn").Process(target=_print_rows, args=(name, platform))
    process.start()
    process.join()
    return process.exitcode == 0


def _print_rows(name: str, platform: Platform) -> None:
    rows = []
    for row in import_module(f"benchmarks.{name}").rows(platform):
        print(row, flush=True)
        rows.append(row)
    sys.exit(0 if all(row.holds for row in rows) else 1)
