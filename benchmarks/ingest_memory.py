"""Ingesting 48 months against 12: at most 1.2 times the peak memory, and at most 1.25 times the CPU for each row.

Always generated crimes: exports rarely hold four years. Fresh processes; CPU is the job's own, without imports, which would hide growth.
"""

import json
from collections.abc import Iterator

from benchmarks.measure import Row, Usage
from benchmarks.platform import Platform, running_platform, window

MEMORY_BAR, CPU_BAR = 1.2, 1.25
LAST = "2019-12"


def rows(_: Platform) -> Iterator[Row]:
    """Memory, then CPU."""
    with running_platform(None) as platform:
        usages = [ingest(platform, months) for months in (48, 12)]
    long, short = (json.loads(usage.output.splitlines()[-1])[0] for usage in usages)
    note = f"{long['rows']:,} rows against {short['rows']:,}"
    yield Row("ingest_memory, peak", usages[0].peak_mib, usages[1].peak_mib, MEMORY_BAR, unit="MiB", note=note)
    ours, theirs = (1e6 * run["cpu_seconds"] / run["rows"] for run in (long, short))
    yield Row("ingest_memory, CPU a row", ours, theirs, CPU_BAR, unit="us")


def ingest(platform: Platform, months: int) -> Usage:
    """One ingest of that many months."""
    keys = window(LAST, months)
    return platform.fresh(f"months_{months}").program("ingest", keys[0], keys[-1], "1")
