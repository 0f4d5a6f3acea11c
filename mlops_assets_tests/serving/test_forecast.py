"""Forecasts over HTTP: the model's own on what is stored, computed once an hour, and a reason wherever there is none."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.domain import ForecastDomain
from mlops_assets.ml.forecast.model import ForecastModel
from mlops_assets.settings import Settings
from mlops_assets_tests.small_systems import HOURLY_VISITORS, NOW, RUNNING_HOUR, VISITORS, make_visitors, store_rows

FORECAST = "/models/visitors/forecast"
HOUR = timedelta(hours=1)


@pytest.fixture
def warehouse(tmp_path: Path) -> str:
    """The address of the warehouse of `serve`."""
    return Settings(_env_file=None, mlops_home=tmp_path / "home").warehouse_url.get_secret_value()


@pytest.fixture
def visitors(request: pytest.FixtureRequest) -> ForecastDomain:
    """The system with a registered model of the test's own, which has no version yet."""
    return replace(VISITORS, registered_name=request.node.name)


def own_forecast(number: int, horizon: int, series: str | None) -> list[dict[str, Any]]:
    """What the method of that number forecasts from `make_visitors`."""
    model = ForecastModel.of(VISITORS, VISITORS.methods[number])
    rows = model.forecast(pd.DataFrame(make_visitors())[["hour", "shop", "visitors"]], created_at=RUNNING_HOUR, horizon=horizon).rows
    rows = rows[rows["shop"].isna()] if series is None else rows[rows["shop"] == series]
    return rows.sort_values("horizon").to_dict("records")


@pytest.mark.parametrize(
    ("body", "horizon", "series", "name"),
    [
        ({}, 24, None, "both shops"),
        ({"horizon": None, "shop": None}, 24, None, "both shops"),
        ({"horizon": 3, "shop": "n"}, 3, "n", "North"),
        ({"horizon": 48, "shop": "s"}, 48, "s", "South"),
    ],
)
def test_a_forecast_is_the_models_own_from_the_running_hour_on(
    api: Any, body: dict[str, Any], horizon: int, series: str | None, name: str
) -> None:
    expected = own_forecast(0, max(24, horizon), series)[:horizon]

    answer = api.post(FORECAST, json=body)

    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["model"], found["model_version"], found["shop"], found["name"]) == ("visitors", "1", series, name)
    assert (found["created_at"], found["as_of"]) == ("2024-03-05T10:00:00Z", "2024-03-05T09:00:00Z")
    assert (found["method"], found["reason"], found["coverage"], found["unit"]) == ("seasonal_naive_day", "", 0.8, "Visitors in the hour.")
    assert found["train_points"] == 14 * 24
    hours = found["forecast"]
    assert [datetime.fromisoformat(hour["timestamp"]) for hour in hours] == [RUNNING_HOUR + (step + 1) * HOUR for step in range(horizon)]
    assert [hour["horizon"] for hour in hours] == list(range(1, horizon + 1))
    for column in ("yhat", "yhat_lower", "yhat_upper"):
        numbers = np.array([hour[column] for hour in hours], dtype=float)
        np.testing.assert_allclose(numbers, [row[column] for row in expected], equal_nan=True)


