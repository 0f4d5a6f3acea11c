"""Who may do what, with keys and without."""

from collections.abc import Callable
from typing import Any

import pytest

KEYS = "correct horse, schlüssel"
BODY = {"records": [{"height": 1.0, "colour": "red"}]}
GOOD = [
    {"x-api-key": "correct horse"},
    {"x-api-key": "schlüssel".encode()},
    {"authorization": "Bearer correct horse"},
    {"authorization": "bearer correct horse"},
]
BAD: list[dict[str, str]] = [
    {},
    {"x-api-key": ""},
    {"x-api-key": "correct"},
    {"x-api-key": KEYS.split(",")[0] + ", x"},
    {"authorization": "correct horse"},
    {"authorization": "Basic correct horse"},
    {"x-api-key": "wrong", "authorization": "Bearer correct horse"},
]


@pytest.fixture
def guarded(serve: Callable[..., Any]) -> Any:
    """Both champions behind keys."""
    return serve(mlops_api_keys=KEYS).until_ok()


def test_every_key_opens_predictions_data_and_administration(guarded: Any) -> None:
    for headers in GOOD:
        assert guarded.post("/models/flowers/predict", json=BODY, headers=headers).status_code == 200
    assert guarded.post("/predict", json={"samples": BODY["records"]}, headers=GOOD[0]).status_code == 200
    assert guarded.get("/models/loans/data", headers=GOOD[0]).status_code == 503
    assert guarded.post("/models/loans/reload", headers=GOOD[0]).json() == {"model": "loans", "model_version": "1"}
    assert guarded.post("/reload", headers=GOOD[0]).json() == {"model": "flowers", "model_version": "1"}


def test_without_a_key_only_what_holds_no_record_is_open(guarded: Any) -> None:
    for headers in BAD:
        answers = [guarded.post(path, json=BODY, headers=headers) for path in ("/models/flowers/predict", "/predict", "/reload")]
        answers += [guarded.post("/models/loans/reload", headers=headers), guarded.get("/models/loans/data", headers=headers)]
        assert {answer.status_code for answer in answers} == {401}
        assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    for path in ("/health", "/metrics", "/openapi.json", "/docs", "/models", "/models/loans", "/models/loans/versions", "/metadata"):
        assert guarded.get(path).status_code == 200


def test_reload_is_closed_where_no_key_is_configured(api: Any) -> None:
    for path in ("/reload", "/models/loans/reload"):
        answer = api.post(path, headers=GOOD[0])
        assert answer.status_code == 403
        assert "set MLOPS_API_KEYS" in answer.json()["detail"]
