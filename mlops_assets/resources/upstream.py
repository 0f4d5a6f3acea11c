"""How clients of upstreams fail: which failures are retried, for how long, and what the error in the end says.

Here belongs what every HTTP upstream shares. Protocols, addresses and settings belong to the client of each upstream.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

BACKOFF = wait_random_exponential(multiplier=1, max=60)
"""Seconds before the next attempt: exponential with full jitter."""
LONGEST_RETRY_AFTER = 120.0
"""Seconds; an upstream that asks for a longer pause is asked again after this one."""


class UpstreamError(RuntimeError):
    """An upstream gave no usable answer; the text names what was asked for, the host, the cause, the attempts and what to do."""


class UpstreamSchemaError(UpstreamError):
    """The upstream lacks a column that the query names: it was renamed or removed."""


class AttemptError(Exception):
    """One failed request: what happened, what to do about it, and whether it may be gone at the next attempt (`passing`)."""

    def __init__(self, what: str, advice: str, *, passing: bool = False, schema: bool = False, retry_after: float = 0.0) -> None:
        """`retry_after`: seconds that the upstream asks for; `schema`: it ends as an `UpstreamSchemaError`."""
        super().__init__(what)
        self.advice = advice
        self.passing = passing
        self.schema = schema
        self.retry_after = retry_after


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
        raise (UpstreamSchemaError if failure.schema else UpstreamError)(text) from None


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
    except ValueError:
        return 0.0
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _failure_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _pause(state: RetryCallState) -> float:
    failure = _failure_of(state)
    asked = failure.retry_after if isinstance(failure, AttemptError) else 0.0
    return max(BACKOFF(state), min(asked, LONGEST_RETRY_AFTER))