@pytest.mark.parametrize(
    ("body", "fields", "message"),
    [
        ({"horizon": 0}, ["horizon"], "must be a whole number from 1 to 48, not 0"),
        ({"horizon": 49}, ["horizon"], "not 49"),
        ({"horizon": 24.0}, ["horizon"], "not 24.0"),
        ({"horizon": True}, ["horizon"], "not True"),
        ({"horizon": "24"}, ["horizon"], "not '24'"),
        ({"shop": 1}, ["shop"], "must be text, or null for both shops, not 1"),
        ({"horison": 3, "shop": 1}, ["horison", "shop"], "is no field of this request; the fields are: horizon, shop"),
        ({"shop": "w"}, ["shop"], "'w' is no series of visitors; there are: n (North), s (South); without one it is both shops"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(api: Any, body: dict[str, Any], fields: list[str], message: str) -> None:
    answer = api.post(FORECAST, json=body)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == fields
    assert message in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "message"), [(b"", "is not JSON such as"), (b"[]", 'must be an object such as {"horizon": 24, "shop": null}')]
)
def test_a_body_that_is_no_object_is_refused(api: Any, body: bytes, message: str) -> None:
    answer = api.post(FORECAST, data=body, headers={"content-type": "application/json"})

    assert (answer.status_code, message in answer.json()["detail"]) == (422, True)


def test_who_asks_the_wrong_kind_of_system_is_told_where_to_ask(api: Any) -> None:
    answers = [api.post("/models/loans/forecast", json={}), api.get("/models/loans/history"), api.get("/models/loans/accuracy")]
    wrong = api.post("/models/visitors/predict", json={"records": []})

    for answer in answers:
        assert answer.status_code == 404
        assert "ask POST /models/loans/predict" in answer.json()["detail"]
    assert (wrong.status_code, "ask POST /models/visitors/forecast" in wrong.json()["detail"]) == (404, True)
    assert "there is no model 'trees'" in api.post("/models/trees/forecast", json={}).json()["detail"]


def test_forecasts_and_what_is_stored_need_a_key_where_keys_are(serve: Callable[..., Any]) -> None:
    api = serve(VISITORS, mlops_api_keys="k", now=lambda: NOW).until_ok()

    for ask in (
        lambda **options: api.post(FORECAST, json={}, **options),
        *(lambda part=part, **options: api.get(f"/models/visitors/{part}", **options) for part in ("history", "accuracy")),
    ):
        assert ask().status_code == 401
        assert ask(headers={"x-api-key": "k"}).status_code in (200, 503)


def test_without_history_or_champion_the_answer_says_so(serve: Callable[..., Any], warehouse: str) -> None:
    api = serve(VISITORS, replace(VISITORS, name="others", registered_name="never-registered"), now=lambda: NOW).until_ok()
    nothing = "table hourly_visitors has no hour from 2024-02-20T10 to before 2024-03-05T10 (UTC): ingest visitors first"

    assert (api.post(FORECAST, json={}).status_code, api.post(FORECAST, json={}).json()["detail"]) == (503, nothing)
    assert (api.get("/models/visitors/history").status_code, api.get("/models/visitors/history").json()["detail"]) == (503, nothing)
    other = api.post("/models/others/forecast", json={})
    assert (other.status_code, "has no champion of never-registered" in other.json()["detail"]) == (503, True)
    # The hour that is running is not complete, and hours before the window are not read.
    store_rows(warehouse, HOURLY_VISITORS, make_visitors(1, RUNNING_HOUR + HOUR) + make_visitors(1, RUNNING_HOUR - 14 * 24 * HOUR))
    assert api.post(FORECAST, json={}).json()["detail"] == nothing


def test_nothing_is_forecast_from_a_feed_that_stands_still(serve: Callable[..., Any], warehouse: str) -> None:
    rows = make_visitors(48)
    since = rows[-3 * 8]["hour"]
    for number, row in enumerate(rows[-3 * 8 :]):
        row["visitors"] = (30, 50, 80)[number % 3]
    store_rows(warehouse, HOURLY_VISITORS, rows)
    api = serve(VISITORS, now=lambda: NOW).until_ok()

    answer = api.post(FORECAST, json={})

    assert answer.status_code == 503
    assert "no series has moved since 2024-03-05 02:00 UTC" in answer.json()["detail"]
    assert datetime.fromisoformat(answer.json()["since"]) == since
    (north,) = api.get("/models/visitors/history?hours=9&shop=n").json()["series"]
    assert north["state"] == ["observed"] * 2 + ["frozen"] * 7


def test_one_computation_answers_everybody_until_something_changes(serve: Callable[..., Any], warehouse: str) -> None:
    store_rows(warehouse, HOURLY_VISITORS, make_visitors(14 * 24 - 1, RUNNING_HOUR - HOUR))
    time = [NOW]
    api = serve(VISITORS, now=lambda: time[0]).until_ok()

    def computed() -> float:
        lines = api.get("/metrics").text.splitlines()
        return float(next(line for line in lines if line.startswith('mlops_forecast_seconds_count{model="visitors"}')).split()[-1])

    with ThreadPoolExecutor(8) as pool:
        bodies = [{"horizon": number % 24 + 1, "shop": (None, "n", "s")[number % 3]} for number in range(24)]
        answers = list(pool.map(lambda body: api.post(FORECAST, json=body), bodies))
    assert {answer.status_code for answer in answers} == {200}
    assert computed() == 1

    store_rows(warehouse, HOURLY_VISITORS, make_visitors(1))
    newer = api.post(FORECAST, json={}).json()
    assert (computed(), newer["as_of"], newer["train_points"]) == (2, "2024-03-05T09:00:00Z", 14 * 24)
    time[0] += HOUR
    later = api.post(FORECAST, json={}).json()
    assert (computed(), later["created_at"], later["as_of"]) == (3, "2024-03-05T11:00:00Z", "2024-03-05T09:00:00Z")
    assert 'mlops_forecasts_total{method="seasonal_naive_day",model="visitors",version="1"} 26.0' in api.get("/metrics").text


def test_a_new_champion_forecasts_at_once(store: Any, serve: Callable[..., Any], visitors: ForecastDomain, warehouse: str) -> None:
    store_rows(warehouse, HOURLY_VISITORS, make_visitors())
    store.publish_method(visitors, 0)
    api = serve(visitors, now=lambda: NOW).until_ok()
    first = api.post(FORECAST, json={}).json()

    version, _ = store.publish_method(visitors, 1)
    api.until(lambda health: health["models"]["visitors"]["version"] == version)
    second = api.post(FORECAST, json={}).json()

    assert [(found["model_version"], found["method"]) for found in (first, second)] == [("1", "seasonal_naive_day"), ("2", "last_value")]
    assert [hour["yhat"] for hour in second["forecast"]] == [row["yhat"] for row in own_forecast(1, 24, None)]


def test_a_forecaster_is_listed_and_described_with_its_series(api: Any) -> None:
    listed = {model["name"]: (model["kind"], model["task"]) for model in api.get("/models").json()["models"]}
    found = api.get("/models/visitors").json()

    assert listed == {"loans": ("classifier", "binary"), "flowers": ("classifier", "multiclass"), "visitors": ("forecaster", "forecast")}
    assert api.get("/models/loans").json()["forecasting"] is None
    assert (found["example"], found["candidate"], found["engine"]) == ({"horizon": 24, "shop": None}, "seasonal_naive_day", None)
    assert [(field["name"], field["required"]) for field in found["request"]] == [("horizon", False), ("shop", False)]
    about = found["forecasting"]
    assert (about["id_column"], about["horizon"], about["max_horizon"], about["coverage"]) == ("shop", 24, 48, 0.8)
    assert about["series"] == [{"id": None, "name": "both shops"}, {"id": "n", "name": "North"}, {"id": "s", "name": "South"}]
    assert api.post(FORECAST, json=found["example"]).status_code == 200
