"""The process that ingests forest cover, and where it can be halted."""

from mlops_assets.domains.forest_cover import ingest
from mlops_assets.domains.forest_cover.landing import Landing
from mlops_assets.domains.forest_cover.spec import SAMPLES
from mlops_assets.resources.forest_api import ForestApiClient
from mlops_assets.storage.warehouse import Transaction, stamps
from mlops_assets_tests.domains.ingester import Place, serve

PLACES = {
    "received": Place(ForestApiClient, "fetch"),
    "landed": Place(Landing, "accept"),
    "collected": Place(ingest, "collect"),
    "merging": Place(Transaction, "write", SAMPLES),
    "merged": Place(stamps, "write_partitions", SAMPLES),
}

if __name__ == "__main__":
    serve("forest_cover_ingest", PLACES)
