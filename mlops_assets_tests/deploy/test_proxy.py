"""The proxy's configuration in a real nginx, rendered as its image does, before small real servers."""

import base64
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

FOLDER = Path(__file__).parents[2] / "deploy/proxy"
USER, PASSWORD = "operator", "0a1b2c"
LOGIN = {"Authorization": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
LARGEST = 100_000
PATIENCE = 60
"""Seconds until a test gives up."""
SERVICES = {"dagster": 3000, "mlflow": 5000, "prometheus": 9090, "dashboard": 8501, "api": 8000}
"""Name -> the proxy's port in its container."""
WITH_LOGIN = ("dagster", "mlflow", "prometheus", "dashboard")


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where it listens, and what the services behind it have been asked: (method, path)."""

    ports: dict[str, int]
    asked: list[tuple[str, str]]

    def ask(
        self, service: str, path: str = "/", method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by lower-case name, body."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.ports[service], timeout=PATIENCE)) as connection:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def send(self, service: str, text: bytes, expected: bytes | None = None) -> bytes:
        """What comes back before the connection ends, which the proxy has to do, or up to what is expected."""
        with closing(socket.create_connection(("127.0.0.1", self.ports[service]), timeout=PATIENCE)) as connection:
            connection.sendall(text)
            received = b""
            try:
                while (expected is None or expected not in received) and (part := connection.recv(65536)):
                    received += part
            except ConnectionResetError:
                pass
            return received


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Proxy]]:
    """Starts a proxy with other values of its environment; all end with the module."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed (Debian: apt-get install --no-install-recommends nginx-light)")
    asked: list[tuple[str, str]] = []
    with ExitStack() as running:
        address = running.enter_context(_service(asked))

        def start(**environment: str) -> Proxy:
            folder = tmp_path_factory.mktemp("proxy")
            ports = {name: _free_port() for name in SERVICES}
            services = {f"PROXY_{name.upper()}": address for name in SERVICES}
            config = _rendered(folder, ports, {**services, **environment})
            running.enter_context(_nginx(nginx, folder, config, ports["api"]))
            return Proxy(ports, asked)

        yield start


@pytest.fixture(scope="module")
def proxy(start: Callable[..., Proxy]) -> Proxy:
    """One as docker-compose.yml has it, but for small bodies and impatience."""
    return start()


@pytest.mark.parametrize("service", WITH_LOGIN)
def test_pages_open_with_the_login_only(proxy: Proxy, service: str) -> None:
    wrong = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}0".encode()).decode()
    asked = len(proxy.asked)

    assert proxy.ask(service)[0] == 401
    assert proxy.ask(service, Authorization=wrong)[0] == 401
    assert proxy.asked[asked:] == []
    status, headers, body = proxy.ask(service, "/page?a=1", **LOGIN)

    assert status == 200
    seen = json.loads(body)
    assert (seen["path"], seen["query"], seen["host"]) == ("/page", "a=1", f"127.0.0.1:{proxy.ports[service]}")
    assert "authorization" not in seen["headers"], "the service sees the login"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["server"] == "nginx"


def test_a_services_own_headers_stand(proxy: Proxy) -> None:
    _, headers, _ = proxy.ask("mlflow", "/framed", **LOGIN)

    assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("service", ["dagster", "dashboard"])
def test_websockets_pass_with_the_login(proxy: Proxy, service: str) -> None:
    upgrade = "GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    upgrade += "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"

    assert proxy.send(service, f"{upgrade}Connection: close\r\n\r\n".encode()).startswith(b"HTTP/1.1 401")
    received = proxy.send(service, f"{upgrade}Authorization: {LOGIN['Authorization']}\r\n\r\n".encode(), b"hello")

    assert received.startswith(b"HTTP/1.1 101")
    assert b"hello" in received


@pytest.mark.parametrize(
    ("method", "path", "site", "mode", "status"),
    [
        ("GET", "/runs/1", "cross-site", "navigate", 200),  # a link in a mail
        ("GET", "/runs/1", "none", "navigate", 200),
        ("POST", "/graphql", "same-origin", "cors", 200),
        ("POST", "/graphql?query=mutation", "cross-site", "no-cors", 403),
        ("POST", "/graphql?query=mutation", "cross-site", "navigate", 403),  # a form
        ("GET", "/graphql?query=mutation", "cross-site", "navigate", 403),
        ("GET", "/graphql", "same-site", "websocket", 403),
    ],
)
def test_other_sites_may_open_pages_and_do_nothing_else(proxy: Proxy, method: str, path: str, site: str, mode: str, status: int) -> None:
    assert proxy.ask("dagster", path, method, **LOGIN, Sec_Fetch_Site=site, Sec_Fetch_Mode=mode)[0] == status


def test_the_api_is_open_for_its_own_keys(proxy: Proxy) -> None:
    status, _, body = proxy.ask("api", "/predict", "POST", b"{}", Authorization="Bearer key")

    assert status == 200
    assert json.loads(body)["headers"]["authorization"] == "Bearer key"
    assert proxy.ask("api", "/metrics")[0] == 401
    assert proxy.ask("api", "/metrics", **LOGIN)[0] == 200


