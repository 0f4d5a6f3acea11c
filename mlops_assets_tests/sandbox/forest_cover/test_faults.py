"""Each way to misbehave, as a client meets it."""

from collections.abc import Callable

import pytest
import requests

from mlops_assets.sandbox.forest_cover import ForestCoverSandbox
from mlops_assets.sandbox.forest_cover.samples import COLUMNS

ROWS = 20

Call = Callable[..., requests.Response]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_refused_call_serves_nothing_and_leaves_the_batch_for_the_next(call: Call, status: int) -> None:
    with ForestCoverSandbox(batch_rows=10, batch_seconds=0) as sandbox:
        sandbox.faults.add("status", status=status, retry_after=3, times=2)
        for _ in range(2):
            response = call(sandbox)
            assert (response.status_code, response.headers["Retry-After"]) == (status, "3")
            assert list(response.json()) == ["detail"]
        assert call(sandbox).json()["batch_number"] == 1
        assert [answer.batch_number for answer in sandbox.served] == [1]


def test_a_slow_answer_times_out(sandbox: ForestCoverSandbox, call: Call) -> None:
    sandbox.faults.add("slow", seconds=30)
    with pytest.raises(requests.ReadTimeout):
        call(sandbox, timeout=0.2)


def test_a_cut_body_is_shorter_than_announced_and_counted_as_struck(sandbox: ForestCoverSandbox, call: Call) -> None:
    sandbox.faults.add("cut")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        call(sandbox)
    assert len(call(sandbox).json()["data"]) == ROWS
    assert [answer.faults for answer in sandbox.served] == [("cut",), ()]


def test_an_html_page_comes_with_status_200(sandbox: ForestCoverSandbox, call: Call) -> None:
    sandbox.faults.add("html")
    response = call(sandbox)
    assert (response.status_code, response.text[:15]) == (200, "<!DOCTYPE html>")


def test_invalid_json_does_not_parse(sandbox: ForestCoverSandbox, call: Call) -> None:
    sandbox.faults.add("invalid_json")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        call(sandbox).json()


@pytest.mark.parametrize(("kind", "values"), [("short_row", 12), ("long_row", 14)])
def test_a_share_of_rows_has_another_length(sandbox: ForestCoverSandbox, call: Call, kind: str, values: int) -> None:
    sandbox.faults.add(kind, share=0.25)
    rows = call(sandbox).json()["data"]
    assert [len(row) for row in rows] == [values] * 5 + [13] * 15
    assert sandbox.served[0].rows == rows


@pytest.mark.parametrize(("column", "value"), [("Elevation", "unknown"), ("Soil_Type", "C9999"), ("Wilderness_Area", "rawah")])
def test_a_column_of_a_share_of_rows_has_a_wrong_value(sandbox: ForestCoverSandbox, call: Call, column: str, value: str) -> None:
    sandbox.faults.add("wrong_value", column=column, value=value, share=0.001)
    values = [row[COLUMNS.index(column)] for row in call(sandbox).json()["data"]]
    assert [position for position, found in enumerate(values) if found == value] == [0]


def test_an_empty_answer_has_no_rows(sandbox: ForestCoverSandbox, call: Call) -> None:
    sandbox.faults.add("empty")
    assert call(sandbox).json() == {"group_number": 1, "batch_number": 1, "data": []}


def test_an_answer_names_another_batch(sandbox: ForestCoverSandbox, call: Call) -> None:
    sandbox.faults.add("wrong_batch", named_batch=4)
    assert [call(sandbox).json()["batch_number"] for _ in range(2)] == [4, 1]
    assert [answer.batch_number for answer in sandbox.served] == [4, 1]


def test_a_fault_waits_for_its_group_and_batch(sandbox: ForestCoverSandbox, call: Call, clock) -> None:
    sandbox.faults.add("status", group_number=2, batch_number=2)
    assert [call(sandbox, group_number=group).status_code for group in ("1", "2")] == [200, 200]
    clock.now += 300
    for group, status in (("1", 200), ("2", 500), ("2", 200)):
        assert call(sandbox, group_number=group).status_code == status


def test_faults_are_set_and_cleared_over_http(sandbox: ForestCoverSandbox, call: Call) -> None:
    address = f"{sandbox.url}/_sandbox/faults"
    assert requests.post(address, json={"kind": "status", "status": 503, "times": None}, timeout=10).json()["status"] == 503
    assert [call(sandbox).status_code for _ in range(2)] == [503, 503]
    assert [fault["kind"] for fault in requests.get(address, timeout=10).json()] == ["status"]
    requests.delete(address, timeout=10)
    assert call(sandbox).status_code == 200


@pytest.mark.parametrize(
    "wish",
    [{"kind": "gremlins"}, {"kind": "empty", "colour": "red"}, {"kind": "wrong_value", "column": "Height"}, {"kind": "empty", "share": 2}],
)
def test_an_unknown_fault_is_refused(sandbox: ForestCoverSandbox, wish: dict[str, object]) -> None:
    assert requests.post(f"{sandbox.url}/_sandbox/faults", json=wish, timeout=10).status_code == 400
    assert sandbox.faults.waiting() == ()
