"""The process that ingests car parks, and where it can be halted. Its time is `NOW` of its environment, and goes on when it sleeps."""

import os
from datetime import datetime, timedelta

import pytest

from mlops_assets.domains.donostia_parking import ingest
from mlops_assets.domains.donostia_parking.ingest import ReadingLanding
from mlops_assets.domains.donostia_parking.spec import RAW_PARKING
from mlops_assets.resources.donostia_api import DonostiaResource
from mlops_assets.storage.warehouse import stamps
from mlops_assets_tests.domains.ingester import Place, serve

PLACES = {
    "landed": Place(ReadingLanding, "accept"),
    "collected": Place(ingest, "require_landed"),
    "slept": Place(DonostiaResource, "sleep"),
    "raw_parking": Place(stamps, "write_partitions", RAW_PARKING),
}


def set_clock(patch: pytest.MonkeyPatch) -> None:
    """The time of one run."""
    now = datetime.fromisoformat(os.environ["NOW"])

    def sleep(_: DonostiaResource, seconds: float) -> None:
        nonlocal now
        now += timedelta(seconds=seconds)

    patch.setattr(DonostiaResource, "now", lambda _: now)
    patch.setattr(DonostiaResource, "sleep", sleep)


if __name__ == "__main__":
    serve("donostia_parking_ingest", PLACES, set_clock)
