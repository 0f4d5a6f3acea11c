"""Asks the champion of forest cover in this process, as the API asks it, and writes the requests that servers are asked with.

    python -m benchmarks.programs.direct_batches RECORDS CALLS

Prints the mean seconds of a call with RECORDS records, request bodies (`one` record, a `batch`, one record for `mlflow`), and an answer.
"""

import json
import sys
import time
from typing import Any

from mlops_assets.domains.forest_cover.spec import FOREST_COVER
from mlops_assets.domains.forest_cover.transforms import parse_answer
from mlops_assets.ml import registry
from mlops_assets.ml.chain import raw_records
from mlops_assets.sandbox.forest_cover.terrain import GeneratedSamples
from mlops_assets.settings import Settings

VARIETY = 50
"""Different requests with one record."""


def main() -> None:
    """Loads, asks, prints."""
    count, calls = map(int, sys.argv[1:])
    registry.connect(Settings().tracking_uri)
    served = registry.load_for_serving(f"models:/{FOREST_COVER.model_name}@champion")
    samples, _ = parse_answer(f'{{"data": [{", ".join(GeneratedSamples(7, 2 * count).batch(1))}]}}')
    records: list[dict[str, Any]] = json.loads(raw_records(samples, FOREST_COVER)[:count].to_json(orient="records"))
    served.answer(records)
    start = time.perf_counter()
    for _ in range(calls):
        served.answer(records)
    seconds = (time.perf_counter() - start) / calls
    first = served.answer(records[:1])
    answer = {
        "model": FOREST_COVER.name,
        "model_version": "1",
        "predictions": first.labels.tolist(),
        "probabilities": first.probabilities.tolist(),
    }
    bodies = {
        "one": [json.dumps({"records": [record]}) for record in records[:VARIETY]],
        "batch": [json.dumps({"records": records})],
        "mlflow": [json.dumps({"dataframe_records": [record]}) for record in records[:VARIETY]],
    }
    print(json.dumps({"seconds": seconds, "bodies": bodies, "answer": json.dumps(answer)}))


if __name__ == "__main__":
    main()
