"""Tests of the forecasting model and of the choice among methods."""

import math
import subprocess
import sys
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from mlops_assets.domain import Method
from mlops_assets.ml.forecast.model import ForecastModel, compare
from mlops_assets.ml.forecast.panel import FrozenFeedError
from mlops_assets.ml.forecast.tables import winning_scores
from mlops_assets.ml.persistence import dumps, loads
from mlops_assets_tests.ml.forecast.conftest import CREATED_AT, DOMAIN, long, made, wide_of

PROFILE = Method("weekly_profile", "", {"time_zone": "Europe/Madrid"})
MODEL = ForecastModel.of(DOMAIN, PROFILE)


def test_a_forecast_has_every_series_and_only_hours_that_are_in_the_future(history: pd.DataFrame) -> None:
    found = MODEL.forecast(history, created_at=CREATED_AT)

    assert found.rows.columns.tolist() == ["timestamp", "parking_id", "horizon", "yhat", "yhat_lower", "yhat_upper"]
    assert found.rows["parking_id"].drop_duplicates().tolist() == ["a", "b", "c", pd.NA]
    assert str(found.rows["timestamp"].dtype) == "datetime64[us, UTC]"
    total = found.rows[found.rows["parking_id"].isna()]
    assert total["timestamp"].tolist() == [pd.Timestamp(CREATED_AT) + timedelta(hours=hours) for hours in range(1, 25)]
    assert total["horizon"].tolist() == list(range(1, 25))
    assert (found.rows["yhat_lower"] >= 0).all()
    assert (found.rows["yhat_lower"] <= found.rows["yhat"]).all()
    assert (found.rows["yhat"] <= found.rows["yhat_upper"]).all()
    assert (found.method, found.reason, found.train_points) == ("weekly_profile", "", 336)
    assert found.backtest == MODEL.scores(history, created_at=CREATED_AT)


