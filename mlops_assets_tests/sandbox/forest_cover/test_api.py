"""The batch API over HTTP: its clock, its groups, its answers and its errors."""

import json
from collections.abc import Callable

import pytest
import requests

from mlops_assets.sandbox.forest_cover import ForestCoverSandbox

COLLECTED = '{"detail":"Ya se recolectó toda la información minima necesaria"}'
ROWS = 20

Call = Callable[..., requests.Response]


def test_an_answer_has_group_batch_and_rows_of_thirteen_texts(sandbox: ForestCoverSandbox, call: Call) -> None:
    response = call(sandbox)
    answer = response.json()
    assert response.headers["Content-Type"] == "application/json"
    assert list(answer) == ["group_number", "batch_number", "data"]
    assert (answer["group_number"], answer["batch_number"], len(answer["data"])) == (1, 1, ROWS)
    assert all(len(row) == 13 and all(isinstance(value, str) for value in row) for row in answer["data"])
    assert response.text == json.dumps(answer, separators=(",", ":"))


def test_the_batch_advances_at_most_once_per_interval_and_only_on_request(sandbox: ForestCoverSandbox, call: Call, clock) -> None:
    batches = []
    for seconds in (0, 0, 299.9, 0.1, 0, 3000, 299, 1):
        clock.now += seconds
        batches.append(call(sandbox).json()["batch_number"])
    assert batches == [1, 1, 1, 2, 2, 3, 3, 4]


def test_the_last_batch_has_its_time_and_then_all_is_collected(sandbox: ForestCoverSandbox, call: Call, clock) -> None:
    for _ in range(9):
        call(sandbox)
        clock.now += 300
    assert call(sandbox).json()["batch_number"] == 10
    clock.now += 299
    assert call(sandbox).json()["batch_number"] == 10
    clock.now += 1
    for _ in range(2):
        response = call(sandbox)
        assert (response.status_code, response.text) == (400, COLLECTED)


def test_without_an_interval_every_call_gets_the_next_batch(call: Call) -> None:
    with ForestCoverSandbox(batch_rows=10, batch_seconds=0) as sandbox:
        assert [call(sandbox).json()["batch_number"] for _ in range(10)] == list(range(1, 11))
        assert (call(sandbox).status_code, call(sandbox).text) == (400, COLLECTED)


def test_each_call_draws_a_new_tenth_of_the_same_batch(sandbox: ForestCoverSandbox, call: Call) -> None:
    draws = [{tuple(row) for row in call(sandbox).json()["data"]} for _ in range(60)]
    assert {len(draw) for draw in draws} == {ROWS}
    assert draws[0] != draws[1]
    assert len(set.union(*draws)) <= 10 * ROWS
    assert len(set.union(*draws)) > 9 * ROWS


def test_whole_batches_come_whole(call: Call, clock) -> None:
    with ForestCoverSandbox(batch_rows=50, whole_batches=True, clock=clock) as sandbox:
        first, second = (call(sandbox).json()["data"] for _ in range(2))
    assert len(first) == 50
    assert first == second


def test_groups_stand_for_themselves_and_restart_alone(sandbox: ForestCoverSandbox, call: Call, clock) -> None:
    for group in ("1", "2", "2"):
        call(sandbox, group_number=group)
        clock.now += 300
    restarted = call(sandbox, "/restart_data_generation", group_number="2")
    assert (restarted.status_code, restarted.json()) == (200, ["ok"])
    assert [call(sandbox, group_number=group).json()["batch_number"] for group in ("1", "2", "10")] == [2, 1, 1]


@pytest.mark.parametrize("path", ["/data", "/restart_data_generation"])
def test_a_wrong_group_is_refused_as_fastapi_words_it(sandbox: ForestCoverSandbox, call: Call, path: str) -> None:
    for group in ("0", "11", "-1"):
        response = call(sandbox, path, group_number=group)
        assert (response.status_code, response.json()) == (400, {"detail": "Número de grupo inválido"})
    unreadable, missing = call(sandbox, path, group_number="one"), call(sandbox, path, group_number=None)
    assert (unreadable.status_code, missing.status_code) == (422, 422)
    assert unreadable.json()["detail"][0] == {
        "type": "int_parsing",
        "loc": ["query", "group_number"],
        "msg": "Input should be a valid integer, unable to parse string as an integer",
        "input": "one",
    }
    problem = {"type": "missing", "loc": ["query", "group_number"], "msg": "Field required", "input": None}
    assert missing.json() == {"detail": [problem]}


def test_an_unknown_path_is_not_found(sandbox: ForestCoverSandbox, call: Call) -> None:
    response = call(sandbox, "/batches")
    assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})


def test_what_was_served_is_remembered_row_by_row(sandbox: ForestCoverSandbox, call: Call) -> None:
    rows = [call(sandbox, group_number=group).json()["data"] for group in ("1", "3")]
    call(sandbox, group_number="11")
    assert [(answer.group_number, answer.batch_number) for answer in sandbox.served] == [(1, 1), (3, 1)]
    assert [answer.rows for answer in sandbox.served] == rows
    expected = [{"faults": [], "group_number": group, "batch_number": 1, "data": data} for group, data in zip((1, 3), rows, strict=True)]
    assert call(sandbox, "/_sandbox/served").json() == expected
    first, second = ({"group_number": group, "batch_number": 1, "rows": ROWS, "faults": []} for group in (1, 3))
    assert call(sandbox, "/_sandbox/stats").json() == sandbox.stats() == {"requests": 2, "calls": [first, second]}
    sandbox.reset_stats()
    assert sandbox.served == ()
    assert sandbox.stats() == {"requests": 0, "calls": []}


def test_the_same_seed_serves_the_same_answers(call: Call) -> None:
    answers = []
    for seed in (1, 1, 2):
        with ForestCoverSandbox(seed=seed, batch_rows=50) as sandbox:
            answers.append([call(sandbox).text for _ in range(3)])
    assert answers[0] == answers[1] != answers[2]


@pytest.mark.parametrize(("options", "message"), [({"batch_seconds": -1}, "batch_seconds is -1"), ({"batch_rows": 0}, "a batch of 0 rows")])
def test_impossible_batches_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ForestCoverSandbox(**options)


def test_the_sandbox_has_no_url_before_it_runs() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        _ = ForestCoverSandbox().url
