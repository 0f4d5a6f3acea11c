"""The client against a real HTTP server: what it gives, what it retries, and what its errors say."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mlops_assets.resources.forest_api import Answer, Collected, ForestApiClient, ForestApiResource
from mlops_assets.resources.upstream import MalformedAnswerError, UpstreamError
from mlops_assets.settings import Settings

BODY = b' {"group_number":3, "batch_number": 2,\n "data":[["1","2"],["3"]]}'
END = {"detail": "Ya se recolectó toda la información minima necesaria"}


@dataclass
class Reply:
    """One scripted HTTP answer; `missing` announces that many bytes more than it sends; `silent`: it never answers."""

    body: Any = BODY
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"
    missing: int = 0
    silent: bool = False


class Api:
    """Gives scripted replies in turn, the last one for ever, and keeps the paths it was asked for."""

    def __init__(self) -> None:
        self.replies = [Reply()]
        self.paths: list[str] = []
        self._closing = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                api.paths.append(self.path)
                reply = api.replies.pop(0) if len(api.replies) > 1 else api.replies[0]
                if reply.silent:
                    api._closing.wait()
                    return
                body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.media_type)
                self.send_header("Content-Length", str(len(body) + reply.missing))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    yield api
    api.close()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(api: Api, pauses: list[float]) -> Iterator[ForestApiClient]:
    client = ForestApiClient(api.url, 3, attempts=3, sleep=pauses.append)
    yield client
    client.close()


def test_fetch_gives_the_exact_bytes_with_batch_and_time(api: Api, client: ForestApiClient) -> None:
    before = datetime.now(UTC)

    answer = client.fetch()

    assert isinstance(answer, Answer)
    assert (answer.batch_number, answer.group_number, answer.rows, answer.body) == (2, 3, 2, BODY)
    assert before <= answer.received_at <= datetime.now(UTC)
    assert api.paths == ["/data?group_number=3"]


def test_the_address_may_have_a_path(api: Api) -> None:
    with ForestApiResource(url=f"{api.url}/forest/", group_number=3).client() as client:
        client.fetch()

    assert api.paths == ["/forest/data?group_number=3"]


def test_the_end_of_the_data_is_an_answer_and_not_retried(api: Api, client: ForestApiClient) -> None:
    api.replies = [Reply(END, status=400)]

    assert client.fetch() == Collected(END["detail"])
    assert len(api.paths) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"detail": "Grupo no válido"}, status=400),
        Reply({"detail": [{"loc": ["query", "group_number"], "msg": "less than or equal to 10"}]}, status=422),
    ],
    ids=["400", "422"],
)
def test_a_wrong_group_is_one_clear_error(api: Api, client: ForestApiClient, reply: Reply) -> None:
    api.replies = [reply]

    with pytest.raises(UpstreamError) as caught:
        client.fetch()

    for words in [f"group 3 of {api.host}", f"HTTP {reply.status}", "set FOREST_GROUP_NUMBER", "1 attempt."]:
        assert words in str(caught.value)
    assert len(api.paths) == 1


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (Reply(b"<html>log in</html>", media_type="text/html; charset=utf-8"), ["text/html, not JSON", "Check FOREST_API_URL"]),
        (Reply(missing=9), ["cut short"]),
        (Reply(BODY[:-5]), ["cut short or not JSON"]),
        (Reply(b"\xff\xfe"), ["cut short or not JSON"]),
        (Reply(b"[" * 100_000), ["cut short or not JSON"]),
        (Reply(b"oops", status=500), ["HTTP 500", "run this again later"]),
        (Reply(b"oops", status=502), ["HTTP 502"]),
        (Reply({"detail": "busy"}, status=429), ["HTTP 429", "busy"]),
    ],
    ids=["html", "cut", "cut-json", "no-utf8", "nested", "500", "502", "429"],
)
def test_what_may_pass_is_retried_and_ends_as_one_error(
    api: Api, client: ForestApiClient, pauses: list[float], bad: Reply, words: list[str]
) -> None:
    api.replies = [bad, bad, Reply()]
    assert isinstance(client.fetch(), Answer)
    assert len(pauses) == 2

    api.replies = [bad]
    with pytest.raises(UpstreamError) as caught:
        client.fetch()
    for word in [f"group 3 of {api.host}", "gave up after 3 attempts", *words]:
        assert word in str(caught.value)


def test_a_time_out_is_retried(api: Api, pauses: list[float]) -> None:
    api.replies = [Reply(silent=True), Reply()]
    client = ForestApiClient(api.url, 3, attempts=2, timeout_seconds=0.2, sleep=pauses.append)

    assert isinstance(client.fetch(), Answer)
    client.close()


def test_a_closed_port_names_the_setting(pauses: list[float]) -> None:
    client = ForestApiClient("http://127.0.0.1:9", 1, attempts=2, sleep=pauses.append)

    with pytest.raises(UpstreamError, match="Check FOREST_API_URL and the network"):
        client.fetch()
    assert len(pauses) == 1


def test_the_pause_that_the_api_asks_for_is_kept(api: Api, client: ForestApiClient, pauses: list[float]) -> None:
    api.replies = [Reply({}, status=429, headers={"Retry-After": "77"}), Reply()]

    client.fetch()

    assert pauses == [77.0]


def test_a_wrong_path_is_not_retried(api: Api, client: ForestApiClient) -> None:
    api.replies = [Reply({"detail": "Not Found"}, status=404)]

    with pytest.raises(UpstreamError, match="check FOREST_API_URL"):
        client.fetch()
    assert len(api.paths) == 1


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"group_number": 3, "batch_number": 1},
        {"group_number": 3, "batch_number": "1", "data": []},
        {"group_number": 3, "batch_number": True, "data": []},
        {"group_number": 3, "batch_number": 1, "data": {}},
        {"group_number": 4, "batch_number": 1, "data": []},
    ],
)
def test_json_of_another_shape_is_handed_over_and_not_retried(api: Api, client: ForestApiClient, content: Any) -> None:
    api.replies = [Reply(content)]

    with pytest.raises(MalformedAnswerError) as caught:
        client.fetch()

    assert caught.value.body == json.dumps(content).encode()
    assert caught.value.received_at.tzinfo is UTC
    assert len(api.paths) == 1


@pytest.mark.parametrize("url", ["localhost:80", "ftp://host", "http://", "http://user:secret@host", "http://host?group=1"])
def test_an_address_that_no_request_can_carry_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="FOREST_API_URL must look like") as caught:
        ForestApiClient(url, 1)
    assert "secret" not in str(caught.value)


def test_the_resource_reads_the_settings_when_it_makes_a_client(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = ForestApiResource()
    monkeypatch.setenv("FOREST_API_URL", api.url)
    monkeypatch.setenv("FOREST_GROUP_NUMBER", "3")

    with resource.client() as client:
        client.fetch()

    assert api.paths == ["/data?group_number=3"]


def test_an_address_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOREST_API_URL", raising=False)
    monkeypatch.setitem(Settings.model_config, "env_file", None)

    with pytest.raises(ValueError, match="FOREST_API_URL is not set"), ForestApiResource().client():
        pass
