"""The ingest job, several times in one process.

    python -m benchmarks.programs.ingest FIRST LAST TIMES

Ingests the months FIRST to LAST TIMES times. Before that, the first month goes into another lake, so that imports do not count.
Prints CPU seconds and rows downloaded of each time.
"""

import json
import sys
import time

import dagster as dg
import requests

from mlops_assets.definitions import build_defs
from mlops_assets.domains.chicago_crime.spec import CRIMES_DATASET
from mlops_assets.settings import Settings
from mlops_assets.storage.io_managers import ArtifactIOManager, FrameIOManager
from mlops_assets.storage.resource import LakeResource


def ingest(defs: dg.Definitions, instance: dg.DagsterInstance, first: str, last: str) -> dict[str, float]:
    """Runs the job; what it cost."""
    statistics = f"{Settings().socrata_url}/_sandbox/stats"
    requests.delete(statistics, timeout=60).raise_for_status()
    start = time.process_time()
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    defs.resolve_job_def("chicago_crime_ingest").execute_in_process(instance=instance, tags=tags)
    cpu_seconds = time.process_time() - start
    months = requests.get(statistics, timeout=60).json()[CRIMES_DATASET]["months"]
    return {"cpu_seconds": cpu_seconds, "rows": sum(month["rows"] for month in months.values())}


def main() -> None:
    """Warms up, ingests, prints."""
    first, last, times = sys.argv[1:]
    other = LakeResource(uri=str(Settings().home / "warm_up"))
    warm_up = build_defs(resources={"lake": other, "frames": FrameIOManager(lake=other), "artifacts": ArtifactIOManager(lake=other)})
    with dg.DagsterInstance.get() as instance:
        ingest(warm_up, instance, first, first)
        print(json.dumps([ingest(build_defs(), instance, first, last) for _ in range(int(times))]))


if __name__ == "__main__":
    main()
