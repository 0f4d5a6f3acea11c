"""Addresses that commands listen on."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_assets.cli.listening import answers, is_loopback, require_free, reserve, url_of


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
        assert answers("127.0.0.1", port)
        assert not answers("127.0.0.2", port)
        require_free(port, "stop it", host="127.0.0.2")
        with pytest.raises(ValueError, match=f"port {port} of 0.0.0.0 cannot be used"):
            require_free(port, "stop it", host="0.0.0.0")

    require_free(port, "stop it")


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_cannot_be_listened_on(host: str) -> None:
    with pytest.raises(ValueError, match=f"port 4000 of {host} cannot be used"):
        require_free(4000, "take your own", host=host)


RESERVES = """
import os, sys
from pathlib import Path
from mlops_assets.cli.listening import reserve
reserve(4000, "stop it", host="127.0.0.1", folder=Path(sys.argv[1]))
child = [sys.executable, "-c", "import sys; print('there', flush=True); sys.stdin.read()"]
os.execv(sys.executable, [sys.executable, "-c", f"import subprocess; subprocess.run({child}, close_fds=False)"])
"""


def test_an_address_is_reserved_by_a_process_whatever_it_becomes_but_not_by_its_children(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    command = [sys.executable, "-c", RESERVES, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"there\n"
        with pytest.raises(ValueError, match=r"port 4000 of 127.1 cannot be used; it may be taken: stop it"):
            reserve(4000, "stop it", host="127.1", folder=folder)  # the same address
        reserve(4000, "stop it", host="127.0.0.2", folder=folder)
        reserve(4001, "stop it", host="127.0.0.1", folder=folder)
        holder.kill()
        holder.wait()

        reserve(4000, "stop it", host="127.0.0.1", folder=folder)  # though the child still runs
