"""How clients of upstreams fail: which failures are retried, for how long, and what the error in the end says.

Here belongs what every HTTP upstream shares. Protocols, addresses and settings belong to the client of each upstream.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import SplitResult, urlsplit

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

if TYPE_CHECKING:
    from requests import Response, Session

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

BACKOFF = wait_random_exponential(multiplier=1, max=60)
"""Seconds before the next attempt: exponential with full jitter."""
LONGEST_RETRY_AFTER = 120.0
"""Seconds; an upstream that asks for a longer pause is asked again after this one."""
PASSING_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses that may be gone at the next attempt."""
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about a connection that fails, about an answer that shows a wrong address, and about an upstream in trouble."""

    network: str
    address: str
    later: str


class UpstreamError(RuntimeError):
    """An upstream gave no usable answer; the text names what was asked for, the host, the cause, the attempts and what to do."""


class UpstreamSchemaError(UpstreamError):
    """The upstream lacks a column that the query names: it was renamed or removed."""


class MalformedAnswerError(UpstreamError):
    """A whole answer that is none of this upstream's; holds what came and when, so that it can be kept."""

    def __init__(self, text: str, body: bytes, received_at: datetime) -> None:
        """`received_at` is UTC."""
        super().__init__(text)
        self.body = body
        self.received_at = received_at


class AttemptError(Exception):
    """One failed request: what happened, what to do about it, and whether it may be gone at the next attempt (`passing`)."""

    def __init__(
        self,
        what: str,
        advice: str,
        *,
        passing: bool = False,
        schema: bool = False,
        retry_after: float = 0.0,
        answer: tuple[bytes, datetime] | None = None,
    ) -> None:
        """`retry_after`: seconds that the upstream asks for; `schema`: it ends as an `UpstreamSchemaError`.

        `answer`, the body and the time (UTC) of its receipt: it ends as a `MalformedAnswerError` that holds them.
        """
        super().__init__(what)
        self.advice = advice
        self.passing = passing
        self.schema = schema
        self.retry_after = retry_after
        self.answer = answer


def ask(request: Callable[[], Answer], *, subject: str, attempts: int, sleep: Callable[[float], None] = time.sleep) -> Answer:
    """The answer of `request`, which raises `AttemptError`; passing failures are retried up to `attempts` times.

    The last failure ends as one `UpstreamError` about `subject`, without a cause that could show more than its text.
    """

    def log_retry(state: RetryCallState) -> None:
        logger.warning("%s: %s; attempt %d of %d failed", subject, _failure_of(state), state.attempt_number, attempts)

    retrying = Retrying(
        stop=stop_after_attempt(attempts),
        wait=_pause,
        retry=retry_if_exception(lambda error: isinstance(error, AttemptError) and error.passing),
        sleep=sleep,
        before_sleep=log_retry,
        reraise=True,
    )
    try:
        return retrying(request)
    except AttemptError as failure:
        made = retrying.statistics["attempt_number"]
        text = f"{subject}: {failure}; gave up after {made} attempt{'s' * (made > 1)}. {failure.advice}"
        if failure.answer is not None:
            raise MalformedAnswerError(text, *failure.answer) from None
        raise (UpstreamSchemaError if failure.schema else UpstreamError)(text) from None


def get(
    session: "Session",
    url: str,
    *,
    timeout: float,
    largest: int,
    advice: Advice,
    params: Mapping[str, str | int] | None = None,
    headers: Mapping[str, str] | None = None,
) -> "tuple[Response, bytes]":
    """The answer to a GET request, whatever its status, and its decoded body; one of more than `largest` bytes is no answer.

    AttemptError if there is none, or not a whole one. `timeout` is the longest silence in seconds.
    """
    import requests
    from urllib3.exceptions import HTTPError

    try:
        with session.get(url, params=params, headers=headers, timeout=timeout, stream=True) as response:
            return response, _body(response, largest, advice)
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
        raise AttemptError(f"the body is cut short ({type(error).__name__})", advice.later, passing=True) from None
    except (requests.ConnectionError, requests.Timeout) as error:
        raise AttemptError(cause_of(error), advice.network, passing=True) from None
    except (requests.RequestException, HTTPError, ValueError) as error:
        # Where a redirect leads may be no address at all, and not all of that is an error of requests.
        raise AttemptError(cause_of(error), advice.address) from None


def refusal(response: "Response", advice: str, detail: str = "") -> AttemptError:
    """What an answer of another status than 200 comes to; `detail` is the upstream's own message."""
    what = f"HTTP {response.status_code} {response.reason}" + (f" ({detail})" if detail else "")
    retry_after = retry_after_seconds(response.headers.get("Retry-After"))
    return AttemptError(what, advice, passing=response.status_code in PASSING_STATUSES, retry_after=retry_after)


def http_address(setting: str, url: str) -> SplitResult:
    """The parts of an upstream's address. ValueError, which shows no credential, for one that no request can carry or that holds some."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        raise ValueError(f"{setting} must look like https://host or http://host:port, without credentials")
    return parts


def cause_of(error: Exception) -> str:
    """The innermost reason of an error of requests: the outer texts, its own and urllib3's, repeat the whole request."""
    inner = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    reason = getattr(inner, "reason", None) or inner
    return f"{type(reason).__name__}: {str(reason)[:300]}"


def retry_after_seconds(header: str | None) -> float:
    """Seconds that a Retry-After header asks for, given as seconds or as an HTTP date; 0 without a readable one."""
    value = (header or "").strip()
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return 0.0


def _body(response: "Response", largest: int, advice: Advice) -> bytes:
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_content(CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > largest:
            raise AttemptError(f"the body is longer than {largest:,} bytes", advice.address)
    return b"".join(chunks)


def _failure_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _pause(state: RetryCallState) -> float:
    failure = _failure_of(state)
    asked = failure.retry_after if isinstance(failure, AttemptError) else 0.0
    return max(BACKOFF(state), min(asked, LONGEST_RETRY_AFTER))
