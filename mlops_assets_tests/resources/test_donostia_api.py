"""The client against the sandbox: what is captured when, what is retried, what is no reading, and what errors say."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from mlops_assets.resources.donostia_api import DonostiaClient, DonostiaResource, NoHistoryError, _time_in, text_of
from mlops_assets.resources.upstream import MalformedAnswerError, UpstreamError, retry_after_seconds
from mlops_assets.sandbox.donostia import PARKINGS, DonostiaSandbox
from mlops_assets.sandbox.donostia.feed import ParkingFeed
from mlops_assets.sandbox.running import Sandbox

NOW = datetime(2022, 5, 13, 8, 50, 0, 250_000, tzinfo=UTC)
PAST = datetime(2022, 5, 12, 7, 59, 59, tzinfo=UTC)
SERVED_AT = NOW.replace(microsecond=0)


@pytest.fixture
def feed() -> Iterator[DonostiaSandbox]:
    with DonostiaSandbox(clock=lambda: NOW) as sandbox:
        yield sandbox


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(feed: DonostiaSandbox, pauses: list[float]) -> Iterator[DonostiaClient]:
    client = DonostiaClient(feed.url, attempts=3, clock=lambda: NOW, sleep=pauses.append)
    yield client
    client.close()


def _counts(body: bytes) -> dict[str, str]:
    return {feature["properties"]["nombre"]: feature["properties"]["libres"] for feature in json.loads(body)["features"]}


def test_the_present_state_is_captured_now(client: DonostiaClient, feed: DonostiaSandbox) -> None:
    reading = client.reading()

    assert reading is not None
    assert (reading.captured_at, reading.server_date, reading.features) == (NOW, SERVED_AT, len(PARKINGS))
    assert _counts(reading.body) == feed.counts(NOW)
    assert feed.stats()["calls"][0]["accept"] is None


def test_a_past_state_is_captured_when_the_archive_says_so(client: DonostiaClient, feed: DonostiaSandbox) -> None:
    reading = client.reading(PAST)

    assert reading is not None
    assert (reading.captured_at, reading.server_date) == (PAST, None)
    assert _counts(reading.body) == feed.counts(PAST) != feed.counts(NOW)
    assert feed.stats()["calls"][0]["accept"] == "Thu, 12 May 2022 07:59:59 GMT"


class LiveFeed(ParkingFeed):
    """The sandbox's feed as the real one: it does not know of times."""

    def get(self, path: str, parameters: Any, headers: Any) -> Any:
        del headers["Accept-Datetime"]
        return super().get(path, parameters, headers)


def test_an_upstream_without_history_is_told_from_an_archive(feed: DonostiaSandbox) -> None:
    live = LiveFeed(feed._snapshots, lambda: NOW, archive=False)
    with Sandbox(live, "127.0.0.1", 0) as sandbox:
        client = DonostiaClient(sandbox.url + "/info/ciudadano/camaras_trafico.nsf/getParkings.xsp", attempts=3, clock=lambda: NOW)
        with pytest.raises(NoHistoryError, match="at 2022-05-12 07:59:59 UTC: the answer is of now, for the upstream keeps no history"):
            client.reading(PAST)
        assert client.reading() is not None
        client.close()


def test_a_time_before_the_archive_is_nothing_and_a_wrong_path_is_an_error(tmp_path: Any, feed: DonostiaSandbox) -> None:
    (tmp_path / "donostia_parkings.csv").write_text("properties.nombre,properties.libres,timestamp\nAtotxa,5,2022-05-13 08:00:00\n")
    with DonostiaSandbox(replay=tmp_path, clock=lambda: NOW) as archive:
        client = DonostiaClient(archive.url, clock=lambda: NOW)
        assert client.reading(PAST) is None
        client.close()
    client = DonostiaClient(f"{feed.origin}/elsewhere", clock=lambda: NOW)
    with pytest.raises(UpstreamError, match=r"HTTP 404 .*Check DONOSTIA_API_URL"):
        client.reading(PAST)
    client.close()


@pytest.mark.parametrize("charset", [True, False])
def test_latin_1_is_read_as_what_it_is(client: DonostiaClient, feed: DonostiaSandbox, charset: bool) -> None:
    feed.faults.add("latin1", charset=charset)

    reading = client.reading()

    assert reading is not None
    assert reading.encoding == "latin-1"
    text, encoding = text_of(reading.body)
    assert encoding == "latin-1"
    assert "Estación" in text
    assert "Estación".encode("latin-1") in reading.body


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (("html", {}), ["the answer is", "<!DOCTYPE html>", "Check DONOSTIA_API_URL", "gave up after 3 attempts"]),
        (("invalid_json", {}), ["cut short or not JSON", "gave up after 3 attempts"]),
        (("empty", {}), ["the answer has no features", "gave up after 1 attempt.", "run this again later"]),
    ],
)
def test_an_answer_that_is_no_reading_is_handed_over_with_the_error(
    client: DonostiaClient, feed: DonostiaSandbox, fault: tuple[str, dict[str, Any]], words: list[str]
) -> None:
    feed.faults.add(fault[0], times=None, **fault[1])

    with pytest.raises(MalformedAnswerError) as caught:
        client.reading()

    for word in [feed.url.split("/")[2], *words]:
        assert word in str(caught.value)
    assert caught.value.body
    assert caught.value.received_at == NOW


def test_a_page_of_maintenance_is_no_sign_of_an_upstream_without_history(client: DonostiaClient, feed: DonostiaSandbox) -> None:
    feed.faults.add("html", times=None)

    with pytest.raises(MalformedAnswerError):
        client.reading(PAST)


def test_what_passes_is_retried(client: DonostiaClient, feed: DonostiaSandbox, pauses: list[float]) -> None:
    feed.faults.add("html", times=2)

    assert client.reading() is not None
    assert len(pauses) == 2


def test_a_clock_that_is_ahead_shows_in_the_servers_date(client: DonostiaClient, feed: DonostiaSandbox) -> None:
    feed.faults.add("clock_skew", skew_seconds=600.0)

    reading = client.reading()

    assert reading is not None
    assert (reading.captured_at, reading.server_date) == (NOW, SERVED_AT + timedelta(minutes=10))


@pytest.mark.parametrize(
    "header", ["Fri, 13 May 99999999999999999999 08:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -1200", "Wed, 31 Dec 0999 08:00:00 GMT"]
)
def test_a_date_that_cannot_be_is_no_date(header: str) -> None:
    response = requests.Response()
    response.headers["Date"] = header

    assert _time_in(response, "Date") is None
    assert retry_after_seconds(header) >= 0


def test_an_archive_does_not_show_what_is_still_to_come(feed: DonostiaSandbox) -> None:
    slow = DonostiaClient(feed.url, attempts=1, clock=lambda: PAST - timedelta(hours=1))

    with pytest.raises(MalformedAnswerError, match="which is still to come"):
        slow.reading(PAST)


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert text_of(b"\xef\xbb\xbf{}") == ("{}", "utf-8")


def test_the_resource_reads_the_settings_when_it_makes_a_client(feed: DonostiaSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = DonostiaResource()
    monkeypatch.setenv("DONOSTIA_API_URL", feed.url)

    with resource.client() as client:
        assert client.reading() is not None
    with pytest.raises(ValueError, match="DONOSTIA_API_URL must look like"):
        DonostiaClient("ftp://host")
