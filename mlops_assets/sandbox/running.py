"""Sandboxes as things to start and stop: for the length of a block, or as a process until a signal."""

import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from queue import SimpleQueue
from threading import Thread
from typing import Any, Self

from mlops_assets.sandbox.server import LoopbackServer, Upstream


class Sandbox:
    """A stand-in as a context manager: it listens from `__enter__` to `__exit__`. `port` 0 takes a free one."""

    def __init__(self, upstream: Upstream, host: str, port: int, actions: Mapping[str, Callable[..., object]] | None = None) -> None:
        self._upstream = upstream
        self._address = (host, port)
        self._actions = actions or {}
        self._server: LoopbackServer | None = None

    def __enter__(self) -> Self:
        """Starts to listen. OSError when the port cannot be had."""
        try:
            self._server = LoopbackServer(self._address, self._upstream, self._actions)
        except (OSError, OverflowError) as error:
            raise OSError(f"the sandbox cannot listen on port {self._address[1]} of {self._address[0]}, take another: {error}") from error
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name=type(self).__name__)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops, and ends open connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    @property
    def url(self) -> str:
        """What a client's setting holds. RuntimeError when it does not listen."""
        return self.origin

    @property
    def origin(self) -> str:
        """Where it listens: http://127.0.0.1:port. RuntimeError when it does not."""
        if self._server is None:
            raise RuntimeError("the sandbox is not running: use it as a context manager")
        return f"http://{self._address[0]}:{self._server.server_port}"

    def stats(self) -> Any:
        """What was served since the start or the last reset; the upstream says in which form."""
        return self._upstream.stats()

    def reset_stats(self) -> None:
        """Sets every counter to zero."""
        self._upstream.reset_stats()


def serve(sandboxes: Mapping[str, Sandbox], ready: Callable[[dict[str, str]], None]) -> None:
    """Runs the sandboxes until SIGTERM or SIGINT; `ready` gets their URLs by name. Call it in the main thread."""
    # Of all that could be waited for only this queue may be filled by a handler that a second signal interrupts.
    ended: SimpleQueue[int] = SimpleQueue()
    previous = {number: signal.signal(number, lambda number, _: ended.put(number)) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with ExitStack() as running:
            ready({name: running.enter_context(sandbox).url for name, sandbox in sandboxes.items()})
            ended.get()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
