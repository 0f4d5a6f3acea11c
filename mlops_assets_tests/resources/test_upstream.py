import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from mlops_assets.resources.upstream import LONGEST_RETRY_AFTER, AttemptError, UpstreamError, ask, retry_after_seconds


def test_ask_returns_the_answer_after_passing_failures() -> None:
    failures = [AttemptError("sick", "Wait.", passing=True) for _ in range(2)]
    pauses: list[float] = []

    def request() -> str:
        if failures:
            raise failures.pop()
        return "answer"

    assert ask(request, subject="it", attempts=3, sleep=pauses.append) == "answer"
    assert len(pauses) == 2
    assert all(0 <= pause <= 2 for pause in pauses)


@pytest.mark.parametrize(("asked", "pause"), [(30.0, 30.0), (86_400.0, LONGEST_RETRY_AFTER)])
def test_ask_waits_as_long_as_it_is_told_up_to_a_limit(asked: float, pause: float) -> None:
    pauses: list[float] = []

    def request() -> None:
        raise AttemptError("throttled", "Wait.", passing=True, retry_after=asked)

    with pytest.raises(UpstreamError, match=r"^it: throttled; gave up after 2 attempts\. Wait\.$"):
        ask(request, subject="it", attempts=2, sleep=pauses.append)
    assert pauses == [pause]


def test_ask_does_not_repeat_a_final_failure() -> None:
    pauses: list[float] = []

    def request() -> None:
        raise AttemptError("refused", "Correct it.")

    with pytest.raises(UpstreamError, match="after 1 attempt") as caught:
        ask(request, subject="it", attempts=5, sleep=pauses.append)
    assert caught.value.__suppress_context__
    assert pauses == []


def test_retry_after_reads_seconds_and_dates() -> None:
    assert retry_after_seconds("7") == 7.0
    assert math.isclose(retry_after_seconds(format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)), 3600, abs_tol=60)


@pytest.mark.parametrize("header", [None, "", "soon", "-5", format_datetime(datetime(2001, 1, 1, tzinfo=UTC), usegmt=True)])
def test_retry_after_that_is_past_or_unreadable_is_no_pause(header: str | None) -> None:
    assert retry_after_seconds(header) == 0.0
