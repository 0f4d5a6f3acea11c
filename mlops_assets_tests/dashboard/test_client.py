"""The API's client: what it reads, and every way in which an answer can be none."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mlops_assets.dashboard.client import (
    Api,
    ApiKeyRefusedError,
    ApiUnreachableError,
    FrozenFeedError,
    NotReadyError,
    RecordsRefusedError,
    TooLargeError,
    UnexpectedAnswerError,
    address_problem,
)
from mlops_assets.domains.forest_cover.spec import FOREST_COVER

RECORD = {field.name: field.example for field in FOREST_COVER.request}
FOREST, DONOSTIA = "forest_cover", "donostia_parking"


def test_every_answer_is_read_as_the_api_gives_it(api: Any) -> None:
    client = Api(api.url)

    assert [model.name for model in client.models().models] == [FOREST, "chicago_crime", "donostia_parking"]
    model = client.model(FOREST)
    assert model.classes == FOREST_COVER.classes
    assert [field.name for field in model.request] == list(RECORD)
    assert [field.may_be_missing for field in model.request] == [True] * 10 + [False] * 2
    assert client.versions(FOREST).with_alias("champion") == client.versions(FOREST).versions[1]
    assert len(client.sample(FOREST, 7).columns["elevation"]) == 7
    answer = client.predict(FOREST, [RECORD, RECORD])
    assert (answer.model_version, answer.predictions) == ("2", [0, 1])
    assert len(answer.probabilities[0]) == 7  # type: ignore[arg-type]


def test_binary_predictions_stay_booleans(api: Any) -> None:
    answer = Api(api.url).predict("chicago_crime", [{"date": "2017-11-26T23:53:00.000"}])

    assert answer.predictions == [True]
    assert isinstance(answer.predictions[0], bool)
    assert answer.probabilities == [0.75]


def test_lineage_of_a_system_without_champion_may_be_null(api: Any) -> None:
    detail = {**api.served[FOREST].detail(), "lineage": None}
    api.served[FOREST].detail = lambda: detail

    assert Api(api.url).model(FOREST).lineage is None


def test_series_forecast_and_accuracy_are_read_by_the_key_of_the_system(api: Any) -> None:
    client = Api(api.url)

    contract = client.model(DONOSTIA).forecasting
    assert contract is not None
    history = client.history(DONOSTIA, contract.id_column, 48)
    assert [one.id for one in history.series] == ["id-kursaal", "id-arcco", "id-okendo", None]
    assert len(history.series[0].values) == 48
    forecast = client.forecast(DONOSTIA, contract.id_column, "id-arcco", 3)
    assert [hour.horizon for hour in forecast.forecast] == [1, 2, 3]
    assert client.accuracy(DONOSTIA, contract.id_column, None, 7).points == 7 * 576


def test_series_under_another_key_are_unexpected(api: Any) -> None:
    with pytest.raises(UnexpectedAnswerError, match="id"):
        Api(api.url).history(DONOSTIA, "station", 48)


@pytest.mark.parametrize(
    ("since", "expected"), [('"2022-05-12T20:00:00Z"', FrozenFeedError), ('"long ago"', NotReadyError), ("null", NotReadyError)]
)
def test_frozen_feed_says_since_when(api: Any, since: str, expected: type[Exception]) -> None:
    api.fault = (503, f'{{"detail": "it stands still", "errors": [], "since": {since}}}'.encode())

    with pytest.raises(expected) as refused:
        Api(api.url).forecast(DONOSTIA, "parking_id", None, 24)

    assert not isinstance(refused.value, FrozenFeedError) or refused.value.since == datetime(2022, 5, 12, 20, tzinfo=UTC)


def test_nobody_listening_is_unreachable() -> None:
    with pytest.raises(ApiUnreachableError, match="127.0.0.1:9"):
        Api("http://127.0.0.1:9").models()


@pytest.mark.parametrize("address", ["nonsense", "http://", "ftp://host", "http://[", "http://a\u0000b"])
def test_address_that_is_none_raises_a_typed_error(address: str) -> None:
    with pytest.raises((UnexpectedAnswerError, ApiUnreachableError)):
        Api(address).models()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, ApiKeyRefusedError),
        (403, ApiKeyRefusedError),
        (404, NotReadyError),
        (503, NotReadyError),
        (413, TooLargeError),
        (422, UnexpectedAnswerError),
        (500, UnexpectedAnswerError),
        (307, UnexpectedAnswerError),
    ],
)
@pytest.mark.parametrize("body", [b'{"detail": "a reason", "errors": []}', b"<html>", b"[]", b'{"detail": "x", "errors": 4}'])
def test_refusal_has_a_type_whatever_its_body(api: Any, status: int, expected: type[Exception], body: bytes) -> None:
    api.fault = (status, body)

    with pytest.raises(expected):
        Api(api.url).models()


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"models": [{"name": 3}]}', b"\xff"])
def test_answer_of_another_server_is_unexpected(api: Any, body: bytes) -> None:
    api.fault = (200, body)

    with pytest.raises(UnexpectedAnswerError, match="/models"):
        Api(api.url).models()


def test_fewer_predictions_than_records_are_not_taken(api: Any) -> None:
    api.fault = (200, b'{"model_version": "1", "predictions": [1], "probabilities": [[0.5, 0.5]]}')

    with pytest.raises(UnexpectedAnswerError, match="2 records"):
        Api(api.url).predict(FOREST, [RECORD, RECORD])


def test_refused_records_are_named(api: Any) -> None:
    with pytest.raises(RecordsRefusedError) as refused:
        Api(api.url).predict(FOREST, [RECORD, {**RECORD, "slope": -9999.0}])

    assert [(refusal.record, refusal.field) for refusal in refused.value.refusals] == [(1, "slope")]


def test_key_is_sent_and_never_shown(api: Any) -> None:
    api.key = "secret"

    assert Api(api.url, "secret").predict(FOREST, [RECORD]).predictions
    assert "secret" not in repr(Api(api.url, "secret"))
    with pytest.raises(ApiKeyRefusedError, match="API key"):
        Api(api.url, "another").predict(FOREST, [RECORD])


@pytest.mark.parametrize(
    ("address", "is_one"),
    [("http://127.0.0.1:8000", True), ("https://api.example/v1", True), ("", False), ("x:1", False), ("http://h:x", False)],
)
def test_address_problem_tells_addresses(address: str, is_one: bool) -> None:
    assert (address_problem(address) == "") is is_one
