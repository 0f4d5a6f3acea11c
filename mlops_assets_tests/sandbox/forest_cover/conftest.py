"""A running batch API with small batches and a clock that the test moves."""

from collections.abc import Callable, Iterator

import pytest
import requests

from mlops_assets.sandbox.forest_cover import ForestCoverSandbox

BATCH_ROWS = 200

Call = Callable[..., requests.Response]


class Clock:
    """Seconds; they pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[ForestCoverSandbox]:
    """Batches of 200 rows, each for 300 s of the test's clock."""
    with ForestCoverSandbox(seed=7, batch_rows=BATCH_ROWS, clock=clock) as running:
        yield running


@pytest.fixture
def call() -> Iterator[Call]:
    """Asks a sandbox; the connection is closed afterwards."""
    with requests.Session() as session:

        def get(sandbox: ForestCoverSandbox, path: str = "/data", timeout: float = 10, **parameters: object) -> requests.Response:
            return session.get(f"{sandbox.url}{path}", params={"group_number": "1", **parameters}, timeout=timeout)

        yield get
