"""Ingest through the real job and HTTP: what is landed, what is a gap, what a burst keeps, and what a failure says."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.domains.donostia_parking.ingest import Burst, collect, partitions_to_ingest
from mlops_assets.domains.donostia_parking.spec import HOURLY_PARKING, RAW_PARKING, REJECTS
from mlops_assets.resources.donostia_api import DonostiaClient, NoHistoryError, Reading
from mlops_assets.sandbox.donostia import PARKINGS, DonostiaSandbox

NOW_HOUR = "2022-05-13T08"
KEPT = "What is stored stays as it was."


def _forget(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """From now on the upstream keeps no history, as the real one; gives the times that it is asked for."""
    asked: list[datetime] = []
    reading = DonostiaClient.reading

    def forgetful(client: DonostiaClient, at: datetime | None = None) -> Reading | None:
        if at is None:
            return reading(client)
        asked.append(at)
        raise NoHistoryError("the answer is of now, for the upstream keeps no history.")

    monkeypatch.setattr(DonostiaClient, "reading", forgetful)
    return asked


def _collect(platform: Any, *hours: str, **burst: timedelta) -> tuple[dict[str, list[Any]], list[str], list[str]]:
    """The ingest's own step, without a run; what is landed, and what it tells and warns of."""
    told: list[str] = []
    warned: list[str] = []
    with platform.donostia_api.client() as client:
        landed = collect(client, platform.landing, hours, Burst(**burst), tell=told.append, warn=warned.append)
    return landed, told, warned


def _collect_fails(platform: Any, *hours: str) -> str:
    with pytest.raises(dg.Failure) as caught:
        _collect(platform, *hours)
    return str(caught.value.description)


def _bodies(platform: Any, folder: str) -> list[bytes]:
    lake = platform.lake.lake
    return [lake.read(key) for key in lake.keys(f"donostia_parking/{folder}")]


def test_the_running_hour_goes_from_the_payload_to_the_city(platform: Any) -> None:
    result = platform.ingest(NOW_HOUR)

    assert result.success
    (body,) = _bodies(platform, f"readings/{NOW_HOUR}")
    assert platform.frame("raw_readings", NOW_HOUR)["body"].tolist() == [body.decode()]
    assert len(platform.rows(RAW_PARKING, NOW_HOUR)) == len(PARKINGS)
    assert platform.rows(REJECTS, NOW_HOUR).empty
    assert platform.city() == {NOW_HOUR: platform.free(platform.clock.now)}
    assert len(platform.rows(HOURLY_PARKING, NOW_HOUR)) == len(PARKINGS) + 1
    assert platform.metadata("raw_readings", NOW_HOUR)["largest_clock_skew_seconds"] == 0.0
    assert set(platform.findings(result)) <= {"counts_are_plausible"}


def test_a_range_of_past_hours_is_one_run_with_the_archives_last_state_of_each(platform: Any) -> None:
    assert platform.ingest("2022-05-13T04", "2022-05-13T07").success

    ends = {f"2022-05-13T{hour:02d}": datetime(2022, 5, 13, hour, 59, 59, tzinfo=UTC) for hour in range(4, 8)}
    assert platform.city() == {hour: platform.free(end) for hour, end in ends.items()}
    assert platform.materialized("enriched") == set(ends)
    assert platform.frame("raw_readings", "2022-05-13T05")["captured_at"].tolist() == [ends["2022-05-13T05"]]


def test_a_rerun_changes_nothing_but_adds_a_reading_of_now_to_the_running_hour(platform: Any) -> None:
    assert platform.ingest("2022-05-13T07", NOW_HOUR).success
    first = platform.rows(RAW_PARKING)
    platform.clock.sleep(60)

    assert platform.ingest("2022-05-13T07", NOW_HOUR).success

    after = platform.rows(RAW_PARKING)
    assert len(after) - len(first) == len(PARKINGS)
    assert not after.duplicated(["timestamp", "parking_id"]).any()
    assert len(platform.rows(RAW_PARKING, "2022-05-13T07")) == len(PARKINGS)
    assert platform.city()[NOW_HOUR] == platform.free(platform.clock.now)


