"""Client of the forest cover batch API and the Dagster resource that makes one.

Here belong the request, the shape of an answer and what the API's failures mean. What the rows mean belongs to the domain.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from mlops_assets.resources.upstream import PASSING_STATUSES, Advice, AttemptError, MalformedAnswerError, ask, get, http_address, refusal
from mlops_assets.settings import Settings

if TYPE_CHECKING:
    from requests import Response

LARGEST_BYTES = 50_000_000
"""An answer has some hundred thousand; a body without end must not fill the memory."""
ALL_COLLECTED = "recolect"
"""Stands in the detail of the 400 that ends the data: "Ya se recolectó toda la información minima necesaria"."""

ADVICE = Advice(
    network="Check FOREST_API_URL and the network; for slow answers raise FOREST_TIMEOUT_SECONDS.",
    address="Check FOREST_API_URL: something other than the batch API (a proxy, a login page) may answer there.",
    later="The API is in trouble: run this again later.",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One call's share of a batch: `body` exactly as received (UTF-8 JSON), its number of `rows`, and the time (UTC) it was received."""

    batch_number: int
    group_number: int
    received_at: datetime
    body: bytes
    rows: int


@dataclass(frozen=True, slots=True)
class Collected:
    """The ordinary end of the data: the API has handed out every batch, and says so."""

    detail: str


class ForestApiClient:
    """Asks for one group's batches; every request is retried by itself. Close it after use."""

    def __init__(
        self,
        url: str,
        group_number: int,
        *,
        timeout_seconds: float = 60.0,
        attempts: int = 5,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connect to nothing yet. ValueError for a URL that no request can carry or that holds credentials; its text holds none."""
        import requests

        parts = http_address("FOREST_API_URL", url)
        self._url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/data"
        self._subject = f"group {group_number} of {parts.netloc}"
        self._group_number = group_number
        self._timeout = timeout_seconds
        self._attempts = attempts
        self._sleep = sleep
        self._session = requests.Session()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def fetch(self) -> Answer | Collected:
        """A new random tenth of the batch that the API stays with, or the end of the data.

        UpstreamError when the API gives no usable answer; MalformedAnswerError, not retried, for JSON of another shape.
        """
        return ask(self._request, subject=self._subject, attempts=self._attempts, sleep=self._sleep)

    def _request(self) -> Answer | Collected:
        params = {"group_number": self._group_number}
        response, body = get(self._session, self._url, params=params, timeout=self._timeout, largest=LARGEST_BYTES, advice=ADVICE)
        received_at = datetime.now(UTC)
        if response.status_code == 200:
            return self._answer(response, body, received_at)
        detail = _detail(body)
        if response.status_code == 400 and not detail.startswith(("{", "[")) and ALL_COLLECTED in detail.casefold():
            return Collected(detail)
        raise self._refusal(response, detail)

    def _answer(self, response: "Response", body: bytes, received_at: datetime) -> Answer:
        try:
            content = json.loads(body.decode())
        except (ValueError, RecursionError):
            kind = response.headers.get("Content-Type", "of no declared type").partition(";")[0]
            what = "the body is cut short or not JSON" if "json" in kind else f"the answer is {kind}, not JSON"
            raise AttemptError(what, ADVICE.address, passing=True) from None
        if not _is_answer(content):
            raise MalformedAnswerError(
                f"{self._subject}: {body[:200]!r} holds no group, batch and rows. {ADVICE.address}", body, received_at
            )
        if content["group_number"] != self._group_number:
            raise MalformedAnswerError(f"{self._subject}: the answer is for group {content['group_number']}.", body, received_at)
        return Answer(content["batch_number"], self._group_number, received_at, body, len(content["data"]))

    def _refusal(self, response: "Response", detail: str) -> AttemptError:
        status = response.status_code
        match status:
            case 400 | 422:
                advice = f"The API refuses group {self._group_number}: set FOREST_GROUP_NUMBER to the group it knows, 1 to 10."
            case 404:
                advice = f"Nothing is at {self._url}: check FOREST_API_URL."
            case _ if status in PASSING_STATUSES:
                advice = ADVICE.later
            case _:
                advice = ADVICE.address
        return refusal(response, advice, detail)


class ForestApiResource(dg.ConfigurableResource["ForestApiResource"]):
    """Makes clients of the batch API that `Settings` names."""

    url: str | None = Field(default=None, description="The API; FOREST_API_URL when unset.")
    group_number: int | None = Field(default=None, ge=1, le=10, description="The group; FOREST_GROUP_NUMBER when unset.")
    timeout_seconds: float | None = Field(default=None, gt=0, description="Longest silence; FOREST_TIMEOUT_SECONDS when unset.")
    attempts: int | None = Field(default=None, ge=1, description="Tries of one request; FOREST_ATTEMPTS when unset.")

    @property
    def address(self) -> str | None:
        """Where the API is; None if no setting says it."""
        return self.url or Settings().forest_api_url

    @contextmanager
    def client(self) -> Iterator[ForestApiClient]:
        """A client, closed at the end of the `with` block. ValueError if no setting names the API. Settings are read here."""
        settings = Settings()
        address = self.address
        if address is None:
            raise ValueError("FOREST_API_URL is not set: set it to the address of the forest cover batch API")
        client = ForestApiClient(
            address,
            self.group_number or settings.forest_group_number,
            timeout_seconds=self.timeout_seconds or settings.forest_timeout_seconds,
            attempts=self.attempts or settings.forest_attempts,
        )
        try:
            yield client
        finally:
            client.close()


def _is_answer(content: Any) -> bool:
    # A JSON true is an int to isinstance.
    return (
        isinstance(content, dict)
        and all(type(content.get(name)) is int for name in ("group_number", "batch_number"))
        and isinstance(content.get("data"), list)
    )


def _detail(body: bytes) -> str:
    """The API's own message, shortened; empty if it gives none."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    detail = content.get("detail") if isinstance(content, dict) else None
    return "" if detail is None else (detail if isinstance(detail, str) else json.dumps(detail))[:300]
