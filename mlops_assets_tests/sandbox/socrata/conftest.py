"""A running sandbox with small months, and the real client that talks to it."""

from collections.abc import Callable, Iterator
from datetime import date

import pytest
from sodapy import Socrata

from mlops_assets.sandbox.socrata import SocrataSandbox

ROWS = 600

Connect = Callable[..., Socrata]


@pytest.fixture
def sandbox() -> Iterator[SocrataSandbox]:
    """600 rows a month, January 2001 to January 2018."""
    with SocrataSandbox(seed=7, today=date(2018, 2, 1), rows_per_month=ROWS) as running:
        yield running


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Opens sodapy clients on a sandbox; they are closed afterwards."""
    clients = []

    def open_client(sandbox: SocrataSandbox, token: str | None = "any", timeout: float = 10) -> Socrata:
        client = Socrata(sandbox.url.removeprefix("http://"), token, timeout=timeout)
        client.uri_prefix = "http://"
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        client.close()


@pytest.fixture
def client(sandbox: SocrataSandbox, connect: Connect) -> Socrata:
    """The production client library on the running sandbox."""
    return connect(sandbox)
