"""What a bad request gets: the right status, and a sentence that names record and field. Never a 500."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

RECORD = {"height": 1.0, "colour": "red"}
PREDICT = "/models/flowers/predict"


def first_error(answer: Any) -> tuple[int, int | None, str | None, str]:
    """Status, and record, field and message of the first problem."""
    error = answer.json()["errors"][0]
    return answer.status_code, error["record"], error["field"], error["message"]


@pytest.mark.parametrize(
    ("bad", "field", "message"),
    [
        ({"height": "tall"}, "height", "'tall' is not a double"),
        ({"height": True}, "height", "True is not a double"),
        ({"height": [1]}, "height", "is not a double"),
        ({"colour": "reed"}, "colour", "'reed' is none of its 2 categories; the nearest is 'red'"),
        ({"colour": None}, "colour", "is required"),
        ({"hight": 1.0}, "hight", "is no field of a record; the fields are: colour, height"),
    ],
)
@pytest.mark.parametrize("others", [1, 900])
def test_a_bad_value_is_named_with_record_and_field(api: Any, bad: dict[str, Any], field: str, message: str, others: int) -> None:
    answer = api.post(PREDICT, json={"records": [RECORD] * others + [RECORD | bad]})

    status, record, named, text = first_error(answer)
    assert (status, record, named) == (422, others, field)
    assert message in text
    assert f"row {others}: {field} " in answer.json()["detail"]


def test_a_missing_field_is_named_and_a_nullable_one_may_be_null(api: Any) -> None:
    assert first_error(api.post(PREDICT, json={"records": [{"colour": "red"}]}))[:3] == (422, 0, "height")
    assert api.post(PREDICT, json={"records": [{"colour": "red", "height": None}]}).status_code == 200


def test_a_misspelled_field_is_named_with_the_one_that_is_missing(api: Any) -> None:
    errors = api.post(PREDICT, json={"records": [RECORD, {"hight": 1.0, "colour": "red"}]}).json()["errors"]

    assert [(error["record"], error["field"]) for error in errors] == [(1, "hight"), (1, "height")]
    assert errors[1]["message"] == "is required, though it may be null"


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_json_does_not_know_is_found(api: Any, literal: str) -> None:
    records = f'[{{"height": 1, "colour": "red"}}, {{"height": {literal}, "colour": "red"}}]'

    answer = api.post(PREDICT, data=f'{{"records": {records}}}', headers={"content-type": "application/json"})

    assert first_error(answer) == (422, 1, "height", f"{literal} is not a JSON number; send null for a missing value")


def test_the_first_hundred_problems_are_listed_and_all_are_counted(api: Any) -> None:
    answer = api.post(PREDICT, json={"records": [{"height": "x", "colour": "red"}] * 150}).json()

    assert (len(answer["errors"]), answer["total"]) == (100, 150)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b'{"records": NaN}', "is not JSON (NaN and Infinity are not)"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 50_000, "is not JSON"),
        (b"null", 'one key "records"'),
        (b"[]", 'one key "records": {"records": [{...}, ...]}; it is a list'),
        (b"{}", 'one key "records": {"records": [{...}, ...]}; it has the keys: none'),
        (b'{"records": [{}], "model": 1}', "it has the keys: model, records"),
        (b'{"records": {"height": 1}}', '"records" must be a list of records, not an object'),
        (b'{"records": []}', "must hold 1 to 1000 records, not 0"),
        (json.dumps({"records": [{}] * 1001}).encode(), "must hold 1 to 1000 records, not 1001"),
        (b'{"records": [1]}', "row 0: it must be an object, not a number"),
    ],
)
def test_a_body_of_another_shape_is_refused(api: Any, body: bytes, message: str) -> None:
    answer = api.post(PREDICT, data=body, headers={"content-type": "application/json"})

    assert answer.status_code == 422
    assert message in answer.json()["detail"]


@pytest.mark.parametrize("headers", [{"content-type": "text/csv"}, {"content-type": "application/json", "content-encoding": "gzip"}])
def test_anything_but_plain_json_is_refused(api: Any, headers: dict[str, str]) -> None:
    answer = api.post(PREDICT, data=b"{}", headers=headers)

    assert answer.status_code == 415
    assert "content" in answer.json()["detail"]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_beyond_the_limit_is_refused_while_it_arrives(api: Any, is_chunked: bool) -> None:
    body = b" " * 100_001
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=30)
    connection.request(
        "POST",
        PREDICT,
        body=iter([body[:60_000], body[60_000:]]) if is_chunked else body,
        encode_chunked=is_chunked,
        headers={"transfer-encoding": "chunked"} if is_chunked else {},
    )
    answer = connection.getresponse()

    assert answer.status == 413
    assert "100000 bytes" in json.loads(answer.read())["detail"]
    connection.close()


def test_an_unknown_model_or_path_or_method_is_named(api: Any) -> None:
    for answer in (api.post("/models/trees/predict", json={}), api.get("/models/trees"), api.post("/models/trees/reload")):
        assert (answer.status_code, answer.json()["detail"]) == (404, "there is no model 'trees'; there are: loans, flowers, visitors")
    assert "there is no GET /nowhere" in api.get("/nowhere").json()["detail"]
    wrong = api.get(PREDICT)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


def test_a_client_that_hangs_up_half_way_disturbs_nobody(api: Any) -> None:
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=30)
    connection.putrequest("POST", PREDICT)
    connection.putheader("content-length", "1000")
    connection.endheaders(b'{"records"')
    connection.close()

    assert api.post(PREDICT, json={"records": [RECORD]}).status_code == 200