def test_equal_payloads_at_two_times_are_two_readings_and_at_one_time_one(platform: Any) -> None:
    platform.feed.faults.add("frozen", times=None, since="2022-05-13T08:00:00Z")
    for seconds in (0, 0, 30):
        platform.clock.sleep(seconds)
        landed, _, _ = _collect(platform, NOW_HOUR)

    assert len(landed[NOW_HOUR]) == 2
    assert len({reading.content for reading in landed[NOW_HOUR]}) == 1


def test_of_two_payloads_with_one_time_of_capture_the_first_stays(platform: Any) -> None:
    first, _, _ = _collect(platform, NOW_HOUR)
    platform.feed.faults.add("free", parking="Atotxa", value="1")

    assert _collect(platform, NOW_HOUR)[0] == first
    assert len(platform.landing.answers(NOW_HOUR)) == 1


def test_a_burst_lands_each_reading_at_once_with_a_line_for_each(platform: Any) -> None:
    landed_at_sleep: list[int] = []
    platform.clock.at_sleep = lambda: landed_at_sleep.append(len(platform.landing.readings(NOW_HOUR)))

    landed, told, _ = _collect(platform, NOW_HOUR, length=timedelta(minutes=1))

    assert landed_at_sleep == [1, 2, 3]
    assert [reading.received_at.second for reading in landed[NOW_HOUR]] == [0, 15, 30, 45]
    assert told == [f"reading {number + 1} of 4: 16 car parks at 08:50:{second:02d} UTC" for number, second in enumerate((0, 15, 30, 45))]


def test_a_burst_by_run_config_keeps_every_reading_and_ends_with_the_hour(platform: Any) -> None:
    platform.clock.now += timedelta(minutes=9)

    assert platform.ingest(NOW_HOUR, burst_minutes=5, burst_seconds=20).success

    assert platform.frame("raw_readings", NOW_HOUR)["captured_at"].dt.strftime("%H:%M:%S").tolist() == ["08:59:00", "08:59:20", "08:59:40"]
    assert platform.landing.readings("2022-05-13T09") == [], "a burst ends with its hour"
    city = platform.rows(HOURLY_PARKING, NOW_HOUR).query("parking_id.isna()")
    assert city[["free", "readings"]].to_numpy().tolist() == [[platform.free(datetime(2022, 5, 13, 8, 59, 40, tzinfo=UTC)), 3]]


def test_a_reading_of_a_burst_that_fails_is_noted_and_the_burst_goes_on(platform: Any) -> None:
    def fail_the_next() -> None:
        platform.clock.at_sleep = lambda: None
        platform.feed.faults.add("status", status=500)

    platform.clock.at_sleep = fail_the_next

    landed, told, warned = _collect(platform, NOW_HOUR, length=timedelta(seconds=45))

    assert len(landed[NOW_HOUR]) == len(told) == 2
    assert "reading 2 of 3: the parking feed of" in warned[0]
    assert "HTTP 500" in warned[0]


def test_a_reading_that_landed_before_the_run_was_killed_is_merged_by_the_next_one(platform: Any) -> None:
    _collect(platform, NOW_HOUR)
    platform.feed.faults.add("status", times=None, status=500)

    assert platform.ingest(NOW_HOUR).success

    assert len(platform.frame("raw_readings", NOW_HOUR)) == 1


