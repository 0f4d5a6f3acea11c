"""Chicago's lineage from stored raw months to a registered model, in one process: what `reference_chain` is compared with.

    python -m benchmarks.programs.lineage FIRST LAST registered|whole

The raw tables of the months FIRST to LAST lie in the lake; the training has no search. It ends with the registered model, as the old chain
does, or is the whole job: also the second split, the gate, parity and the champion. Prints the model's metrics on the test rows.
"""

import json
import sys
from pathlib import Path

import dagster as dg

from mlops_assets.definitions import build_defs
from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.factories.release import release_assets
from mlops_assets.factories.training import training_assets
from mlops_assets.settings import Settings

ENRICH = dg.define_asset_job(
    "enrich", selection=dg.AssetSelection.keys("chicago_crime/enricher", "chicago_crime/enriched").without_checks()
)
BESIDE = ("split_comparison", "champion")
TO_REGISTERED = [
    key for asset in [*training_assets(CHICAGO_CRIME), *release_assets(CHICAGO_CRIME)] for key in asset.keys if key.path[-1] not in BESIDE
]
NO_SEARCH = {"ops": {"chicago_crime__model": {"config": {"trials": 0}}}}


def main() -> None:
    """Enriches, trains, prints."""
    first, last, extent = sys.argv[1:]
    defs = dg.Definitions.merge(build_defs(), dg.Definitions(jobs=[ENRICH]))
    months = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    with dg.DagsterInstance.get() as instance:
        defs.resolve_job_def("enrich").execute_in_process(instance=instance, tags=months)
        training = defs.resolve_job_def("chicago_crime_training")
        training.execute_in_process(
            instance=instance, partition_key=last, run_config=NO_SEARCH, asset_selection=TO_REGISTERED if extent == "registered" else None
        )
    print(json.dumps(stored_metrics(last)))


def stored_metrics(month: str) -> dict[str, float]:
    """The metrics that the lineage holds of the month's model."""
    from mlops_assets.storage.parquet import decode

    metrics, _ = decode((Path(Settings().lake_uri) / f"chicago_crime/evaluation/{month}.parquet").read_bytes())
    return dict(zip(metrics["metric"], metrics["value"], strict=True))


if __name__ == "__main__":
    main()
