"""Ingesting forest cover's batch 8, 9 and 10 against 2, 3 and 4: at most 1.25 times the CPU, because a batch's cost is its own.

Always generated samples, one run for each batch in one process, so that imports, which would hide growth, count for the first batch only.
"""

import json
from collections.abc import Iterator

from benchmarks.measure import Row
from benchmarks.platform import Platform

BAR = 1.25
EARLY, LATE = ("02", "03", "04"), ("08", "09", "10")


def rows(platform: Platform) -> Iterator[Row]:
    """One row."""
    usage = platform.fresh("batches").program("ingest_batches")
    runs = json.loads(usage.output.splitlines()[-1])
    late, early = (sum(runs[batch]["cpu_seconds"] for batch in batches) / len(batches) for batches in (LATE, EARLY))
    note = f"{runs['10']['rows']:,} rows in the table after the last"
    yield Row("ingest_batches, CPU a batch", late, early, BAR, note=note)
