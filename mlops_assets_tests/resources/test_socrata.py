import json
import logging
import socket
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from mlops_assets.domains.chicago_crime.spec import CRIMES_DATASET
from mlops_assets.resources.socrata import SocrataClient, SocrataResource, UpstreamState
from mlops_assets.resources.upstream import UpstreamError, UpstreamSchemaError
from mlops_assets.sandbox.socrata import SocrataSandbox

TOKEN = "t0p-s3cret-token"
DATASET = "abcd-1234"


@dataclass
class Answer:
    """One scripted HTTP answer; `missing` announces that many bytes more than it sends."""

    body: Any = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json;charset=utf-8"
    missing: int = 0
    chunked: bool = False


class Portal:
    """A real HTTP server that gives scripted answers in turn, the last one for ever, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.queries: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        portal = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                portal.queries.append(dict(parse_qsl(urlsplit(self.path).query)))
                portal.headers.append(dict(self.headers))
                answer = portal.answers.pop(0) if len(portal.answers) > 1 else portal.answers[0]
                body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.media_type)
                self.send_header("Connection", "close")
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                    body = b"%x\r\n%b\r\n" % (len(body), body)
                else:
                    self.send_header("Content-Length", str(len(body) + answer.missing))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    yield portal
    portal.close()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(portal: Portal, pauses: list[float]) -> Iterator[SocrataClient]:
    client = SocrataClient(portal.url, TOKEN, page_rows=2, attempts=3, sleep=pauses.append)
    yield client
    client.close()


def read(client: SocrataClient) -> list[dict[str, Any]]:
    return [row for page in client.month_pages(DATASET, "2017-12", ("id", "date")) for row in page]


def test_month_states_asks_once_and_fills_months_without_rows(portal: Portal, client: SocrataClient) -> None:
    portal.answers = [Answer([{"month": "2017-12-01T00:00:00.000", "rows": "7", "updated_at": "2018-01-02T03:04:05.000Z"}])]
    assert client.month_states(DATASET, "2017-11", "2018-01") == {
        "2017-11": UpstreamState(0, ""),
        "2017-12": UpstreamState(7, "2018-01-02T03:04:05.000Z"),
        "2018-01": UpstreamState(0, ""),
    }
    (query,) = portal.queries
    assert query["$where"] == "date >= '2017-11-01T00:00:00' and date < '2018-02-01T00:00:00'"
    assert query["$limit"] == "3"


def test_table_state_reads_count_and_newest_change(portal: Portal, client: SocrataClient) -> None:
    portal.answers = [Answer([{"rows": "23", "updated_at": "2018-01-02T03:04:05.000Z"}])]
    assert client.table_state(DATASET) == UpstreamState(23, "2018-01-02T03:04:05.000Z")


def test_table_state_without_a_count_is_an_upstream_error(portal: Portal, client: SocrataClient) -> None:
    portal.answers = [Answer([{"error": "odd"}])]
    with pytest.raises(UpstreamError, match="no row count"):
        client.table_state(DATASET)


def test_month_pages_pages_in_the_order_of_the_row_identifier_until_a_short_page(portal: Portal, client: SocrataClient) -> None:
    portal.answers = [Answer([{"id": "1"}, {"id": "2"}]), Answer([{"id": "3"}])]
    assert list(client.month_pages(DATASET, "2017-12", ("id", "date"), expected=3)) == [[{"id": "1"}, {"id": "2"}], [{"id": "3"}]]
    assert [query["$offset"] for query in portal.queries] == ["0", "2"]
    assert portal.queries[0] == {
        "$select": "id,date",
        "$where": "date >= '2017-12-01T00:00:00' and date < '2018-01-01T00:00:00'",
        "$order": ":id",
        "$limit": "2",
        "$offset": "0",
    }


def test_rows_that_do_not_add_up_to_the_announced_count_are_an_upstream_error(portal: Portal, client: SocrataClient) -> None:
    portal.answers = [Answer([{"id": "1"}])]
    with pytest.raises(UpstreamError, match="1 rows came, 3 were announced"):
        list(client.rows(DATASET, ("id",), expected=3))


def test_a_month_of_the_sandbox_is_read_whole_in_pages() -> None:
    with SocrataSandbox(today=date(2016, 3, 5), rows_per_month=60) as sandbox:
        client = SocrataClient(sandbox.url, page_rows=25)
        state = client.month_states(CRIMES_DATASET, "2016-02", "2016-02")["2016-02"]
        pages = list(client.month_pages(CRIMES_DATASET, "2016-02", ("id", "date", ":updated_at"), expected=state.rows))
        client.close()
    assert [len(page) for page in pages] == [25, 25, 10]
    rows = [row for page in pages for row in page]
    assert len({row["id"] for row in rows}) == 60
    assert {row["date"][:7] for row in rows} == {"2016-02"}
    assert max(row[":updated_at"] for row in rows) == state.updated_at


@pytest.mark.parametrize(
    ("broken", "cause"),
    [
        (Answer(status=429), "HTTP 429"),
        (Answer(status=500), "HTTP 500"),
        (Answer(status=503, body=b"<html>down</html>", media_type="text/html"), "HTTP 503"),
        (Answer(status=202, body={"message": "still computing"}), "HTTP 202"),
        (Answer([{"id": "1"}], missing=50), "cut short"),
        (Answer([{"id": "1"}], chunked=True), "cut short"),
        (Answer(b'[{"id": "1"}, {"id'), "not JSON"),
        (Answer(b""), "not a list"),
        (Answer({"id": "1"}), "not a list"),
        (Answer(b"<html>login</html>"), "not JSON"),
        (Answer(b"<html>login</html>", media_type="text/html"), "text/html, not JSON"),
    ],
)
def test_passing_failures_are_asked_again(
    portal: Portal, client: SocrataClient, pauses: list[float], caplog: pytest.LogCaptureFixture, broken: Answer, cause: str
) -> None:
    portal.answers = [broken, Answer([{"id": "1"}])]
    with caplog.at_level(logging.WARNING):
        assert read(client) == [{"id": "1"}]
    assert len(pauses) == 1
    assert cause in caplog.text


def test_failures_that_stay_end_as_one_error_that_says_all(portal: Portal, client: SocrataClient, pauses: list[float]) -> None:
    portal.answers = [Answer({"message": "upstream sick"}, status=503)]
    with pytest.raises(UpstreamError) as caught:
        read(client)
    text = str(caught.value)
    for part in (DATASET, "2017-12", portal.url.removeprefix("http://"), "HTTP 503", "upstream sick", "3 attempts", "later"):
        assert part in text
    assert len(pauses) == 2


@pytest.mark.parametrize(
    ("status", "token", "advice"),
    [
        (429, None, "throttles clients without a token: set SOCRATA_APP_TOKEN"),
        (429, TOKEN, "fewer partitions"),
        (403, None, "only with a token: set SOCRATA_APP_TOKEN"),
    ],
)
def test_advice_depends_on_whether_there_is_a_token(portal: Portal, status: int, token: str | None, advice: str) -> None:
    portal.answers = [Answer(status=status)]
    client = SocrataClient(portal.url, token, attempts=2, sleep=lambda _: None)
    with pytest.raises(UpstreamError, match=advice):
        client.table_state(DATASET)
    client.close()


def test_an_unknown_column_is_a_schema_error_at_once(portal: Portal, client: SocrataClient) -> None:
    message = "Query coordinator error: query.soql.no-such-column; No such column: arest; position: Map(row -> 1)"
    portal.answers = [Answer({"code": "query.soql.no-such-column", "error": True, "message": message}, status=400)]
    with pytest.raises(UpstreamSchemaError, match="'arest'"):
        read(client)
    assert len(portal.queries) == 1


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (Answer({"code": "permission_denied", "message": f"Invalid app_token {TOKEN}"}, status=403), "correct it, or unset it"),
        (Answer({"code": "dataset.missing", "message": "Not found"}, status=404), "no such dataset"),
        (Answer({"code": "query.soql.parse", "message": "Parse error"}, status=400), "does not understand"),
        (Answer(status=302, headers={"Location": "http://127.0.0.1:9/"}), "final address"),
    ],
)
def test_refusals_are_final_at_the_first_attempt(portal: Portal, client: SocrataClient, answer: Answer, advice: str) -> None:
    portal.answers = [answer]
    with pytest.raises(UpstreamError, match=advice) as caught:
        read(client)
    assert "1 attempt." in str(caught.value)
    assert len(portal.queries) == 1


def test_the_token_goes_into_the_header_and_into_no_error_or_log(
    portal: Portal, client: SocrataClient, caplog: pytest.LogCaptureFixture
) -> None:
    portal.answers = [Answer({"message": f"slow down, {TOKEN}"}, status=429)]
    with caplog.at_level(logging.DEBUG), pytest.raises(UpstreamError) as caught:
        read(client)
    assert portal.headers[0]["X-App-token"] == TOKEN
    assert "slow down, ***" in str(caught.value)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert TOKEN not in caplog.text


def test_without_a_token_no_header_is_sent_and_nothing_is_logged(portal: Portal, caplog: pytest.LogCaptureFixture) -> None:
    portal.answers = [Answer([])]
    client = SocrataClient(portal.url)
    assert list(client.rows(DATASET, ("id",))) == []
    client.close()
    assert "x-app-token" not in {name.lower() for name in portal.headers[0]}
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_refused_connection_names_the_host_and_the_settings(pauses: list[float]) -> None:
    client = SocrataClient("http://127.0.0.1:9", attempts=2, sleep=pauses.append)
    with pytest.raises(UpstreamError, match=r"127\.0\.0\.1:9.*refused; gave up after 2 attempts.*SOCRATA_URL and the network"):
        read(client)
    client.close()
    assert len(pauses) == 1


def test_a_silent_portal_is_a_time_out_that_names_its_setting(pauses: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = SocrataClient(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.05, attempts=2, sleep=pauses.append)
        with pytest.raises(UpstreamError, match=r"timed out.*after 2 attempts.*SOCRATA_TIMEOUT_SECONDS"):
            read(client)
        client.close()


@pytest.mark.parametrize(
    ("url", "token"),
    [("data.example.org", None), ("ftp://data.example.org", None), (f"https://user:{TOKEN}@x.org", None), ("https://x.org", f"{TOKEN}\nx")],
)
def test_client_refuses_what_no_request_can_carry(url: str, token: str | None) -> None:
    with pytest.raises(ValueError, match="SOCRATA_") as caught:
        SocrataClient(url, token)
    assert TOKEN not in str(caught.value)


def test_resource_reads_settings_when_a_client_is_made(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = SocrataResource()
    monkeypatch.setenv("SOCRATA_URL", portal.url)
    monkeypatch.setenv("SOCRATA_APP_TOKEN", TOKEN + "\n")
    monkeypatch.setenv("SOCRATA_PAGE_ROWS", "5")
    portal.answers = [Answer([])]
    with resource.client() as client:
        list(client.rows(DATASET, ("id",)))
    assert portal.queries[0]["$limit"] == "5"
    assert portal.headers[0]["X-App-token"] == TOKEN
    assert TOKEN not in repr(resource)


def test_resource_fields_override_settings(portal: Portal) -> None:
    portal.answers = [Answer([])]
    with SocrataResource(url=portal.url, page_rows=9).client() as client:
        list(client.rows(DATASET, ("id",)))
    assert portal.queries[0]["$limit"] == "9"
