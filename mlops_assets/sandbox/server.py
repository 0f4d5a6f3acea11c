"""HTTP/1.1 for every sandbox, on the standard library: keep-alive, gzip, the control routes under `/_sandbox`, and transport faults.

Here belong bytes and sockets; each upstream decides its answers.
"""

import gzip
import json
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from mlops_assets.sandbox.faults import Faults, TransportFault

logger = logging.getLogger(__name__)

HTML_PAGE = b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>We will be back soon</h1></body></html>"
GZIP_FROM_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; `faults` are those of the transport that the server must play on it."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    faults: Sequence[TransportFault] = ()


class Upstream(Protocol):
    """What the server needs of a stand-in. Every method may be called from several threads."""

    compresses: bool
    """Whether long answers are gzipped for clients that take it."""

    @property
    def faults(self) -> Faults[Any]:
        """Misbehaviour to come."""

    def get(self, path: str, parameters: Mapping[str, str], headers: Message) -> Reply:
        """The answer to a GET request; `path` has no query."""

    def stats(self) -> Any:
        """What was served, for JSON."""

    def reset_stats(self) -> None:
        """Sets every counter to zero."""


class LoopbackServer(ThreadingHTTPServer):
    """Serves one upstream. Closing it ends every open connection and thread.

    `actions` are more control routes: name -> function of a JSON object's fields, called by `POST /_sandbox/<name>`.
    """

    daemon_threads = False
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], upstream: Upstream, actions: Mapping[str, Callable[..., object]]) -> None:
        self.upstream = upstream
        self.actions = {"faults": lambda **options: asdict(upstream.faults.add(**options)), **actions}
        self.closing = Event()
        self._connections: set[Any] = set()
        super().__init__(address, LoopbackHandler)

    def get_request(self) -> tuple[Any, Any]:
        """A new connection, remembered until it ends."""
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Forgets a connection that ends."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the signature is the library's
        """A client that hangs up is no error of the server's."""
        logger.debug("connection of %s ended early", client_address, exc_info=True)

    def server_close(self) -> None:
        """Stops listening and ends open connections."""
        self.closing.set()
        for connection in tuple(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                logger.debug("a connection was closed already")
        super().server_close()


class LoopbackHandler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: LoopbackServer

    def do_GET(self) -> None:
        """What the upstream serves, `/_sandbox/stats` and `/_sandbox/faults`."""
        url = urlsplit(self.path)
        upstream = self.server.upstream
        if url.path == "/_sandbox/stats":
            self._send(_control_reply(upstream.stats()))
        elif url.path == "/_sandbox/faults":
            self._send(_control_reply([asdict(fault) for fault in upstream.faults.waiting()]))
        else:
            self._send(self._get(url.path, dict(parse_qsl(url.query, keep_blank_values=True))))

    def do_POST(self) -> None:
        """`/_sandbox/faults` {kind, ...} and the upstream's own actions."""
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        action = self.server.actions.get(urlsplit(self.path).path.removeprefix("/_sandbox/"))
        if action is None:
            self._send(_control_error(404, f"The sandbox takes nothing at {self.path}"))
            return
        try:
            self._send(_control_reply(action(**json.loads(text or b"{}"))))
        except (TypeError, ValueError) as error:
            self._send(_control_error(400, str(error)))

    def do_DELETE(self) -> None:
        """`/_sandbox/faults` forgets every fault, `/_sandbox/stats` sets the counters to zero."""
        actions = {"/_sandbox/faults": self.server.upstream.faults.clear, "/_sandbox/stats": self.server.upstream.reset_stats}
        action = actions.get(urlsplit(self.path).path)
        if action is None:
            self._send(_control_error(404, f"The sandbox deletes nothing at {self.path}"))
            return
        action()
        self._send(_control_reply({}))

    def log_message(self, format: str, *args: Any) -> None:
        """To the log, not to the terminal."""
        logger.debug(format, *args)

    def _get(self, path: str, parameters: Mapping[str, str]) -> Reply:
        try:
            return self.server.upstream.get(path, parameters, self.headers)
        except Exception:
            logger.exception("the sandbox failed on %s", self.path)
            return _control_error(500, "The sandbox failed; its log says why")

    def _send(self, reply: Reply) -> None:
        faults = {fault.kind: fault for fault in reply.faults}
        body, headers = reply.body, dict(reply.headers)
        if "slow" in faults:
            self.server.closing.wait(faults["slow"].seconds)
        if "html" in faults:
            body, headers = HTML_PAGE, {"Content-Type": "text/html; charset=utf-8"}
        if "invalid_json" in faults:
            body = body[: len(body) * 2 // 3] + b',"'
        if self.server.upstream.compresses and len(body) >= GZIP_FROM_BYTES and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        self.log_request(reply.status)
        self.send_response_only(reply.status)
        for name, value in {"Server": self.version_string(), "Date": self.date_time_string(), **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if "cut" in faults:
            self.close_connection = True
            body = body[: len(body) // 2]
        self.wfile.write(body)


def _control_reply(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _control_error(status: int, message: str) -> Reply:
    return _control_reply({"error": True, "message": message}, status)
