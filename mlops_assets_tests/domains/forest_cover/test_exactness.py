"""The table holds exactly the distinct observations that were served, in whatever way the processes that ingest them end.

Real runs in processes of their own ingest from the sandbox, which stays with a batch until the test moves its clock. A run that is to be
killed halts at a place of the test's choice first, so every kill hits where its test says.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from mlops_assets.domains.forest_cover.assets import ENRICHED
from mlops_assets.domains.forest_cover.automation import due_batch
from mlops_assets.domains.forest_cover.landing import Landing
from mlops_assets.domains.forest_cover.spec import REJECTS, SAMPLES
from mlops_assets.domains.forest_cover.transforms import FIELDS
from mlops_assets.partitions import batch_key
from mlops_assets.sandbox.forest_cover import ForestCoverSandbox
from mlops_assets.sandbox.forest_cover.samples import COLUMNS
from mlops_assets.sandbox.forest_cover.terrain import GeneratedSamples
from mlops_assets.storage.parquet import decode
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.warehouse import Warehouse
from mlops_assets_tests.domains.ingesting import Ingester, listening

BATCHES = [f"{number:02d}" for number in range(1, 11)]
BATCH_SECONDS = 300.0
FAR_SECONDS = 86_400.0
"""The sensor takes the API to stay this long with a batch, so that only what has landed and is not merged is due."""
ROWS, DIFFERENT = 2_000, 600
SOIL = COLUMNS.index("Soil_Type")
UNKNOWN_SOIL = "C0000"

Observation = tuple[float | str, ...]


class Clock:
    """The sandbox's seconds; they pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Forest:
    """Forest cover's lake and warehouse, and the batch API that they are filled from."""

    def __init__(self, home: Path, warehouse_url: str, api: ForestCoverSandbox, clock: Clock, one: Ingester, other: Ingester) -> None:
        self.one, self.other = one, other
        self._api, self._clock = api, clock
        self._lake = LakeResource(uri=str(home / "lake"))
        self._warehouse = Warehouse(warehouse_url)

    def next_batch(self) -> None:
        """The API hands out its next batch from now on."""
        self._clock.now += BATCH_SECONDS

    def ingest(self, first: str, last: str | None = None) -> None:
        """A run that nothing happens to."""
        self.one.start(first, last)
        assert self.one.says() == "success"

    def kill_at(self, place: str, batch: str) -> None:
        """A run that is killed there."""
        self.one.start(batch, halt_at=place)
        assert self.one.says() == place
        self.one.kill()

    def due(self) -> str | None:
        """The batch whose answers have landed but are not all merged, as the sensor sees it."""
        found = due_batch(self._lake, FAR_SECONDS, datetime.now(UTC))
        return None if isinstance(found, dg.SkipReason) else found

    def landed(self, batch: str) -> int:
        """How many answers of the batch are in the lake."""
        return len(Landing(self._lake.lake).answers(batch))

    def merged(self) -> set[str]:
        """The batches that have brought observations into the table."""
        return {batch_key(number) for _, number in self._stored()}

    def require_exact(self) -> None:
        """Each observation that was served is stored once, under the first batch that it was in; enriched frames hold the same."""
        stored, served = self._stored(), self._served()
        assert {"lost": served - stored, "too many": stored - served} == {"lost": Counter(), "too many": Counter()}
        assert served.total() < sum(len(answer.json_rows) for answer in self._api.served)  # or nothing came twice
        samples = self._warehouse.rows(SAMPLES)["sample_id"].to_pylist()
        frames = [decode(self._lake.lake.read(f"{ENRICHED}/{batch}.parquet"))[0] for batch in self._lake.partitions(ENRICHED)]
        assert sorted(name for frame in frames for name in frame["sample_id"]) == sorted(samples)

    def require_all_rejects(self) -> None:
        """Each unusable row is set aside as often as it was served."""
        unusable = [json.dumps(row) for answer in self._api.served for row in answer.rows if row[SOIL] == UNKNOWN_SOIL]
        assert unusable
        assert sorted(self._warehouse.rows(REJECTS)["row"].to_pylist()) == sorted(unusable)

    def _stored(self) -> Counter[tuple[Observation, int]]:
        """How often the table holds each observation, with the batch that it was first seen in."""
        rows = self._warehouse.rows(SAMPLES).to_pylist()
        return Counter((tuple(row[name] for name in FIELDS), row["first_seen_batch"]) for row in rows)

    def _served(self) -> Counter[tuple[Observation, int]]:
        """Each observation that was served, once, with the first batch that it was in."""
        first: dict[Observation, int] = {}
        for answer in self._api.served:
            for row in answer.rows:
                if row[SOIL] != UNKNOWN_SOIL:
                    first.setdefault((*map(float, row[:10]), *row[10:12], int(row[12])), answer.batch_number)
        return Counter(first.items())


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the process listens that forks ingesters."""
    with listening(Path(__file__).with_name("ingester.py")) as port:
        yield port


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """Rows as the real file has them: each observation several times, some of them written in two ways, and a few unusable rows."""
    different = GeneratedSamples(11, DIFFERENT).batch(1)
    rows = [json.loads(different[number]) for number in np.random.default_rng(11).integers(DIFFERENT, size=ROWS)]
    for row in rows[::50]:
        row[SOIL] = UNKNOWN_SOIL
    for row in rows[1::20]:
        row[0] += ".0"
    (tmp_path / "covertype.csv").write_text("".join(f"{','.join(row)}\n" for row in [COLUMNS, *rows]))
    return tmp_path


@pytest.fixture
def api_options() -> dict[str, Any]:
    """A call gets a random tenth of the present batch."""
    return {"batch_seconds": BATCH_SECONDS, "whole_batches": False}


@pytest.fixture
def forest(home: Path, exports: Path, warehouse_url: str, api_options: dict[str, Any], port: int) -> Iterator[Forest]:
    clock = Clock()
    with ForestCoverSandbox(replay=exports, clock=clock, **api_options) as api:
        environment = {
            "DAGSTER_HOME": str(home),
            "MLOPS_HOME": str(home),
            "MLOPS_LAKE_URI": str(home / "lake"),
            "MLOPS_WAREHOUSE_URL": warehouse_url,
            "FOREST_API_URL": api.url,
            "FOREST_GROUP_NUMBER": "1",
        }
        one, other = Ingester(port, environment), Ingester(port, environment)
        try:
            yield Forest(home, warehouse_url, api, clock, one, other)
        finally:
            one.kill()
            other.kill()


@pytest.mark.parametrize("api_options", [{"batch_seconds": 0.0}], ids=["a batch a call"])
def test_ten_batches_in_one_run(forest: Forest) -> None:
    forest.ingest(BATCHES[0], BATCHES[-1])

    forest.require_exact()
    forest.require_all_rejects()


def test_three_runs_killed_on_the_way_are_made_good_by_the_next_ones(forest: Forest) -> None:
    kills = {"02": "landed", "05": "merging", "08": "merged"}
    for batch in BATCHES:
        if batch in kills:
            forest.kill_at(kills[batch], batch)
            assert forest.due() == batch
            assert (batch in forest.merged()) is (kills[batch] == "merged")
        forest.ingest(batch)
        forest.next_batch()

    forest.require_exact()
    forest.require_all_rejects()


@pytest.mark.parametrize("api_options", [{"batch_seconds": BATCH_SECONDS, "whole_batches": True}], ids=["whole batches"])
@pytest.mark.parametrize("warehouse_url", ["duckdb"], indirect=True)
def test_an_answer_lost_before_it_landed_is_asked_for_again(forest: Forest) -> None:
    """Held with whole batches: a random tenth that is lost here is gone for good, for the API does not remember what it sent."""
    forest.kill_at("received", "01")
    assert forest.landed("01") == 0

    forest.ingest("01")

    forest.require_exact()


def test_two_runs_of_a_batch_at_once(forest: Forest) -> None:
    """One of them may fail, because the other replaced what it was about to read; what it brought is merged by the other or the next."""
    for batch in BATCHES[:2]:
        forest.one.start(batch)
        forest.other.start(batch)
        assert {forest.one.says(), forest.other.says()} <= {"success", "failure"}
        if forest.due():
            forest.ingest(batch)
        forest.next_batch()

    forest.require_exact()
    forest.require_all_rejects()


@pytest.mark.parametrize("warehouse_url", ["duckdb"], indirect=True)
@pytest.mark.parametrize(
    ("place", "end", "due"),
    [
        ("collected", "success", "01"),  # it has stored the raw batch without the answer of the one that overtook it
        ("merged", "failure", None),
    ],
)
def test_a_run_overtaken_by_another_one_of_its_batch(forest: Forest, place: str, end: str, due: str | None) -> None:
    forest.one.start("01", halt_at=place)
    assert forest.one.says() == place
    forest.other.start("01")
    assert forest.other.says() == "success"

    forest.one.go_on()

    assert forest.one.says() == end
    assert forest.due() == due
    if due:
        forest.ingest(due)
    forest.require_exact()
    forest.require_all_rejects()