def test_a_body_that_is_too_large_is_refused_in_the_apis_own_shape(proxy: Proxy) -> None:
    assert proxy.ask("api", "/predict", "POST", b"x" * LARGEST)[0] == 200
    status, headers, body = proxy.ask("api", "/predict", "POST", b"x" * (LARGEST + 1))

    assert (status, headers["content-type"]) == (413, "application/json")
    assert json.loads(body).keys() == {"detail", "errors", "total"}


@pytest.mark.parametrize(
    "cut",
    [b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nten bytes.", b"POST /slow HTTP/1.1\r\nHost"],
    ids=["body", "header"],
)
def test_a_client_that_falls_silent_is_cut_off(proxy: Proxy, cut: bytes) -> None:
    received = proxy.send("api", cut)

    assert received == b"" or received.startswith(b"HTTP/1.1 408")
    assert ("POST", "/slow") not in proxy.asked


def test_too_many_requests_are_told_so_but_probes_are_not(start: Callable[..., Proxy]) -> None:
    proxy = start(PROXY_API_REQUESTS_PER_SECOND="1", PROXY_API_BURST="1")
    answers = [proxy.ask("api", "/predict", "POST", b"{}") for _ in range(8)]
    refused = [(headers, body) for status, headers, body in answers if status == 429]

    assert answers[0][0] == 200
    assert refused
    assert all(headers["retry-after"] == "1" and json.loads(body)["total"] == 0 for headers, body in refused)
    assert {proxy.ask("api", "/health")[0] for _ in range(8)} == {200}


def test_a_service_that_is_away_is_told_and_does_not_keep_the_proxy_from_starting(start: Callable[..., Proxy]) -> None:
    away = f"127.0.0.1:{_free_port()}"
    proxy = start(PROXY_API=away, PROXY_DAGSTER=away)

    status, headers, body = proxy.ask("api", "/predict", "POST", b"{}")
    assert (status, headers["content-type"]) == (503, "application/json")
    assert "does not answer" in json.loads(body)["detail"]
    assert proxy.ask("dagster", **LOGIN)[0] == 502
    assert proxy.ask("mlflow", **LOGIN)[0] == 200


def _rendered(folder: Path, ports: dict[str, int], environment: dict[str, str]) -> Path:
    """nginx.conf in `folder`, the rest as the image's start script makes it; the container's folders and ports are replaced."""
    memory = folder / "memory"
    memory.mkdir()
    values = {
        "PROXY_USER": USER,
        "PROXY_PASSWORD": PASSWORD,
        "PROXY_API_BODY_BYTES": str(LARGEST),
        "PROXY_API_REQUESTS_PER_SECOND": "50",
        "PROXY_API_BURST": "100",
        "PROXY_CLIENT_SECONDS": "1",
        "NGINX_LOCAL_RESOLVERS": "127.0.0.1",
        **environment,
    }
    for template in (FOLDER / "templates").glob("*.template"):
        text = re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], template.read_text())
        for name, port in SERVICES.items():
            text = text.replace(f"listen {port};", f"listen 127.0.0.1:{ports[name]};")
        text = text.replace("listen 8080;", f"listen 127.0.0.1:{_free_port()};").replace("/run/proxy", str(memory))
        (memory / template.name.removesuffix(".template")).write_text(text)
    config = folder / "nginx.conf"
    config.write_text((FOLDER / "nginx.conf").read_text().replace("/tmp/", f"{folder}/").replace("/run/proxy", str(memory)))  # noqa: S108
    return config


@contextmanager
def _nginx(nginx: str, folder: Path, config: Path, port: int) -> Iterator[None]:
    options = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")  # its workers read pytest's own folder
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([nginx, "-p", folder, "-c", config, "-g", options], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail((folder / "log").read_text())
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


@contextmanager
def _service(asked: list[tuple[str, str]]) -> Iterator[str]:
    """A service that says what reached it; yields host:port."""

    async def told(request: Request) -> Response:
        asked.append((request.method, request.url.path))
        body = await request.body()
        seen: dict[str, Any] = {"path": request.url.path, "query": request.url.query, "bytes": len(body)}
        seen |= {"host": request.headers["host"], "headers": dict(request.headers)}
        return JSONResponse(seen, headers={"X-Frame-Options": "DENY"} if request.url.path == "/framed" else {})

    async def greet(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("hello")
        await socket.close()

    app = Starlette(routes=[WebSocketRoute("/socket", greet), Route("/{path:path}", told, methods=["GET", "POST"])])
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=_free_port(), log_level="error", ws="websockets-sansio", timeout_graceful_shutdown=1)
    )
    thread = Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.02)
            assert thread.is_alive(), "the service did not start"
        yield f"127.0.0.1:{server.config.port}"
    finally:
        server.should_exit = True
        thread.join()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
