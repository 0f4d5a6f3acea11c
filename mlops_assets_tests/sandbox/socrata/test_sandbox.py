"""The sandbox over HTTP, through the client library of production."""

from datetime import date

import pytest
import requests
from sodapy import Socrata

from mlops_assets.sandbox.socrata import SocrataSandbox

CRIMES, STATIONS = "ijzp-q8t2", "z8bn-74gv"
ROWS = 600
MARCH = "date >= '2017-03-01T00:00:00' AND date < '2017-04-01T00:00:00'"
COUNTS = {"select": "date_trunc_ym(date) as month, count(*) as rows, max(:updated_at) as newest", "group": "month", "order": "month"}


def test_crimes_arrive_in_the_portals_form(client: Socrata) -> None:
    row = client.get(CRIMES, where=f"{MARCH} AND latitude > 40", order=":id", limit=1)[0]
    assert row["date"].startswith("2017-03-")
    assert len(row["date"]) == len("2017-11-26T23:53:00.000")
    assert isinstance(row["arrest"], bool)
    assert isinstance(row["domestic"], bool)
    assert row["location"] == {"type": "Point", "coordinates": [float(row["longitude"]), float(row["latitude"])]}
    assert all(isinstance(value, str) for name, value in row.items() if name not in {"arrest", "domestic", "location"})
    assert not any(name.startswith(":") for name in row)


def test_a_missing_value_is_a_missing_key(client: Socrata) -> None:
    rows = client.get(CRIMES, where=f"{MARCH} AND x_coordinate is null", limit=ROWS)
    assert rows
    assert all("x_coordinate" not in row and "location" not in row for row in rows)


def test_named_columns_and_system_fields_are_selected(client: Socrata) -> None:
    row = client.get(CRIMES, select=":id, :updated_at, district", where=MARCH, limit=1)[0]
    assert set(row) == {":id", ":updated_at", "district"}
    everything = client.get(CRIMES, where=MARCH, limit=1, exclude_system_fields="false")[0]
    assert {":id", ":created_at", ":updated_at", "id"} <= set(everything)


def test_the_default_limit_is_a_thousand(client: Socrata) -> None:
    assert len(client.get(CRIMES)) == 1000
    assert len(client.get(CRIMES, limit=60_000, where="date between '2017-01-01' and '2017-12-31T23:59:59'")) == 12 * ROWS


def test_pages_ordered_by_id_cover_every_row_once(client: Socrata) -> None:
    pages = [
        client.get(CRIMES, select="id", where="year = 2017", order=":id", limit=1000, offset=offset) for offset in range(0, 8000, 1000)
    ]
    ids = [row["id"] for page in pages for row in page]
    assert len(ids) == len(set(ids)) == 12 * ROWS
    assert ids == sorted(ids, key=int)


def test_pages_without_order_overlap(client: Socrata) -> None:
    pages = [client.get(CRIMES, select="id", where=MARCH, limit=200, offset=offset) for offset in (0, 200, 400)]
    assert [len(page) for page in pages] == [200, 200, 200]
    assert len({row["id"] for page in pages for row in page}) < ROWS


def test_months_are_counted_without_their_rows(client: Socrata, sandbox: SocrataSandbox) -> None:
    months = client.get(CRIMES, where="date >= '2008-01-01'", **COUNTS)
    assert len(months) == 121
    assert months[0] == {"month": "2008-01-01T00:00:00.000", "rows": str(ROWS), "newest": "2008-02-07T21:50:00.000Z"}
    assert sandbox.stats()[CRIMES]["months"] == {}


def test_groups_of_rows_add_up(client: Socrata) -> None:
    groups = client.get(CRIMES, select="primary_type, count(*) as rows", where=MARCH, group="primary_type", order="rows DESC")
    counts = [int(group["rows"]) for group in groups]
    assert sum(counts) == ROWS
    assert counts == sorted(counts, reverse=True)
    assert groups[0]["primary_type"] == "THEFT"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"select": "foo"}, "query.soql.no-such-column"),
        ({"where": "district = 15"}, "query.soql.type-mismatch"),
        ({"where": "date >"}, "query.compiler.malformed"),
        ({"select": "arrest, count(*)"}, "query.soql.column-not-in-group-bys"),
        ({"select": "soundex(block)"}, "query.soql.no-such-function"),
    ],
)
def test_a_wrong_query_is_refused(sandbox: SocrataSandbox, query: dict[str, str], code: str) -> None:
    response = requests.get(f"{sandbox.url}/resource/{CRIMES}.json", {f"${name}": text for name, text in query.items()}, timeout=10)
    assert response.status_code == 400
    assert response.json()["code"] == code
    assert response.json()["error"] is True


def test_an_unknown_column_is_named(client: Socrata) -> None:
    with pytest.raises(requests.HTTPError, match="Query coordinator error: query.soql.no-such-column; No such column: foo; position: Map"):
        client.get(CRIMES, select="foo")


def test_an_unknown_dataset_is_missing(sandbox: SocrataSandbox) -> None:
    response = requests.get(f"{sandbox.url}/resource/none-such.json", timeout=10)
    assert (response.status_code, response.json()["code"]) == (404, "dataset.missing")


