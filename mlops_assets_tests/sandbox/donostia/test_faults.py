"""Each way to misbehave, as a client meets it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from mlops_assets.sandbox.donostia import PARKINGS, DonostiaSandbox

NOTE_IDS = {parking.name: parking.note_id for parking in PARKINGS}
SINCE = "2022-05-13T05:00:00Z"

Ask = Callable[..., requests.Response]


def _features(response: requests.Response) -> dict[str, Any]:
    return {feature["properties"]["nombre"]: feature for feature in response.json()["features"]}


def _free(response: requests.Response) -> dict[str, str]:
    return {name: feature["properties"]["libres"] for name, feature in _features(response).items()}


@pytest.mark.parametrize("status", [429, 500])
def test_a_refused_request_is_told_when_to_come_back(sandbox: DonostiaSandbox, ask: Ask, status: int) -> None:
    sandbox.faults.add("status", status=status, retry_after=3, times=2)
    responses = [ask(sandbox) for _ in range(3)]
    assert [response.status_code for response in responses] == [status, status, 200]
    assert [response.headers.get("Retry-After") for response in responses] == ["3", "3", None]


def test_a_slow_answer_times_out(sandbox: DonostiaSandbox, ask: Ask) -> None:
    sandbox.faults.add("slow", seconds=30)
    with pytest.raises(requests.ReadTimeout):
        ask(sandbox, timeout=0.2)


def test_a_cut_body_is_shorter_than_announced(sandbox: DonostiaSandbox, ask: Ask) -> None:
    sandbox.faults.add("cut")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(sandbox)
    assert ask(sandbox).json()["count"] == 16


def test_an_html_page_and_broken_json_come_with_status_200(sandbox: DonostiaSandbox, ask: Ask) -> None:
    sandbox.faults.add("html")
    response = ask(sandbox)
    assert (response.status_code, response.text[:15]) == (200, "<!DOCTYPE html>")
    sandbox.faults.add("invalid_json")
    response = ask(sandbox)
    assert response.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        response.json()


@pytest.mark.parametrize(("charset", "content_type"), [(True, "application/json; charset=ISO-8859-1"), (False, "application/json")])
def test_an_old_payload_is_latin_1(sandbox: DonostiaSandbox, ask: Ask, charset: bool, content_type: str) -> None:
    expected = ask(sandbox).text
    sandbox.faults.add("latin1", charset=charset)
    response = ask(sandbox)
    assert response.headers["Content-Type"] == content_type
    assert "Estación".encode("latin-1") in response.content
    assert response.content.decode("latin-1") == expected


@pytest.mark.parametrize("value", ["129", "1.234", "12.0", " 7 ", None, "", "abc", "-8", 129])
def test_libres_has_any_form(sandbox: DonostiaSandbox, ask: Ask, value: str | int | None) -> None:
    usual = _free(ask(sandbox))
    sandbox.faults.add("free", parking="Easo", value=value)
    assert _free(ask(sandbox)) == {**usual, "Easo": value}


@pytest.mark.parametrize("field", ["libres", "nombre", "noteId", "plazasRotatorias"])
def test_a_property_is_missing_of_one_car_park(sandbox: DonostiaSandbox, ask: Ask, field: str) -> None:
    sandbox.faults.add("missing_field", parking="Kontxa", field=field)
    features = ask(sandbox).json()["features"]
    assert [position for position, feature in enumerate(features) if field not in feature["properties"]] == [8]


@pytest.mark.parametrize("field", ["geometry", "properties"])
def test_a_feature_lacks_its_place_or_all_its_properties(sandbox: DonostiaSandbox, ask: Ask, field: str) -> None:
    sandbox.faults.add("missing_field", parking="Kontxa", field=field)
    features = ask(sandbox).json()["features"]
    assert [position for position, feature in enumerate(features) if field not in feature] == [8]


def test_car_parks_are_renamed_opened_and_closed(sandbox: DonostiaSandbox, ask: Ask) -> None:
    sandbox.faults.add("renamed", parking="Estación", new_name="Geltokia")
    renamed = _features(ask(sandbox))
    assert "Estación" not in renamed
    assert renamed["Geltokia"]["properties"]["noteId"] == NOTE_IDS["Estación"]

    sandbox.faults.add("new_parking", new_name="Geltokia", times=2)
    opened, again = (ask(sandbox).json() for _ in range(2))
    assert (opened["count"], len(opened["features"])) == (17, 17)
    assert opened["features"][-1]["properties"]["nombre"] == "Geltokia"
    assert opened["features"][-1]["properties"]["noteId"] not in NOTE_IDS.values()
    assert opened == again

    sandbox.faults.add("gone", parking="Easo")
    closed = ask(sandbox).json()
    assert (closed["count"], len(closed["features"])) == (15, 15)
    assert "Easo" not in {feature["properties"]["nombre"] for feature in closed["features"]}


def test_an_empty_answer_has_no_features(sandbox: DonostiaSandbox, ask: Ask) -> None:
    sandbox.faults.add("empty")
    assert ask(sandbox).json() == {"type": "FeatureCollection", "name": "parkings", "count": 0, "features": []}


def test_two_car_parks_share_an_id(sandbox: DonostiaSandbox, ask: Ask) -> None:
    sandbox.faults.add("duplicate_id", parking="Zuatzu")
    features = _features(ask(sandbox))
    assert features["Zuatzu"]["properties"]["noteId"] == NOTE_IDS["Arcco"] == features["Arcco"]["properties"]["noteId"]
    assert len({feature["properties"]["noteId"] for feature in features.values()}) == 15


def test_a_skewed_clock_moves_the_date_alone(sandbox: DonostiaSandbox, ask: Ask) -> None:
    usual = ask(sandbox).text
    sandbox.faults.add("clock_skew", skew_seconds=-3600)
    skewed = ask(sandbox)
    assert (skewed.headers["Date"], skewed.text) == ("Fri, 13 May 2022 07:50:07 GMT", usual)


def test_a_frozen_feed_shows_what_was_when_it_froze(sandbox: DonostiaSandbox, ask: Ask, clock) -> None:
    sandbox.faults.add("frozen", since=SINCE, until="2022-05-13T09:00:00", times=None)
    then = sandbox.counts(datetime(2022, 5, 13, 5, tzinfo=UTC))
    before = "Fri, 13 May 2022 04:00:00 GMT"
    assert _free(ask(sandbox)) == then != sandbox.counts(clock.now)
    memento = ask(sandbox, "Fri, 13 May 2022 06:00:00 GMT")
    assert (_free(memento), memento.headers["Memento-Datetime"]) == (then, "Fri, 13 May 2022 06:00:00 GMT")
    assert _free(ask(sandbox, before)) == sandbox.counts(datetime(2022, 5, 13, 4, tzinfo=UTC)) != then
    clock.now += timedelta(minutes=10)
    assert _free(ask(sandbox)) == sandbox.counts(clock.now)


def test_one_stuck_counter_leaves_the_others_moving(sandbox: DonostiaSandbox, ask: Ask, clock) -> None:
    sandbox.faults.add("stuck", parking="Okendo", since=SINCE, times=None)
    then, now = sandbox.counts(datetime(2022, 5, 13, 5, tzinfo=UTC)), sandbox.counts(clock.now)
    assert then["Okendo"] != now["Okendo"]
    assert _free(ask(sandbox)) == {**now, "Okendo": then["Okendo"]}


def test_a_fault_waits_for_its_time(sandbox: DonostiaSandbox, ask: Ask) -> None:
    sandbox.faults.add("status", since="2022-05-12T08:00:00+02:00", until="2022-05-12T07:00:00Z", times=None)
    asked = ("05:59:59", "06:00:00", "06:59:59", "07:00:00")
    assert [ask(sandbox, f"Thu, 12 May 2022 {time} GMT").status_code for time in asked] == [200, 500, 500, 200]


def test_faults_are_set_and_cleared_over_http(sandbox: DonostiaSandbox, ask: Ask) -> None:
    address = f"{sandbox.origin}/_sandbox/faults"
    assert requests.post(address, json={"kind": "frozen", "since": SINCE, "times": None}, timeout=10).json()["since"] == SINCE
    assert [fault["kind"] for fault in requests.get(address, timeout=10).json()] == ["frozen"]
    frozen = ask(sandbox).text
    requests.delete(address, timeout=10)
    assert json.loads(frozen) != ask(sandbox).json()


@pytest.mark.parametrize(
    "wish",
    [
        {"kind": "gremlins"},
        {"kind": "frozen"},
        {"kind": "stuck", "since": "yesterday"},
        {"kind": "gone", "parking": "Geltokia"},
        {"kind": "missing_field", "field": "colour"},
    ],
)
def test_an_unknown_fault_is_refused(sandbox: DonostiaSandbox, wish: dict[str, object]) -> None:
    assert requests.post(f"{sandbox.origin}/_sandbox/faults", json=wish, timeout=10).status_code == 400
    assert sandbox.faults.waiting() == ()
