"""The prediction API on a free port, in a thread of the test's process."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
import uvicorn

from mlops_assets.domain import Domain
from mlops_assets.serving import create_app
from mlops_assets.settings import Settings

PATIENCE = 120
"""Seconds until a test gives up; a machine that does other work at the same time is slow."""


class Api:
    """A client of a served app."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET."""
        return self._session.get(self.url + path, timeout=PATIENCE, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        """POST."""
        return self._session.post(self.url + path, timeout=PATIENCE, **options)

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The health once it meets the condition; fails if it does not within `PATIENCE`."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            health: dict[str, Any] = self.get("/health").json()
            if condition(health):
                return health
            time.sleep(0.02)
        raise AssertionError(health)

    def until_ok(self) -> "Api":
        """Itself, once everything is served."""
        self.until(lambda health: health["status"] == "ok")
        return self


@contextmanager
def running(uri: str, home: Path, domains: Sequence[Domain], now: Callable[[], datetime] | None = None, **changes: Any) -> Iterator[Api]:
    """The app on a free port, polling the registry at `uri` often; `now` is its clock, by default the real one."""
    values = {"mlflow_tracking_uri": uri, "mlops_home": home, "mlops_api_poll_seconds": 0.05, "mlops_api_keys": None} | changes
    clock = {"now": now} if now else {}
    app = create_app(Settings(_env_file=None, **values), domains, **clock)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, ws="none"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # a client that comes early waits
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield Api(f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join()