def test_headers_describe_the_answer(sandbox: SocrataSandbox) -> None:
    response = requests.get(f"{sandbox.url}/resource/{CRIMES}.json", {"$select": "id,date,arrest", "$where": MARCH}, timeout=10)
    assert response.headers["Content-Type"] == "application/json;charset=utf-8"
    assert response.headers["X-SODA2-Fields"] == '["id", "date", "arrest"]'
    assert response.headers["X-SODA2-Types"] == '["number", "calendar_date", "checkbox"]'
    assert response.headers["Content-Encoding"] == "gzip"
    plain = requests.get(response.url, headers={"Accept-Encoding": "identity"}, timeout=10)
    assert "Content-Encoding" not in plain.headers
    assert len(plain.json()) == len(response.json())


def test_stations_are_22_districts_and_the_headquarters(client: Socrata) -> None:
    stations = client.get(STATIONS, order="district")
    assert len(stations) == 23
    assert {"1", "25", "Headquarters"} <= {station["district"] for station in stations}
    central = next(station for station in stations if station["district"] == "1")
    assert (central["district_name"], central["x_coordinate"], central["zip"]) == ("Central", "1176569.052", "60616")
    assert central["location"]["coordinates"] == [-87.62735617, 41.85837259]


def test_a_revision_changes_exactly_one_month(client: Socrata, sandbox: SocrataSandbox) -> None:
    before, arrests = client.get(CRIMES, **COUNTS), _arrests(client)
    sandbox.revise("2017-03", rows=37)
    after = client.get(CRIMES, **COUNTS)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [new["month"][:7] for _, new in changed] == ["2017-03"]
    assert changed[0][1]["rows"] == changed[0][0]["rows"]
    assert changed[0][1]["newest"] > changed[0][0]["newest"]
    assert _arrests(client) == arrests + 37
    moved = client.get(CRIMES, select="updated_on", where=f":updated_at >= '{changed[0][1]['newest']}' AND {MARCH}")
    assert len(moved) == 37


def test_late_rows_join_their_month(client: Socrata, sandbox: SocrataSandbox) -> None:
    answer = requests.post(f"{sandbox.url}/_sandbox/revise", json={"month": "2017-03", "add_rows": 5}, timeout=10)
    assert answer.status_code == 200
    rows = client.get(CRIMES, where=MARCH, order=":id", limit=5000)
    assert len(rows) == len({row["id"] for row in rows}) == ROWS + 5
    assert client.get(CRIMES, select="count(*)", where=MARCH) == [{"count": str(ROWS + 5)}]
    assert client.get(CRIMES, select="count(*)", where="date >= '2017-04-01' AND date < '2017-05-01'") == [{"count": str(ROWS)}]


def test_a_revision_of_no_month_is_refused(sandbox: SocrataSandbox) -> None:
    answer = requests.post(f"{sandbox.url}/_sandbox/revise", json={"month": "2018-02", "rows": 1}, timeout=10)
    assert answer.status_code == 400
    assert "2018-02" in answer.json()["message"]


def test_counters_follow_what_is_served(client: Socrata, sandbox: SocrataSandbox) -> None:
    client.get(CRIMES, where=MARCH, order=":id", limit=400)
    client.get(CRIMES, where=MARCH, order=":id", limit=400, offset=400)
    client.get(STATIONS)
    stats = requests.get(f"{sandbox.url}/_sandbox/stats", timeout=10).json()
    assert stats == sandbox.stats()
    assert stats[CRIMES] == {"requests": 2, "rows": ROWS, "months": {"2017-03": {"requests": 2, "rows": ROWS}}}
    assert stats[STATIONS] == {"requests": 1, "rows": 23, "months": {}}
    sandbox.reset_stats()
    assert sandbox.stats()[CRIMES] == {"requests": 0, "rows": 0, "months": {}}


def test_a_required_token_keeps_others_out(connect) -> None:
    with SocrataSandbox(rows_per_month=10, required_token="right") as sandbox:
        assert len(connect(sandbox, token="right").get(CRIMES, limit=3)) == 3
        with pytest.raises(requests.HTTPError, match="403 Client Error.*\n.*Invalid app_token specified"):
            connect(sandbox, token="wrong").get(CRIMES, limit=3)


def test_requests_without_token_can_be_throttled(sandbox: SocrataSandbox, client: Socrata) -> None:
    sandbox.faults.add("status", status=429, retry_after=2, without_token=True, times=None)
    response = requests.get(f"{sandbox.url}/resource/{CRIMES}.json", timeout=10)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "2")
    assert len(client.get(CRIMES, limit=3)) == 3


def test_months_end_before_today() -> None:
    with SocrataSandbox(rows_per_month=10, today=date(2001, 3, 1)) as sandbox:
        response = requests.get(f"{sandbox.url}/resource/{CRIMES}.json", {"$select": "max(date) as last, count(*)"}, timeout=10)
    assert response.json()[0]["count"] == "20"
    assert response.json()[0]["last"].startswith("2001-02")


def test_the_sandbox_has_no_url_before_it_runs() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        _ = SocrataSandbox(rows_per_month=10).url


def _arrests(client: Socrata) -> int:
    return int(client.get(CRIMES, select="count(*)", where=f"{MARCH} AND arrest = true")[0]["count"])
