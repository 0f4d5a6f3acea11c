"""The ingest job of forest cover for batch 01 to 10, a run each, in one process.

Prints, by batch, the CPU seconds of the run and the rows in the table after it.
"""

import json
import time

import dagster as dg

from mlops_assets.definitions import build_defs
from mlops_assets.domains.forest_cover.spec import CADENCE, SAMPLES
from mlops_assets.partitions import partitions_of
from mlops_assets.settings import Settings
from mlops_assets.storage.warehouse import Warehouse


def main() -> None:
    """Ingests, prints."""
    job = build_defs().resolve_job_def("forest_cover_ingest")
    warehouse = Warehouse(Settings().warehouse_url.get_secret_value())
    runs = {}
    with dg.DagsterInstance.get() as instance:
        for batch in partitions_of(CADENCE).get_partition_keys():
            start = time.process_time()
            job.execute_in_process(instance=instance, partition_key=batch)
            runs[batch] = {"cpu_seconds": time.process_time() - start, "rows": warehouse.rows(SAMPLES).num_rows}
    print(json.dumps(runs))


if __name__ == "__main__":
    main()
