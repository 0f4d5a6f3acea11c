"""The feed over HTTP: its form, its clock, and the states of other times."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import requests
from pyproj import Transformer

from mlops_assets.sandbox.donostia import PARKINGS, DonostiaSandbox

NOW = "Fri, 13 May 2022 08:50:07 GMT"
EARLIER = "Thu, 12 May 2022 03:59:59 GMT"

Ask = Callable[..., requests.Response]


def _free(response: requests.Response) -> dict[str, str]:
    return {feature["properties"]["nombre"]: feature["properties"]["libres"] for feature in response.json()["features"]}


def test_an_answer_is_the_collection_of_sixteen_car_parks(sandbox: DonostiaSandbox, ask: Ask) -> None:
    response = ask(sandbox)
    answer = response.json()
    assert sandbox.url.endswith("/info/ciudadano/camaras_trafico.nsf/getParkings.xsp")
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    assert response.text == json.dumps(answer, separators=(",", ":"), ensure_ascii=False)
    assert list(answer) == ["type", "name", "count", "features"]
    assert (answer["type"], answer["name"], answer["count"], len(answer["features"])) == ("FeatureCollection", "parkings", 16, 16)
    atotxa = answer["features"][1]
    assert list(atotxa) == ["type", "geometry", "properties"]
    assert (atotxa["type"], atotxa["geometry"]) == ("Feature", {"type": "Point", "coordinates": [583343.01, 4796497.62]})
    names = ["tipo", "plazasRotatorias", "plazasResidentes", "plazasResidentesLibres", "libres", "nombre", "noteId", "precios"]
    properties = atotxa["properties"]
    assert list(properties) == names
    assert (properties["tipo"], properties["plazasRotatorias"], properties["nombre"]) == ("LIB", 210, "Atotxa")
    assert isinstance(properties["libres"], str)
    assert 0 <= int(properties["libres"]) <= 210
    assert re.fullmatch("[0-9A-F]{32}", properties["noteId"])
    assert all(isinstance(price, str) for price in properties["precios"])


def test_names_are_the_real_ones_and_ids_tell_car_parks_apart(sandbox: DonostiaSandbox, ask: Ask) -> None:
    features = ask(sandbox).json()["features"]
    assert [feature["properties"]["nombre"] for feature in features] == [
        *("Arcco", "Atotxa", "Boulevard", "Buen Pastor", "Easo", "Estación", "Illumbe", "Katalunia"),
        *("Kontxa", "Kursaal", "Okendo", "Ondarreta", "Pio XII", "San Martin", "Txofre", "Zuatzu"),
    ]
    assert len({feature["properties"]["noteId"] for feature in features}) == 16


def test_metres_are_those_of_the_places() -> None:
    to_degrees = Transformer.from_crs("EPSG:25830", "EPSG:4326")
    for parking in PARKINGS:
        assert to_degrees.transform(parking.x, parking.y) == pytest.approx((parking.latitude, parking.longitude), abs=1e-6)
        assert (parking.latitude, parking.longitude) == pytest.approx((43.31, -1.985), abs=0.025)


def test_without_a_time_the_answer_is_of_now_and_dated_by_the_clock(sandbox: DonostiaSandbox, ask: Ask, clock) -> None:
    first = ask(sandbox)
    assert (first.headers["Date"], first.headers["Vary"]) == (NOW, "accept-datetime")
    assert "Memento-Datetime" not in first.headers
    assert _free(first) == sandbox.counts(clock.now)
    clock.now += timedelta(hours=3)
    later = ask(sandbox)
    assert later.headers["Date"] == "Fri, 13 May 2022 11:50:07 GMT"
    assert _free(first) != _free(later) == sandbox.counts(clock.now)


def test_a_time_is_answered_with_what_was_then(sandbox: DonostiaSandbox, ask: Ask, clock) -> None:
    then = ask(sandbox, EARLIER)
    assert (then.headers["Memento-Datetime"], then.headers["Date"], then.headers["Vary"]) == (EARLIER, NOW, "accept-datetime")
    clock.now = datetime(2022, 5, 12, 3, 59, 59, tzinfo=UTC)
    assert ask(sandbox).text == then.text


def test_the_future_is_not_known(sandbox: DonostiaSandbox, ask: Ask) -> None:
    future = ask(sandbox, "Fri, 13 May 2022 08:59:59 GMT")
    assert future.headers["Memento-Datetime"] == NOW
    assert future.text == ask(sandbox).text


@pytest.mark.parametrize("accept", ["2022-05-12T03:59:59Z", "Thu, 12 May 2022 03:59:59", "Thu, 32 May 2022 03:59:59 GMT", ""])
def test_a_malformed_time_is_refused(sandbox: DonostiaSandbox, ask: Ask, accept: str) -> None:
    response = ask(sandbox, accept)
    assert (response.status_code, response.headers["Date"]) == (400, NOW)
    assert response.text == f"Accept-Datetime is no date as HTTP writes it: {accept}"


def test_another_path_is_not_found(sandbox: DonostiaSandbox) -> None:
    assert requests.get(f"{sandbox.origin}/getParkings.xsp", timeout=10).status_code == 404


def test_requests_are_counted_with_the_times_they_asked_for(sandbox: DonostiaSandbox, ask: Ask) -> None:
    sandbox.faults.add("status", status=503)
    for accept in (None, EARLIER, "yesterday"):
        ask(sandbox, accept)
    calls = [
        {"accept": None, "memento": None, "status": 503, "faults": ["status"]},
        {"accept": EARLIER, "memento": EARLIER, "status": 200, "faults": []},
        {"accept": "yesterday", "memento": None, "status": 400, "faults": []},
    ]
    stats = requests.get(f"{sandbox.origin}/_sandbox/stats", timeout=10).json()
    assert stats == sandbox.stats() == {"requests": 3, "calls": calls}
    sandbox.reset_stats()
    assert sandbox.stats() == {"requests": 0, "calls": []}
