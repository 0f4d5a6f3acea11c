"""A running feed whose clock the test moves."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import requests

from mlops_assets.sandbox.donostia import DonostiaSandbox

Ask = Callable[..., requests.Response]


class Clock:
    """A Friday morning; time passes when the test says so."""

    def __init__(self) -> None:
        self.now = datetime(2022, 5, 13, 8, 50, 7, 250_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[DonostiaSandbox]:
    """A generated city at the test's time."""
    with DonostiaSandbox(seed=7, clock=clock) as running:
        yield running


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Asks a sandbox, for what was at `accept` if that is given; the connection is closed afterwards."""
    with requests.Session() as session:

        def get(sandbox: DonostiaSandbox, accept: str | None = None, timeout: float = 10) -> requests.Response:
            return session.get(sandbox.url, headers={} if accept is None else {"Accept-Datetime": accept}, timeout=timeout)

        yield get
