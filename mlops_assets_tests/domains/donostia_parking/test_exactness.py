"""The tables hold exactly what the landed payloads say, each reading once, in whatever way the processes that ingest them end.

Real runs in processes of their own ingest from the sandbox, each at the time that its test says. A run that is to be killed halts at a
place of the test's choice first, so every kill hits where its test says.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.domains.donostia_parking.spec import HOURLY_PARKING, RAW_PARKING, REJECTS
from mlops_assets.sandbox.donostia import DonostiaSandbox
from mlops_assets.storage.parquet import decode
from mlops_assets.storage.warehouse import Warehouse
from mlops_assets_tests.domains.ingesting import Ingester, listening

DAY = "2022-05-13"
RUNNING = f"{DAY}T08"
BURST = {"DONOSTIA_BURST_MINUTES": "1", "DONOSTIA_BURST_SECONDS": "20"}
"""Three readings."""
NO_COUNT, NEGATIVE = "closed", "-7"

Payloads = dict[datetime, tuple[Path, list[dict[str, Any]]]]
"""Time of capture -> the object in the lake and the properties of its features."""


def hour(number: int) -> str:
    """The key of an hour of the day."""
    return f"{DAY}T{number:02d}"


def moment(time: str) -> datetime:
    """A time of the day, UTC."""
    return datetime.fromisoformat(f"{DAY}T{time}+00:00")


class Parking:
    """Donostia's lake and warehouse, and two processes that fill them."""

    def __init__(self, home: Path, warehouse_url: str, one: Ingester, other: Ingester) -> None:
        self.one, self.other = one, other
        self._stages = home / "lake" / "donostia_parking"
        self._warehouse = Warehouse(warehouse_url)

    def ingest(self, first: str, last: str | None = None, **environment: str) -> None:
        """A run that nothing happens to."""
        self.one.start(first, last, **environment)
        assert self.one.says() == "success"

    def kill_at(self, place: str, key: str, *, after: int = 1, **environment: str) -> None:
        """A run that is killed when it is there for the `after`th time."""
        self.one.start(key, halt_at=place, **environment)
        assert self.one.says() == place
        for _ in range(after - 1):
            self.one.go_on()
            assert self.one.says() == place
        self.one.kill()

    def stored(self) -> dict[str, set[int]]:
        """Table -> the hours of the day that it has rows of."""
        return {table.name: {row["hour"].hour for row in self._rows(table)} for table in (RAW_PARKING, REJECTS, HOURLY_PARKING)}

    def landed(self) -> list[str]:
        """When the readings in the lake were captured; none of them twice."""
        return [f"{captured_at:%H:%M:%S}" for captured_at in sorted(self._payloads())]

    def require_exact(self) -> None:
        """Every table, and the raw frames, hold what the payloads say, nothing twice and nothing else."""
        payloads = self._payloads()
        bodies = [body for path in (self._stages / "raw_readings").glob("*.parquet") for body in decode(path.read_bytes())[0]["body"]]
        assert sorted(bodies) == sorted(path.read_text() for path, _ in payloads.values())
        assert _differences(self._rows(RAW_PARKING), _expected_parkings(payloads), ("lat", "lon")) == {}
        assert _differences(self._rows(REJECTS), _expected_rejects(payloads), ("feature",)) == {}
        assert _differences(self._rows(HOURLY_PARKING), _expected_hours(payloads), ("name",)) == {}

    def _rows(self, table: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._warehouse.rows(table).to_pylist()
        return rows

    def _payloads(self) -> Payloads:
        found: Payloads = {}
        for path in (self._stages / "readings").glob("*/*.json"):
            captured_at = datetime.strptime(path.name.partition("-")[0], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
            assert captured_at not in found, f"{path} has landed twice"
            found[captured_at] = path, [feature["properties"] for feature in json.loads(path.read_bytes())["features"]]
        return found


def _differences(stored: list[dict[str, Any]], expected: list[dict[str, Any]], ignored: tuple[str, ...]) -> dict[str, Any]:
    """What is lost and what is too many, rows counted without the columns that other tests look at."""
    have, want = (Counter(tuple(sorted((k, v) for k, v in row.items() if k not in ignored)) for row in rows) for rows in (stored, expected))
    return {name: rows for name, rows in (("lost", want - have), ("too many", have - want)) if rows}


def _first_moment(captured_at: datetime) -> datetime:
    return captured_at.replace(minute=0, second=0, microsecond=0)


def _expected_parkings(payloads: Payloads) -> list[dict[str, Any]]:
    return [
        {
            **{"timestamp": captured_at, "hour": _first_moment(captured_at), "parking_id": parking["noteId"], "name": parking["nombre"]},
            **{"free": int(parking["libres"]), "total": int(parking["plazasRotatorias"])},
        }
        for captured_at, (_, parkings) in payloads.items()
        for parking in parkings
        if parking["libres"] != NO_COUNT
    ]


def _expected_rejects(payloads: Payloads) -> list[dict[str, Any]]:
    return [
        {
            **{"timestamp": captured_at, "hour": _first_moment(captured_at), "reading": path.stem, "feature_number": number},
            "reason": "libres is no whole number",
        }
        for captured_at, (path, parkings) in payloads.items()
        for number, parking in enumerate(parkings)
        if parking["libres"] == NO_COUNT
    ]


def _expected_hours(payloads: Payloads) -> list[dict[str, Any]]:
    """Of each hour, the last count of every car park, and the sum of them."""
    hours: dict[datetime, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(_expected_parkings(payloads), key=lambda row: row["timestamp"]):
        hours[row["hour"]].append(row)
    expected = []
    for first, rows in hours.items():
        last = {row["parking_id"]: row for row in rows}
        often = Counter(row["parking_id"] for row in rows)
        common = {"hour": first}
        parkings = [
            {
                **common,
                **{"parking_id": key, "free": max(0, row["free"]), "total": row["total"]},
                **{"readings": often[key], "parkings": 1, "clipped": int(row["free"] < 0)},
            }
            for key, row in last.items()
        ]
        city = {name: sum(row[name] for row in parkings) for name in ("free", "total", "parkings", "clipped")}
        readings = len({row["timestamp"] for row in rows})
        expected += [*parkings, {**common, **city, "parking_id": None, "readings": readings}]
    return expected


class Ticking:
    """The sandbox's clock: every look at it is seven seconds after the one before, so that no two answers of now are alike."""

    def __init__(self) -> None:
        self._now = moment("08:50:00")

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=7)
        return self._now


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the process listens that forks ingesters."""
    with listening(Path(__file__).with_name("ingester.py")) as port:
        yield port


@pytest.fixture
def parking(home: Path, warehouse_url: str, port: int) -> Iterator[Parking]:
    """Nothing is stored yet; the feed has a car park without a count and one with a negative count. It is ten to nine."""
    with DonostiaSandbox(clock=Ticking()) as feed:
        feed.faults.add("free", times=None, parking="Atotxa", value=NO_COUNT)
        feed.faults.add("free", times=None, parking="Easo", value=NEGATIVE)
        environment = {
            **{"DAGSTER_HOME": str(home), "MLOPS_HOME": str(home), "MLOPS_LAKE_URI": str(home / "lake")},
            **{"MLOPS_WAREHOUSE_URL": warehouse_url, "DONOSTIA_API_URL": feed.url, "DONOSTIA_BURST_MINUTES": "0"},
            "NOW": moment("08:50:00").isoformat(),
        }
        one, other = Ingester(port, environment), Ingester(port, environment)
        try:
            yield Parking(home, warehouse_url, one, other)
        finally:
            one.kill()
            other.kill()


def test_runs_killed_on_the_way_are_made_good_by_the_next_ones(parking: Parking) -> None:
    parking.kill_at("landed", hour(5))
    assert parking.landed() == ["05:59:59"]
    assert parking.stored() == {"raw_parking": set(), "parking_rejects": set(), "hourly_parking": set()}
    parking.ingest(hour(5))

    parking.kill_at("raw_parking", hour(6))
    assert parking.stored() == {"raw_parking": {5, 6}, "parking_rejects": {5}, "hourly_parking": {5}}
    parking.ingest(hour(6))

    parking.kill_at("slept", RUNNING, after=2, **BURST)
    assert parking.landed() == ["05:59:59", "06:59:59", "08:50:00", "08:50:20"]
    parking.ingest(RUNNING, NOW=moment("08:52:00").isoformat())

    assert parking.landed() == ["05:59:59", "06:59:59", "08:50:00", "08:50:20", "08:52:00"]
    parking.require_exact()


def test_hours_again_a_burst_and_an_hour_without_a_run(parking: Parking) -> None:
    parking.ingest(hour(4), hour(6))
    parking.ingest(hour(5))
    for time in ("08:50:00", "08:55:00"):
        parking.ingest(RUNNING, NOW=moment(time).isoformat(), **BURST)
    parking.ingest(hour(4), hour(5))

    bursts = [f"08:{minute}:{second}" for minute in (50, 55) for second in ("00", "20", "40")]
    assert parking.landed() == ["04:59:59", "05:59:59", "06:59:59", *bursts]
    assert set(map(frozenset, parking.stored().values())) == {frozenset({4, 5, 6, 8})}
    parking.require_exact()


def test_two_runs_of_an_hour_at_once(parking: Parking) -> None:
    """One of them may fail, because the other landed or replaced something meanwhile; the next run merges it. None fails silently."""
    parking.one.start(RUNNING, **BURST)
    parking.other.start(RUNNING, NOW=moment("08:50:07").isoformat(), **BURST)
    ends = {parking.one.says(), parking.other.says()}
    both = ["08:50:00", "08:50:07", "08:50:20", "08:50:27", "08:50:40", "08:50:47"]
    assert ends <= {"success", "failure"}
    assert parking.landed() == both

    if "failure" in ends:
        parking.ingest(RUNNING, NOW=moment("08:52:00").isoformat())
        both.append("08:52:00")

    assert parking.landed() == both
    parking.require_exact()


@pytest.mark.parametrize("warehouse_url", ["duckdb"], indirect=True)
@pytest.mark.parametrize(("place", "end"), [("landed", "success"), ("collected", "failure"), ("raw_parking", "failure")])
def test_a_run_overtaken_by_another_one_of_its_hour(parking: Parking, place: str, end: str) -> None:
    """Once it has collected its readings it cannot know of the other's; what it then replaces, it must say."""
    parking.one.start(RUNNING, halt_at=place)
    assert parking.one.says() == place
    parking.other.start(RUNNING, NOW=moment("08:51:00").isoformat())
    assert parking.other.says() == "success"

    parking.one.go_on()

    assert parking.one.says() == end
    if end == "failure":
        parking.ingest(RUNNING, NOW=moment("08:52:00").isoformat())
    assert parking.landed() == ["08:50:00", "08:51:00", "08:52:00"][: 2 if end == "success" else 3]
    parking.require_exact()
