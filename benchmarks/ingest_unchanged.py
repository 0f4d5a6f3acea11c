"""Ingesting a year that is stored already and has not changed: no row is downloaded, and less than a quarter of the first time's CPU.

The bar is judged on the job's own CPU in a process that has imported everything. Beside it stand whole processes, started from the
command line: there imports are most of the second run, and nobody ingests a year twice in one process.
"""

import json
from collections.abc import Iterator

from benchmarks.measure import Row
from benchmarks.platform import Platform

BAR = 1 / 4


def rows(platform: Platform) -> Iterator[Row]:
    """The job, then the whole processes."""
    months = platform.months
    warmed = platform.fresh("unchanged")
    first, second = json.loads(warmed.program("ingest", months[0], months[-1], "2").output.splitlines()[-1])
    note = f"rows downloaded: {first['rows']:,} first, {second['rows']} again"
    yield Row("ingest_unchanged, the job", second["cpu_seconds"], first["cpu_seconds"], BAR, same=second["rows"] == 0, note=note)
    started = platform.fresh("unchanged_processes")
    theirs, ours = (started.ingest(months).cpu_seconds for _ in range(2))
    yield Row("ingest_unchanged, the process", ours, theirs)
