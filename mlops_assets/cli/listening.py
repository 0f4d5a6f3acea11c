"""Where a command listens: whether the address is this machine's own, how it is written, and whether the port is free."""

import ipaddress
import socket


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


def require_free(port: int, remedy: str) -> None:
    """ValueError, which says what to do, if something listens on the port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            raise ValueError(f"port {port} of 127.0.0.1 cannot be used; it may be taken: {remedy}") from None
