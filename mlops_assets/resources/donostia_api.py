"""Client of Donostia's parking feed and the Dagster resource that makes one.

Here belong the request, the shape of an answer, when it was captured, and what the feed's failures mean. What the features mean belongs
to the domain. The feed tells the present state only and no time. A past one is asked for as RFC 7089 (Memento) has it, which archives
understand: `Accept-Datetime` in the request, `Memento-Datetime` in the answer.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from mlops_assets.resources.upstream import PASSING_STATUSES, Advice, AttemptError, UpstreamError, ask, get, http_address, refusal
from mlops_assets.settings import Settings

if TYPE_CHECKING:
    from requests import Response

LARGEST_BYTES = 5_000_000
"""An answer has some ten thousand; a body without end must not fill the memory."""
CLOCKS_APART = timedelta(minutes=5)
"""So much later than our clock an archive's may be."""
READABLE_YEARS = range(1970, 10_000)
BYTE_ORDER_MARK = "\ufeff"
UTF_8, LATIN_1 = "utf-8", "latin-1"
ADVICE = Advice(
    network="Check DONOSTIA_API_URL and the network; for slow answers raise DONOSTIA_TIMEOUT_SECONDS.",
    address="Check DONOSTIA_API_URL: something other than the parking feed (a proxy, a login page, maintenance) may answer there.",
    later="The feed is in trouble: run this again later.",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One state of the feed: `body` exactly as received, its number of `features`, and the time (UTC) it was captured.

    `server_date` is what the server's clock said then (UTC, whole seconds); None if it did not say, and for a state of the past.
    `encoding` is `utf-8` or `latin-1`.
    """

    body: bytes
    captured_at: datetime
    features: int
    server_date: datetime | None = None
    encoding: str = UTF_8


class NoHistoryError(UpstreamError):
    """The upstream was asked for a past state and answered with the present one: it keeps no history."""


class DonostiaClient:
    """Reads the feed; every request is retried by itself. Close it after use."""

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float = 30.0,
        attempts: int = 5,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connect to nothing yet; `clock` gives the present time, UTC. ValueError, which shows no credential, for a URL that cannot be."""
        import requests

        self._host = http_address("DONOSTIA_API_URL", url).netloc
        self._url = url
        self._timeout = timeout_seconds
        self._attempts = attempts
        self._session = requests.Session()
        self.now = clock
        self.sleep = sleep

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def reading(self, at: datetime | None = None) -> Reading | None:
        """The present state of the feed; or its last state up to `at`, which an archive has or has not (None).

        A past state is captured when the archive says so, the present one now. NoHistoryError if the upstream does not know of times,
        MalformedAnswerError for an answer that is no reading, UpstreamError when there is none.
        """
        subject = f"the parking feed of {self._host}" + (f" at {at:%Y-%m-%d %H:%M:%S} UTC" if at else "")
        return ask(lambda: self._request(at, subject), subject=subject, attempts=self._attempts, sleep=self.sleep)

    def _request(self, at: datetime | None, subject: str) -> Reading | None:
        headers = {"Accept": "application/json"}
        if at is not None:
            headers["Accept-Datetime"] = format_datetime(at.astimezone(UTC), usegmt=True)
        response, body = get(self._session, self._url, headers=headers, timeout=self._timeout, largest=LARGEST_BYTES, advice=ADVICE)
        received_at = self.now()
        if at is not None and response.status_code == 404 and "accept-datetime" in response.headers.get("Vary", "").casefold():
            return None
        if response.status_code != 200:
            later = response.status_code in PASSING_STATUSES
            raise refusal(response, ADVICE.later if later else ADVICE.address)
        # First what it is: a page of maintenance tells no time either, and is no sign of an upstream without history.
        features, encoding = _content(response, body, received_at)
        captured_at = _time_in(response, "Memento-Datetime")
        if at is not None and captured_at is None:
            raise NoHistoryError(f"{subject}: the answer is of now, for the upstream keeps no history.")
        if captured_at is not None and captured_at > received_at + CLOCKS_APART:
            what = f"the answer claims to be of {captured_at:%Y-%m-%d %H:%M:%S} UTC, which is still to come"
            raise AttemptError(what, ADVICE.address, answer=(body, received_at))
        server_date = None if captured_at else _time_in(response, "Date")
        return Reading(body, captured_at or received_at, features, server_date, encoding)


class DonostiaResource(dg.ConfigurableResource["DonostiaResource"]):
    """Makes clients of the feed that `Settings` names."""

    url: str | None = Field(default=None, description="The feed; DONOSTIA_API_URL when unset.")
    timeout_seconds: float | None = Field(default=None, gt=0, description="Longest silence; DONOSTIA_TIMEOUT_SECONDS when unset.")
    attempts: int | None = Field(default=None, ge=1, description="Tries of one request; DONOSTIA_ATTEMPTS when unset.")

    def now(self) -> datetime:
        """The present time, UTC; a replay has its own."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Waits; a replay need not."""
        time.sleep(seconds)

    @contextmanager
    def client(self) -> Iterator[DonostiaClient]:
        """A client, closed at the end of the `with` block. Settings are read here."""
        settings = Settings()
        client = DonostiaClient(
            self.url or settings.donostia_api_url,
            timeout_seconds=self.timeout_seconds or settings.donostia_timeout_seconds,
            attempts=self.attempts or settings.donostia_attempts,
            clock=self.now,
            sleep=self.sleep,
        )
        try:
            yield client
        finally:
            client.close()


def text_of(body: bytes) -> tuple[str, str]:
    """The body as text, and its encoding: UTF-8, or Latin-1 as older payloads are, in which every byte is a character."""
    try:
        return body.decode(UTF_8).removeprefix(BYTE_ORDER_MARK), UTF_8
    except UnicodeDecodeError:
        return body.decode(LATIN_1), LATIN_1


def _content(response: "Response", body: bytes, received_at: datetime) -> tuple[int, str]:
    """How many features the answer has, and its encoding. AttemptError, which holds the answer, if it is no FeatureCollection with some."""
    kind, _, parameters = response.headers.get("Content-Type", "of no declared type").partition(";")
    text, encoding = text_of(body)
    if encoding == LATIN_1 and "utf-8" in parameters.casefold():
        raise AttemptError("the answer claims to be UTF-8 and is not", ADVICE.later, passing=True, answer=(body, received_at))
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError):
        what = "the body is cut short or not JSON" if "json" in kind else f"the answer is {kind}, not JSON"
        raise AttemptError(f"{what}: {text[:80]!r}", ADVICE.address, passing=True, answer=(body, received_at)) from None
    features = content.get("features") if isinstance(content, dict) and content.get("type") == "FeatureCollection" else None
    if not isinstance(features, list):
        raise AttemptError(f"{text[:80]!r} is no GeoJSON FeatureCollection", ADVICE.address, answer=(body, received_at))
    if not features:
        raise AttemptError("the answer has no features, so the feed is down", ADVICE.later, answer=(body, received_at))
    return len(features), encoding


def _time_in(response: "Response", header: str) -> datetime | None:
    """The time (UTC) in a header; None without a readable one."""
    try:
        moment = parsedate_to_datetime(response.headers.get(header, ""))
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year in READABLE_YEARS else None
