"""Each way to misbehave, as the client meets it."""

import pytest
import requests
from sodapy import Socrata

from mlops_assets.sandbox.socrata import SocrataSandbox

CRIMES = "ijzp-q8t2"
ROWS = 600
MARCH = "date >= '2017-03-01' AND date < '2017-04-01'"
APRIL = "date >= '2017-04-01' AND date < '2017-05-01'"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_status_strikes_the_next_requests_only(sandbox: SocrataSandbox, client: Socrata, status: int) -> None:
    sandbox.faults.add("status", status=status, retry_after=3, times=2)
    for _ in range(2):
        with pytest.raises(requests.HTTPError) as caught:
            client.get(CRIMES, limit=1)
        assert caught.value.response.status_code == status
        assert caught.value.response.headers["Retry-After"] == "3"
    assert len(client.get(CRIMES, limit=1)) == 1


def test_a_slow_answer_times_out(sandbox: SocrataSandbox, connect) -> None:
    sandbox.faults.add("slow", seconds=30)
    with pytest.raises(requests.ReadTimeout):
        connect(sandbox, timeout=0.2).get(CRIMES, limit=1)


def test_a_cut_body_is_shorter_than_announced(sandbox: SocrataSandbox, client: Socrata) -> None:
    sandbox.faults.add("cut")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        client.get(CRIMES, where=MARCH)
    assert len(client.get(CRIMES, where=MARCH)) == ROWS


def test_an_html_page_comes_with_status_200(sandbox: SocrataSandbox) -> None:
    sandbox.faults.add("html")
    response = requests.get(f"{sandbox.url}/resource/{CRIMES}.json", timeout=10)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.text.startswith("<!DOCTYPE html>")


def test_invalid_json_does_not_parse(sandbox: SocrataSandbox, client: Socrata) -> None:
    sandbox.faults.add("invalid_json")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        client.get(CRIMES, where=MARCH)


def test_a_missing_column_is_refused_by_name_and_absent_otherwise(sandbox: SocrataSandbox, client: Socrata) -> None:
    sandbox.faults.add("missing_column", column="beat", times=None)
    with pytest.raises(requests.HTTPError, match="No such column: beat"):
        client.get(CRIMES, select="id, beat", where=MARCH)
    assert all("beat" not in row for row in client.get(CRIMES, where=MARCH))
    sandbox.faults.clear()
    assert all("beat" in row for row in client.get(CRIMES, where=MARCH))


def test_a_renamed_column_keeps_its_values(sandbox: SocrataSandbox, client: Socrata) -> None:
    expected = client.get(CRIMES, where=MARCH, order=":id")
    sandbox.faults.add("renamed_column", column="arrest", new_name="arrest_made")
    renamed = client.get(CRIMES, where=MARCH, order=":id")
    assert [row["arrest_made"] for row in renamed] == [row["arrest"] for row in expected]
    assert all("arrest" not in row for row in renamed)


@pytest.mark.parametrize(("column", "values"), [("arrest", {"Y", "N"}), ("x_coordinate", {"UNKNOWN"})])
def test_a_wrong_type_cannot_be_read(sandbox: SocrataSandbox, client: Socrata, column: str, values: set[str]) -> None:
    sandbox.faults.add("wrong_type", column=column)
    assert {row[column] for row in client.get(CRIMES, where=MARCH)} == values


def test_duplicate_ids_come_in_the_fault_month_only(sandbox: SocrataSandbox, client: Socrata) -> None:
    sandbox.faults.add("duplicate_ids", month="2017-03", rows=4, times=None)
    march, april = (client.get(CRIMES, select="id", where=where) for where in (MARCH, APRIL))
    assert (len(march), len({row["id"] for row in march})) == (ROWS + 4, ROWS)
    assert (len(april), len({row["id"] for row in april})) == (ROWS, ROWS)


def test_coordinates_leave_the_city(sandbox: SocrataSandbox, client: Socrata) -> None:
    sandbox.faults.add("outside", rows=9)
    rows = client.get(CRIMES, where=MARCH, order=":id")
    assert all(row["x_coordinate"] == "0" and row["latitude"] == "36.619446395" for row in rows[:9])
    assert {row["location"]["coordinates"][0] for row in rows[:9]} == {-91.686565684}


def test_an_empty_month_has_no_rows_and_no_group(sandbox: SocrataSandbox, client: Socrata) -> None:
    sandbox.faults.add("empty", month="2017-03", times=None)
    assert client.get(CRIMES, where=MARCH) == []
    groups = client.get(CRIMES, select="date_trunc_ym(date) as month", group="month", where="year = 2017")
    assert len(groups) == 11
    assert len(client.get(CRIMES, where=APRIL)) == ROWS


def test_a_transport_fault_waits_for_its_dataset_and_month(sandbox: SocrataSandbox, client: Socrata) -> None:
    sandbox.faults.add("status", dataset=CRIMES, month="2017-03")
    assert client.get("z8bn-74gv")
    assert client.get(CRIMES, where=APRIL)
    assert client.get(CRIMES, where="year = 2017", limit=1)
    with pytest.raises(requests.HTTPError, match="500"):
        client.get(CRIMES, where=MARCH)


def test_faults_are_set_and_cleared_over_http(sandbox: SocrataSandbox, client: Socrata) -> None:
    address = f"{sandbox.url}/_sandbox/faults"
    assert requests.post(address, json={"kind": "status", "status": 503, "times": None}, timeout=10).json()["status"] == 503
    with pytest.raises(requests.HTTPError, match="503"):
        client.get(CRIMES, limit=1)
    assert [fault["kind"] for fault in requests.get(address, timeout=10).json()] == ["status"]
    requests.delete(address, timeout=10)
    assert client.get(CRIMES, limit=1)


@pytest.mark.parametrize("wish", [{"kind": "gremlins"}, {"kind": "status", "colour": "red"}])
def test_an_unknown_fault_is_refused(sandbox: SocrataSandbox, wish: dict[str, str]) -> None:
    response = requests.post(f"{sandbox.url}/_sandbox/faults", json=wish, timeout=10)
    assert response.status_code == 400
