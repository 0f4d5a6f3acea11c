"""What is stored of a forecasting system, over HTTP, from DuckDB and PostgreSQL: hours with gaps, what was published, how it came out."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.settings import Settings
from mlops_assets_tests.small_systems import (
    FORECAST_ACCURACY,
    HOURLY_VISITORS,
    MODEL_METRICS,
    NOW,
    PREDICTIONS,
    RUNNING_HOUR,
    VISITORS,
    make_visitors,
    store_rows,
)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(params=["duckdb", "postgresql"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty warehouse."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return Settings(_env_file=None, mlops_home=tmp_path / "home").warehouse_url.get_secret_value()


@pytest.fixture
def shops(serve: Callable[..., Any], warehouse: str) -> Any:
    """The API at `NOW` over the warehouse."""
    return serve(VISITORS, now=lambda: NOW, mlops_warehouse_url=warehouse).until_ok()


def published(created_at: datetime, version: str) -> list[dict[str, Any]]:
    """Two hours of the total, with intervals, and of one shop, without."""
    about = {"created_at": created_at, "model_version": version}
    return [
        {**about, "timestamp": created_at + step * HOUR, "horizon": step, "shop": shop, "yhat": yhat + step} | interval
        for shop, yhat, interval in ((None, 80.0, {"yhat_lower": 70.0, "yhat_upper": 90.0}), ("n", 30.0, {}))
        for step in (1, 2)
    ]


def test_history_has_every_hour_its_gaps_and_what_was_published_last(shops: Any, warehouse: str) -> None:
    rows = [row for row in make_visitors(48) if row["hour"] != RUNNING_HOUR - 2 * HOUR]
    rows += make_visitors(1, RUNNING_HOUR + HOUR)
    store_rows(warehouse, HOURLY_VISITORS, rows)
    for ago, version in ((1, "6"), (0, "7")):
        store_rows(warehouse, PREDICTIONS, published(RUNNING_HOUR - ago * HOUR, version))

    found = shops.get("/models/visitors/history?hours=50").json()

    assert (found["model"], found["as_of"], found["unit"]) == ("visitors", "2024-03-05T09:00:00Z", "Visitors in the hour.")
    assert found["published"] == {"created_at": "2024-03-05T10:00:00Z", "model_version": "7"}
    total, north, south = found["series"]
    assert [(series["shop"], series["name"], series["total"]) for series in found["series"]] == [
        (None, "both shops", 200.0),
        ("n", "North", 100.0),
        ("s", "South", 100.0),
    ]
    assert total["timestamps"] == [f"{RUNNING_HOUR - ago * HOUR:%Y-%m-%dT%H:%M:%SZ}" for ago in range(50, 0, -1)]
    assert total["state"] == ["gap"] * 2 + ["observed"] * 46 + ["gap", "observed"]
    assert [value is None for value in total["values"]] == [state == "gap" for state in total["state"]]
    assert total["values"][-1] == rows[-4]["visitors"]
    assert [(hour["timestamp"], hour["yhat"], hour["yhat_lower"], hour["yhat_upper"]) for hour in total["published"]] == [
        ("2024-03-05T11:00:00Z", 81.0, 70.0, 90.0),
        ("2024-03-05T12:00:00Z", 82.0, 70.0, 90.0),
    ]
    assert [(hour["yhat"], hour["yhat_lower"]) for hour in north["published"]] == [(31.0, None), (32.0, None)]
    assert south["published"] == []
    assert shops.get("/models/visitors/history?hours=50&shop=").json()["series"] == [total]
    assert shops.get("/models/visitors/history?hours=50&shop=n").json()["series"] == [north]


def test_accuracy_is_told_by_day_and_by_hours_ahead_with_the_back_tests(shops: Any, warehouse: str) -> None:
    store_rows(warehouse, HOURLY_VISITORS, make_visitors(3))
    errors = [(0, 1, 2.0, True), (0, 2, 4.0, False), (1, 1, 6.0, True), (27, 1, 8.0, None), (28, 1, 1000.0, True)]
    scored = [
        {"timestamp": NOW.replace(hour=8, minute=0) - ago * DAY, "horizon": horizon, "absolute_error": error, "is_within": is_within}
        for ago, horizon, error, is_within in errors
    ]
    store_rows(warehouse, FORECAST_ACCURACY, [*scored, {**scored[0], "shop": "n", "absolute_error": 1.0}])
    run = {"model_version": "1", "method": "mean", "model_desc": "mean: too little", "train_points": 3, "cutoffs": 0}
    store_rows(warehouse, MODEL_METRICS, [{**run, "run_at": RUNNING_HOUR - HOUR}, {**run, "run_at": RUNNING_HOUR, "mae": 2.5, "mase": 0.5}])

    found = shops.get("/models/visitors/accuracy").json()

    assert (found["shop"], found["name"], found["coverage"]) == (None, "both shops", 0.8)
    assert (found["points"], found["mae"], found["within"]) == (4, 5.0, 2 / 3)
    assert found["by_day"] == [
        {"day": "2024-02-07", "points": 1, "mae": 8.0, "within": None},
        {"day": "2024-03-04", "points": 1, "mae": 6.0, "within": 1.0},
        {"day": "2024-03-05", "points": 2, "mae": 3.0, "within": 0.5},
    ]
    assert [(row["horizon"], row["points"], row["mae"]) for row in found["by_horizon"]] == [(1, 3, 16 / 3), (2, 1, 4.0)]
    assert [(row["run_at"], row["mae"], row["mase"]) for row in found["backtests"]] == [
        ("2024-03-05T09:00:00Z", None, None),
        ("2024-03-05T10:00:00Z", 2.5, 0.5),
    ]
    assert shops.get("/models/visitors/accuracy?days=1").json()["points"] == 2
    north = shops.get("/models/visitors/accuracy?shop=n").json()
    assert (north["shop"], north["name"], north["points"], north["mae"]) == ("n", "North", 1, 1.0)
    forecast = shops.post("/models/visitors/forecast", json={"horizon": 1})
    assert (forecast.status_code, forecast.json()["train_points"], bool(forecast.json()["reason"])) == (200, 3, True)


def test_nothing_published_and_nothing_scored_is_empty(shops: Any, warehouse: str) -> None:
    empty = {"points": 0, "mae": None, "within": None, "by_day": [], "by_horizon": [], "backtests": []}

    assert empty.items() <= shops.get("/models/visitors/accuracy").json().items()
    store_rows(warehouse, HOURLY_VISITORS, make_visitors(3))
    found = shops.get("/models/visitors/history").json()
    assert (found["published"], [series["published"] for series in found["series"]]) == (None, [[], [], []])


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("history?hours=0", ["hours"]),
        ("history?hours=8785", ["hours"]),
        ("history?hours=many&shp=n", ["shp", "hours"]),
        ("accuracy?days=1.5", ["days"]),
        ("accuracy?hours=5", ["hours"]),
        ("history?shop=w", ["shop"]),
        ("accuracy?shop=w", ["shop"]),
    ],
)
def test_a_query_that_cannot_be_used_is_named(api: Any, query: str, fields: list[str]) -> None:
    answer = api.get(f"/models/visitors/{query}")

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == fields


def test_a_warehouse_that_cannot_be_read_is_no_failure_of_the_server(serve: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "broken.duckdb").write_text("no database")
    api = serve(VISITORS, now=lambda: NOW, mlops_warehouse_url=f"duckdb:///{tmp_path / 'broken.duckdb'}").until_ok()

    for answer in (
        api.post("/models/visitors/forecast", json={}),
        api.get("/models/visitors/history"),
        api.get("/models/visitors/accuracy"),
    ):
        assert answer.status_code == 503
        assert "what visitors has stored cannot be read" in answer.json()["detail"]
    assert api.get("/models/visitors").json()["forecasting"]["series"] == []