def test_hours_before_an_archive_are_gaps_that_leave_nothing_behind(
    platform: Any, tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "\n".join(f"Atotxa,{free},2022-05-13 {time}" for free, time in ((5, "05:10:00"), (7, "05:40:00"), (9, "07:20:00")))
    (tmp_path / "donostia_parkings.csv").write_text(f"properties.nombre,properties.libres,timestamp\n{rows}\n")
    with DonostiaSandbox(replay=tmp_path, clock=clock) as archive:
        monkeypatch.setattr(platform, "donostia_api", platform.donostia_api.model_copy(update={"url": archive.url}).with_clock(clock))
        platform.defs.resources["donostia_api"] = dg.ResourceDefinition.hardcoded_resource(platform.donostia_api)
        single = platform.ingest("2022-05-13T06")
        assert single.success
        assert single.get_asset_materialization_events() == []

        assert platform.ingest("2022-05-13T04", "2022-05-13T07").success

    assert platform.city() == {"2022-05-13T05": 7, "2022-05-13T07": 9}
    for stage in ("raw_readings", "raw_parking", "rejected_features", "enriched"):
        assert platform.materialized(stage) == {"2022-05-13T05", "2022-05-13T07"}
    assert platform.lake.partitions("donostia_parking/raw_readings") == ["2022-05-13T05", "2022-05-13T07"]


def test_a_feed_without_history_is_asked_once_and_its_past_stays_a_gap(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _collect(platform, NOW_HOUR)
    platform.clock.now += timedelta(hours=2)
    asked = _forget(monkeypatch)

    landed, _, warned = _collect(platform, "2022-05-13T07", NOW_HOUR, "2022-05-13T09", "2022-05-13T10")

    assert list(landed) == [NOW_HOUR, "2022-05-13T10"]
    assert len(asked) == 1
    assert warned == [
        "2 of 4 hours are gaps, 2022-05-13T07 the first: the hour has passed. the answer is of now, for the upstream keeps no history. "
        "The gap stays. (2)"
    ]
    failure = _collect_fails(platform, "2022-05-13T09")
    for words in ["hour 2022-05-13T09: the hour has passed", "keeps no history", "The gap stays.", KEPT]:
        assert words in failure
    assert platform.landing.readings("2022-05-13T09") == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("html", ["not JSON", "<!DOCTYPE html>", "Check DONOSTIA_API_URL"]),
        ("empty", ["the answer has no features"]),
        ("invalid_json", ["not JSON"]),
    ],
)
def test_an_answer_that_must_not_be_used_is_kept_apart_and_named(platform: Any, fault: str, words: list[str]) -> None:
    platform.feed.faults.add(fault, times=None)

    failure = _collect_fails(platform, NOW_HOUR)

    for word in [f"hour {NOW_HOUR}", *words, f"donostia_parking/blocked_readings/{NOW_HOUR}/", KEPT]:
        assert word in failure
    assert len(_bodies(platform, f"blocked_readings/{NOW_HOUR}")) == 1
    assert platform.landing.by_partition() == {}


def test_a_blocked_answer_leaves_what_is_stored(platform: Any) -> None:
    assert platform.ingest("2022-05-13T07").success
    stored = platform.city()
    platform.clock.now += timedelta(minutes=1)
    platform.feed.faults.add("html", times=None)

    assert list(platform.failures(platform.ingest(NOW_HOUR))) == ["raw_readings"]

    assert platform.city() == stored


def test_one_hour_of_an_archive_that_is_no_reading_is_a_gap_and_several_in_a_row_are_a_failure(platform: Any) -> None:
    platform.feed.faults.add("empty")
    landed, _, warned = _collect(platform, "2022-05-13T05", "2022-05-13T06")
    assert list(landed) == ["2022-05-13T06"]
    assert "1 of 2 hours are gaps, 2022-05-13T05 the first" in warned[0]

    platform.feed.faults.add("html", times=None)
    platform.feed.reset_stats()
    assert "The same goes for 1 more hours" in _collect_fails(
        platform, "2022-05-12T01", "2022-05-12T02", "2022-05-12T03", "2022-05-12T04", "2022-05-13T06"
    )
    assert platform.feed.stats()["requests"] == 3


def test_an_upstream_in_trouble_is_asked_once_and_what_is_landed_is_used(platform: Any) -> None:
    _collect(platform, "2022-05-13T05", "2022-05-13T06")
    platform.feed.faults.add("status", times=None, status=503)
    platform.feed.reset_stats()

    assert list(_collect(platform, "2022-05-13T05", "2022-05-13T06")[0]) == ["2022-05-13T05", "2022-05-13T06"]
    assert platform.feed.stats()["requests"] == 1
    assert "hour 2022-05-13T07: the parking feed of" in _collect_fails(platform, "2022-05-13T05", "2022-05-13T06", "2022-05-13T07")


