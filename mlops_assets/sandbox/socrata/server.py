"""HTTP/1.1 for the portal, on the standard library: keep-alive, gzip, the control routes under `/_sandbox`, and transport faults.

Here belong bytes and sockets; `portal` decides the answers.
"""

import gzip
import json
import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from mlops_assets.sandbox.socrata.portal import JSON_TYPE, Portal, Reply, error_reply

logger = logging.getLogger(__name__)

HTML_PAGE = b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>We will be back soon</h1></body></html>"
GZIP_FROM_BYTES = 1024


class PortalServer(ThreadingHTTPServer):
    """Serves one portal; `revise` answers `POST /_sandbox/revise`. Closing it ends every open connection and thread."""

    daemon_threads = False
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], portal: Portal, revise: Callable[..., str]) -> None:
        self.portal = portal
        self.revise = revise
        self.closing = Event()
        self._connections: set[Any] = set()
        super().__init__(address, PortalHandler)

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


class PortalHandler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: PortalServer

    def do_GET(self) -> None:
        """Datasets, `/_sandbox/stats` and `/_sandbox/faults`."""
        url = urlsplit(self.path)
        portal = self.server.portal
        if url.path == "/_sandbox/stats":
            self._send(_json_reply(portal.stats()))
        elif url.path == "/_sandbox/faults":
            self._send(_json_reply([asdict(fault) for fault in portal.faults.waiting()]))
        elif url.path.startswith("/resource/") and url.path.endswith(".json"):
            parameters = dict(parse_qsl(url.query, keep_blank_values=True))
            token = parameters.pop("$$app_token", None) or self.headers.get("X-App-Token")
            self._send(self._query(url.path.removeprefix("/resource/").removesuffix(".json"), parameters, token))
        else:
            self._send(error_reply(404, "not_found", f"The sandbox serves nothing at {url.path}"))

    def do_POST(self) -> None:
        """`/_sandbox/revise` {month, rows, add_rows} and `/_sandbox/faults` {kind, ...}."""
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        actions: Mapping[str, Callable[..., Any]] = {
            "/_sandbox/revise": self.server.revise,
            "/_sandbox/faults": lambda **options: asdict(self.server.portal.faults.add(**options)),
        }
        action = actions.get(urlsplit(self.path).path)
        if action is None:
            self._send(error_reply(404, "not_found", f"The sandbox takes nothing at {self.path}"))
            return
        try:
            self._send(_json_reply(action(**json.loads(text or b"{}"))))
        except (TypeError, ValueError) as error:
            self._send(error_reply(400, "invalid_request", str(error)))

    def do_DELETE(self) -> None:
        """`/_sandbox/faults` forgets every fault, `/_sandbox/stats` sets the counters to zero."""
        actions = {"/_sandbox/faults": self.server.portal.faults.clear, "/_sandbox/stats": self.server.portal.reset_stats}
        action = actions.get(urlsplit(self.path).path)
        if action is None:
            self._send(error_reply(404, "not_found", f"The sandbox deletes nothing at {self.path}"))
            return
        action()
        self._send(_json_reply({}))

    def log_message(self, format: str, *args: Any) -> None:
        """To the log, not to the terminal."""
        logger.debug(format, *args)

    def _query(self, dataset: str, parameters: Mapping[str, str], token: str | None) -> Reply:
        try:
            return self.server.portal.query(dataset, parameters, token)
        except Exception:
            logger.exception("the sandbox failed on %s", self.path)
            return error_reply(500, "internal_error", "The sandbox failed; its log says why")

    def _send(self, reply: Reply) -> None:
        faults = {fault.kind: fault for fault in reply.faults}
        body, headers = reply.body, dict(reply.headers)
        if "slow" in faults:
            self.server.closing.wait(faults["slow"].seconds)
        if "html" in faults:
            body, headers = HTML_PAGE, {"Content-Type": "text/html; charset=utf-8"}
        if "invalid_json" in faults:
            body = body[: len(body) * 2 // 3] + b',"'
        if len(body) >= GZIP_FROM_BYTES and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if "cut" in faults:
            self.close_connection = True
            body = body[: len(body) // 2]
        self.wfile.write(body)


def _json_reply(value: Any) -> Reply:
    return Reply(200, json.dumps(value).encode(), {"Content-Type": JSON_TYPE})
