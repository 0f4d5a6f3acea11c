"""Asks a server the same kind of question again and again over HTTP/1.1 connections that stay open.

    python -m benchmarks.programs.load PORT PATH CONNECTIONS REQUESTS BODIES

Sends REQUESTS POST requests, the lines of the file BODIES in turn, over CONNECTIONS connections to 127.0.0.1, each of which asks again
as soon as it is answered. Written on bare sockets, so that it costs less than any server it asks. Prints the seconds it took and the
median seconds to an answer, and fails on an answer other than 200.
"""

import asyncio
import json
import re
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import cast

import uvloop

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
END = b"\r\n\r\n"


class Client(asyncio.Protocol):
    """One connection; `done` holds once there is no request left."""

    def __init__(self, requests: Iterator[bytes], latencies: list[float]) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._latencies = latencies
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks first."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Asks again once the answer is whole."""
        self._received += data
        head, found, body = self._received.partition(END)
        length = LENGTH.search(head) if found else None
        if length is None or len(body) < int(length[1]):
            return
        self._latencies.append(time.perf_counter() - self._asked)
        if b" 200 " not in head.partition(b"\r\n")[0]:
            self.done.set_exception(RuntimeError(self._received.decode(errors="replace")))
            return
        self._received = b""
        self._ask()

    def connection_lost(self, _: Exception | None) -> None:
        """No answer will come."""
        if not self.done.done():
            self.done.set_exception(ConnectionError("the server closed the connection"))

    def _ask(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._asked = time.perf_counter()
        self._transport.write(request)


async def ask(port: int, requests: Iterator[bytes], connections: int) -> list[float]:
    """Seconds to each answer."""
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    clients = [await loop.create_connection(lambda: Client(requests, latencies), "127.0.0.1", port) for _ in range(connections)]
    await asyncio.gather(*(client.done for _, client in clients))
    return latencies


def main() -> None:
    """Asks, prints."""
    port, path, connections, requests, bodies = sys.argv[1:]
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: "
    messages = [f"{head}{len(body)}\r\n\r\n".encode() + body for body in Path(bodies).read_bytes().splitlines()]
    start = time.perf_counter()
    latencies = uvloop.run(ask(int(port), islice(cycle(messages), int(requests)), int(connections)))
    print(json.dumps({"seconds": time.perf_counter() - start, "median": statistics.median(latencies)}))


if __name__ == "__main__":
    main()
