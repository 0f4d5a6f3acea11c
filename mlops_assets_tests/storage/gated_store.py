"""A gate before an S3 server that answers some requests itself, as stores do that know less than the one behind it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import requests

ERROR = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{code}, says the gate</Message></Error>"


class Refusal(NamedTuple):
    """An error answer."""

    status: int
    code: str


class Asked(NamedTuple):
    """A request: its path with the query, its headers in lower case, and its body."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Judge = Callable[[Asked], Refusal | None]


@contextmanager
def gate(endpoint: str, judge: Judge) -> Iterator[str]:
    """The address of the gate; what `judge` does not refuse goes on to `endpoint`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = Asked(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            refusal = judge(asked)
            if refusal:
                self._answer(refusal.status, {"Content-Type": "application/xml"}, ERROR.format(code=refusal.code).encode())
                return
            answer = requests.request(asked.method, endpoint + asked.path, headers=asked.headers, data=body, timeout=30)
            self._answer(answer.status_code, dict(answer.headers), answer.content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815  # the names that the server looks for

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            of_the_connection = {"content-length", "connection", "transfer-encoding", "date", "server"}
            for name, value in headers.items():
                if name.lower() not in of_the_connection or (self.command == "HEAD" and name.lower() == "content-length"):
                    self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