def test_a_forecast_depends_on_nothing_but_the_history_before_its_run_hour(history: pd.DataFrame) -> None:
    later = history.assign(hour=history["hour"] + timedelta(hours=300), free=1.0)
    shuffled = pd.concat([history, later[later["hour"] >= CREATED_AT]]).sample(frac=1, random_state=1)

    found = MODEL.forecast(shuffled, created_at=CREATED_AT, horizon=48, ids=["b", None]).rows

    whole = MODEL.forecast(history, created_at=CREATED_AT, horizon=48).rows
    expected = whole[whole["parking_id"].isna() | (whole["parking_id"] == "b")].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)
    # What a client sends: hours as text. The last one decides when the forecast is made.
    text = history.assign(hour=history["hour"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    pd.testing.assert_frame_equal(MODEL.predict(text), MODEL.forecast(history, created_at=CREATED_AT).rows)


def test_a_frozen_feed_is_refused_and_says_since_when(history: pd.DataFrame) -> None:
    wide = wide_of(history)
    wide.iloc[-20:] = wide.iloc[-20].to_numpy()

    with pytest.raises(FrozenFeedError, match="no series has moved since 2022-02-13 13:00 UTC") as refusal:
        MODEL.forecast(long(wide), created_at=CREATED_AT)
    assert refusal.value.since == wide.index[-20]
    with pytest.raises(FrozenFeedError):
        compare(long(wide), DOMAIN.methods, DOMAIN, created_at=CREATED_AT)


@pytest.mark.parametrize(
    ("hours", "method", "reason"),
    [
        (1, "last_value", "1 observed hours; weekly_profile needs 48"),
        (30, "seasonal_naive_day", "30 observed hours; weekly_profile needs 48"),
        (48, "weekly_profile", ""),
    ],
)
def test_few_hours_fall_back_to_what_they_carry(hours: int, method: str, reason: str) -> None:
    history = made(hours)

    found = MODEL.forecast(history, created_at=CREATED_AT)

    assert (found.method, found.reason, found.train_points) == (method, reason, hours)
    assert found.rows["yhat"].notna().all()
    if hours == 1:
        assert found.backtest is None
        assert found.rows["yhat_lower"].isna().all()
        assert (found.rows.groupby("parking_id", dropna=False)["yhat"].nunique() == 1).all()


def test_a_new_car_park_is_forecast_and_one_that_is_gone_leaves_the_total(history: pd.DataFrame) -> None:
    wide = wide_of(history)
    wide["d"] = np.nan
    wide.iloc[-3:, 3] = 40.0
    wide.iloc[-30:, 2] = np.nan
    sparse = long(wide).dropna(subset="free")

    rows = MODEL.forecast(sparse, created_at=CREATED_AT).rows

    by_id = {key: group["yhat"].to_numpy() for key, group in rows.groupby(rows["parking_id"].fillna("total"))}
    np.testing.assert_allclose(by_id["d"], 40)
    np.testing.assert_allclose(by_id["total"], by_id["a"] + by_id["b"] + by_id["d"])
    with pytest.raises(ValueError, match="no value of: e"):
        MODEL.forecast(sparse, created_at=CREATED_AT, ids=["e"])


def test_the_least_error_on_the_same_cutoffs_wins(history: pd.DataFrame) -> None:
    methods = [Method("mstl", ""), Method("last_value", ""), Method("sarimax", ""), PROFILE]

    found = compare(history, methods, DOMAIN, created_at=CREATED_AT)

    assert found.winner == PROFILE
    rows = found.rows.set_index("method")
    assert rows["is_winner"].tolist() == [False, False, False, True]
    assert rows.loc["weekly_profile", "mae"] == rows["mae"].min()
    assert rows["cutoffs"].tolist() == [0, 5, 5, 5]
    assert rows["points"].tolist() == [0, 120, 120, 120]
    assert np.isnan(rows.loc["mstl", "mae"]), "two weeks before every cutoff are not there"
    assert found.scores == MODEL.scores(history, created_at=CREATED_AT)
    assert found.reason.startswith("least MAE of 3 methods on 5 cutoffs: ")


def test_without_enough_cutoffs_the_first_method_is_chosen_and_falls_back_by_itself() -> None:
    found = compare(made(40), DOMAIN.methods, DOMAIN, created_at=CREATED_AT)

    assert found.winner.name == "weekly_profile"
    assert found.reason == "40 observed hours give 1 cutoffs, and a comparison needs 3: the system's first method until then"
    assert ForecastModel.of(DOMAIN, found.winner).forecast(made(40), created_at=CREATED_AT).method == "seasonal_naive_day"
    assert found.rows["mae"].isna().all()
    assert found.scores is None


def test_a_method_is_scored_with_its_fallback_where_it_did_most_cutoffs_itself() -> None:
    found = compare(made(24 * 6), DOMAIN.methods, DOMAIN, created_at=CREATED_AT)

    rows = found.rows.set_index("method")
    assert rows.loc["weekly_profile", "cutoffs"] == rows.loc["last_value", "cutoffs"] > 3
    assert rows.loc["weekly_profile", "mae"] < rows.loc["last_value", "mae"]
    assert math.isnan(winning_scores(found.rows, cutoffs=99)["mase"]), "too few cutoffs hold nobody back"
    assert winning_scores(found.rows, cutoffs=1)["mase"] == rows[rows["is_winner"]]["mase"].item()


def test_a_series_without_a_value_stops_no_other(history: pd.DataFrame) -> None:
    never = pd.DataFrame({"hour": [history["hour"].max()], "parking_id": ["new"], "free": [np.nan]})

    found = MODEL.forecast(pd.concat([history, never]), created_at=CREATED_AT)

    assert "new" not in set(found.rows["parking_id"].dropna())
    assert found.rows["parking_id"].isna().sum() == MODEL.horizon


def test_a_model_survives_its_archive_and_an_unknown_method_is_named() -> None:
    assert loads(dumps(MODEL)) == MODEL
    assert dumps(MODEL) == dumps(ForecastModel.of(DOMAIN, PROFILE))
    with pytest.raises(ValueError, match="no forecasting method 'prophet'; there are: last_value, "):
        ForecastModel.of(DOMAIN, Method("prophet", ""))


def test_the_package_is_light_until_a_method_needs_its_library() -> None:
    code = "import sys, mlops_assets.ml.forecast.model\nprint({'statsforecast', 'sklearn', 'dagster'} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"
