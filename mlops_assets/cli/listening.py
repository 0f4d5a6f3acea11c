"""Where a command listens: whether the address is this machine's own, how it is written, and whether the port is free."""

import fcntl
import ipaddress
import os
import socket
from pathlib import Path
from typing import Any

CONNECT_SECONDS = 5.0
"""Longer than a server of this machine takes to accept, even when it is busy."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address. A name other than localhost counts as reachable: it may mean anything."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_of(host: str, port: int) -> str:
    """The address as a browser takes it."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def require_free(port: int, remedy: str, *, host: str = "127.0.0.1") -> None:
    """ValueError, which says what to do, if the port of the address cannot be listened on."""
    try:
        family, _, _, _, address = _resolved(host, port)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, OverflowError):
        raise ValueError(_refusal(port, remedy, host)) from None


def reserve(port: int, remedy: str, *, host: str, folder: Path) -> None:
    """ValueError, which says what to do, if another process has reserved the address by a file in the folder.

    For a server that shares its port with whoever asks for it. The address is this process's own until it ends, whatever program it
    becomes; its children do not have it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    address = _resolved(host, port)[-1][0]
    lock = os.open(folder / f"listening-{address}-{port}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(lock, True)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise ValueError(_refusal(port, remedy, host)) from None


def answers(host: str, port: int) -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _resolved(host: str, port: int) -> tuple[int, int, int, str, tuple[Any, ...]]:
    return socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]


def _refusal(port: int, remedy: str, host: str) -> str:
    return f"port {port} of {host} cannot be used; it may be taken: {remedy}"
