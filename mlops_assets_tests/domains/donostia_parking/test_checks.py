"""Donostia's checks on what the sandbox makes of the feed: what each finds, what it says, and which of them stop what is downstream."""

from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from mlops_assets.domains.donostia_parking.checks import CHECKS

NOW_HOUR = "2022-05-13T08"


def _found(platform: Any, *hours: str) -> dict[str, dg.AssetCheckEvaluation]:
    result = platform.ingest(*hours)
    assert result.success
    return dict(platform.findings(result))


def test_checks_that_stop_what_is_downstream() -> None:
    blocking = {spec.name: spec.blocking for check in CHECKS for spec in check.check_specs}

    assert {name for name, blocks in blocking.items() if blocks} == {"readings_have_the_feed_shape", "feed_is_alive"}
    assert len(blocking) == 7


def test_in_a_range_an_hour_has_an_evaluation_if_something_is_wrong_and_the_last_one_always(platform: Any) -> None:
    platform.feed.faults.add("clock_skew", skew_seconds=0.0)
    platform.feed.faults.add("free", parking="Atotxa", value="-8")

    result = platform.ingest("2022-05-13T05", "2022-05-13T07")

    found = [item for item in result.get_asset_check_evaluations() if item.check_name == "counts_are_plausible"]
    assert {item.partition: item.passed for item in found}["2022-05-13T05"] is False
    assert "2022-05-13T07" in {item.partition for item in found}
    assert {item.metadata["judged_hours"].value for item in found} == {3}
    fresh = [item for item in result.get_asset_check_evaluations() if item.check_name == "readings_are_fresh"]
    assert [(item.partition, item.passed) for item in fresh] == [("2022-05-13T07", True)]


@pytest.mark.parametrize(
    ("fault", "check", "words"),
    [
        (("clock_skew", {"skew_seconds": 600.0}), "readings_are_fresh", "up to 10 minutes ahead of ours in 1 readings"),
        (("clock_skew", {"skew_seconds": -400.0}), "readings_are_fresh", "up to 7 minutes behind ours in 1 readings"),
        (("free", {"value": "-8"}), "counts_are_plausible", "1 counts are below zero"),
        (("free", {"value": "1.234"}), "counts_are_plausible", "1 counts are above the total"),
        (("free", {"value": None}), "counts_are_plausible", "1 counts are missing"),
        (("missing_field", {"field": "libres"}), "counts_are_plausible", "1 counts are missing"),
        (("free", {"value": "abc"}), "features_are_car_parks", "libres is no whole number (1)"),
        (("missing_field", {"field": "noteId"}), "features_are_car_parks", "no noteId (1)"),
        (("duplicate_id", {}), "features_are_car_parks", "noteId stands twice in the reading (1)"),
    ],
)
def test_what_is_wrong_with_a_reading_is_said_and_the_run_goes_on(
    platform: Any, fault: tuple[str, dict[str, Any]], check: str, words: str
) -> None:
    platform.feed.faults.add(fault[0], **fault[1])

    found = _found(platform, NOW_HOUR)[check]

    assert words in str(found.description)
    assert found.severity is dg.AssetCheckSeverity.WARN
    assert platform.city()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (("gone", {"parking": "Atotxa"}), "gone: Atotxa"),
        (("new_parking", {}), "new: Geltokia"),
        (("renamed", {"parking": "Estación", "new_name": "Geltokia"}), "renamed: Estación to Geltokia"),
    ],
)
def test_who_is_gone_new_or_renamed_is_named_against_the_stored_hour_before(
    platform: Any, fault: tuple[str, dict[str, Any]], words: str
) -> None:
    assert "the_same_parkings_report" not in _found(platform, "2022-05-13T05")
    platform.feed.faults.add(fault[0], **fault[1])

    found = _found(platform, NOW_HOUR)["the_same_parkings_report"]

    assert found.description == f"{NOW_HOUR}: against 2022-05-13T05, {words}"


def test_a_feed_without_any_count_stops_before_the_series(platform: Any) -> None:
    for parking in platform.feed.counts(platform.clock.now):
        platform.feed.faults.add("free", parking=parking, value=None)

    result = platform.ingest(NOW_HOUR)

    assert not result.success
    assert "no reading has a car park with a count" in str(platform.findings(result)["feed_is_alive"].description)
    assert platform.city() == {}


def test_a_frozen_feed_is_told_with_the_hour_since_when(platform: Any) -> None:
    platform.feed.faults.add("frozen", times=None, since="2022-05-13T00:30:00Z")

    found = _found(platform, "2022-05-12T22", "2022-05-13T07")["feed_is_moving"]

    assert found.partition == "2022-05-13T07"
    assert "no car park has moved since 2022-05-13 00:00 UTC" in str(found.description)
    assert datetime.fromisoformat(str(found.metadata["frozen_since"].value)).hour == 0


def test_a_car_park_that_is_stuck_while_others_move_is_named(platform: Any) -> None:
    platform.feed.faults.add("stuck", times=None, parking="Atotxa", since="2022-05-12T01:30:00Z")
    first = platform.clock.now - timedelta(hours=33)

    found = _found(platform, f"{first:%Y-%m-%dT%H}", "2022-05-13T07")["feed_is_moving"]

    assert "stand still while others move" in str(found.description)
    assert "no car park has moved" not in str(found.description)
    (row,) = [line for line in str(found.metadata["stuck"].value).splitlines() if "Atotxa" in line]
    assert "2022-05-12 01:00" in row
