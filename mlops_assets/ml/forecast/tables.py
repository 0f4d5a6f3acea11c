"""What the lineage stores of comparisons and forecasts: rows of its tables, and forecasts against what then came."""

import math
from datetime import datetime

import numpy as np
import pandas as pd

from mlops_assets.ml.forecast.model import Comparison, Forecast, ForecastModel
from mlops_assets.ml.forecast.panel import OBSERVED

TEXT = "string"


def candidate_rows(found: Comparison, run_at: datetime) -> pd.DataFrame:
    """A comparison as rows of `candidate_metrics`; `run_at` is UTC."""
    return found.rows.assign(run_at=_moment(run_at))


def winning_scores(candidates: pd.DataFrame, *, cutoffs: int) -> dict[str, float]:
    """MAE and MASE of the winner among rows of `candidate_metrics`; NaN where fewer than `cutoffs` were scored.

    The first days of a system say too little about a method to hold it back, or to let it replace another one.
    """
    winner = candidates[candidates["is_winner"]].iloc[0]
    is_measured = int(winner["cutoffs"]) >= cutoffs
    return {name: float(winner[name]) if is_measured and not pd.isna(winner[name]) else math.nan for name in ("mae", "mase")}


def prediction_rows(found: Forecast, version: str, created_at: datetime) -> pd.DataFrame:
    """A forecast as rows of `predictions`; `created_at` is UTC."""
    return found.rows.assign(created_at=_moment(created_at), model_version=version).astype({"model_version": TEXT})


def metrics_rows(found: Forecast, version: str, run_at: datetime) -> pd.DataFrame:
    """A forecast as its row of `model_metrics`; `run_at` is UTC."""
    scores = found.backtest
    row = {
        "run_at": _moment(run_at),
        "train_points": found.train_points,
        "mae": scores.mae if scores else math.nan,
        "model_desc": f"{found.method} ({found.reason})" if found.reason else found.method,
        "mase": scores.mase if scores else math.nan,
        "cutoffs": scores.cutoffs if scores else 0,
        "method": found.method,
        "model_version": version,
    }
    return pd.DataFrame([row]).astype(dict.fromkeys(("model_desc", "method", "model_version"), TEXT))


def score_published(published: pd.DataFrame, series: pd.DataFrame, hour: datetime, *, columns: tuple[str, str, str]) -> pd.DataFrame:
    """Rows of `predictions` for `hour` (UTC) with what was observed then, as rows of `forecast_accuracy`.

    `series` is the stage of that name; `columns` names its hour, id (null: the total) and value. What was not observed is not scored.
    """
    time, key, target = columns
    now = series[(series[time] == _moment(hour)) & (series["state"] == OBSERVED)]
    actual = dict(zip(now[key].fillna(""), now[target], strict=True))
    scored = published.assign(actual=published[key].fillna("").map(actual).astype("float64")).dropna(subset="actual")
    inside = scored["actual"].between(scored["yhat_lower"], scored["yhat_upper"]).astype("boolean")
    return scored.assign(
        absolute_error=(scored["yhat"] - scored["actual"]).abs(),
        is_within=inside.mask(scored["yhat_lower"].isna() | scored["yhat_upper"].isna()),
    ).reset_index(drop=True)


def largest_difference(one: ForecastModel, other: ForecastModel, history: pd.DataFrame, *, created_at: datetime) -> float:
    """Of the forecasts and interval ends of two models on one history; infinite if one has a value where the other has none."""
    ends = ["yhat", "yhat_lower", "yhat_upper"]
    left, right = (model.forecast(history, created_at=created_at).rows[ends].to_numpy(float) for model in (one, other))
    if left.shape != right.shape or (np.isnan(left) != np.isnan(right)).any():
        return math.inf
    return float(np.nanmax(np.abs(left - right), initial=0.0))


def _moment(value: datetime) -> pd.Timestamp:
    return pd.Timestamp(value).tz_convert("UTC").as_unit("us")
