"""Addresses that commands listen on."""

import socket

import pytest

from mlops_assets.cli.listening import is_loopback, require_free, url_of


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_only_this_machine_reaches_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "::2", "localhost.example.org", "127.0.0.1.example.org", ""])
def test_whatever_else_may_be_reached_by_others(host: str) -> None:
    assert not is_loopback(host)


def test_a_browser_takes_the_address() -> None:
    assert [url_of(host, 80) for host in ("127.0.0.1", "::1")] == ["http://127.0.0.1:80", "http://[::1]:80"]


def test_a_taken_port_is_named_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        taken.listen()
        with pytest.raises(ValueError, match=f"port {port} of 127.0.0.1 cannot be used; it may be taken: stop it"):
            require_free(port, "stop it")

    require_free(port, "stop it")