def test_a_reading_captured_after_the_hour_is_kept_under_its_own(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.clock.now = datetime(2022, 5, 13, 8, 59, 59, tzinfo=UTC)
    counts = platform.feed._feed.get

    def slow(*arguments: Any) -> Any:
        platform.clock.now += timedelta(seconds=2)
        return counts(*arguments)

    monkeypatch.setattr(platform.feed._feed, "get", slow)

    failure = _collect_fails(platform, NOW_HOUR)

    assert "captured at 2022-05-13 09:00:01 UTC and is kept under 2022-05-13T09" in failure
    assert len(platform.landing.readings("2022-05-13T09")) == 1


def test_an_hour_that_has_not_begun_is_refused(platform: Any) -> None:
    assert "it has not begun; it is 2022-05-13 08:50 UTC" in _collect_fails(platform, "2022-05-13T09")


def test_latin_1_is_stored_as_received_and_read_as_what_it_is(platform: Any) -> None:
    platform.feed.faults.add("latin1", charset=False)

    assert platform.ingest(NOW_HOUR).success

    assert "Estación".encode("latin-1") in _bodies(platform, f"readings/{NOW_HOUR}")[0]
    assert "Estación" in platform.rows(RAW_PARKING, NOW_HOUR)["name"].tolist()
    assert platform.metadata("raw_readings", NOW_HOUR)["latin_1_readings"] == 1


def test_a_reading_that_another_run_lands_meanwhile_is_kept_and_the_run_says_so(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hourly = "mlops_assets.domains.donostia_parking.ingest.hourly_rows"
    from mlops_assets.domains.donostia_parking.transforms import hourly_rows

    def overtaken(parkings: Any) -> Any:
        monkeypatch.undo()
        platform.clock.sleep(15)
        assert platform.ingest(NOW_HOUR).success
        return hourly_rows(parkings)

    monkeypatch.setattr(hourly, overtaken)
    first = platform.failures(platform.ingest(NOW_HOUR))

    assert list(first) == ["enriched"]
    assert f"hour {NOW_HOUR}: another run has landed a reading meanwhile. It is kept: run this hour again to merge it." in first["enriched"]
    platform.feed.faults.add("status", times=None, status=500)
    assert platform.ingest(NOW_HOUR).success
    assert len(platform.rows(RAW_PARKING, NOW_HOUR)) == 2 * len(PARKINGS)
    assert platform.city()[NOW_HOUR] == platform.free(platform.clock.now)


def test_a_damaged_reading_in_the_lake_is_named(platform: Any) -> None:
    platform.lake.lake.write(f"donostia_parking/readings/{NOW_HOUR}/20220513T081000000000Z-damaged.json", b"not JSON")

    failures = platform.failures(platform.ingest(NOW_HOUR))

    assert f"donostia_parking/readings/{NOW_HOUR}/20220513T081000000000Z-damaged.json" in failures["raw_readings"]


def test_a_reading_that_is_landed_no_more_is_missed_before_its_rows_are_lost(platform: Any) -> None:
    assert platform.ingest(NOW_HOUR).success
    before = platform.city()
    (landed,) = platform.lake.lake.keys(f"donostia_parking/readings/{NOW_HOUR}")
    platform.lake.lake.delete(landed)
    platform.clock.now += timedelta(minutes=1)

    failures = platform.failures(platform.ingest(NOW_HOUR))

    assert f"{landed} is not in the lake any more" in failures["raw_readings"]
    assert platform.city() == before


def test_a_run_of_the_whole_system_ingests_the_window_or_where_there_is_no_history_the_running_hour(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = {"donostia_api": platform.donostia_api}
    window = partitions_to_ingest(resources, None)
    assert (window[0], window[-1], len(window)) == ("2022-04-15T08", "2022-05-13T07", 672)
    assert platform.feed.stats()["requests"] == 1
    assert partitions_to_ingest(resources, "2022-05-01T00")[-1] == "2022-05-01T00"

    _forget(monkeypatch)
    assert partitions_to_ingest(resources, None) == [NOW_HOUR]
    assert partitions_to_ingest(resources, "2022-05-01T00")[-1] == "2022-05-01T00"
