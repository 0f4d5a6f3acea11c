"""The forecasting model: a method with its parameters that is fitted anew on whatever history it is given; and the choice among methods."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.domain import Backtest, ForecastDomain, Method
from mlops_assets.ml.forecast.backtest import LEAD, Errors, Scores, apply, backtest, cutoffs_of
from mlops_assets.ml.forecast.intervals import half_widths
from mlops_assets.ml.forecast.methods import entry
from mlops_assets.ml.forecast.panel import HOUR, FrozenFeedError, Panel, panel_of


@dataclass(frozen=True)
class Forecast:
    """A forecast as it is published."""

    rows: pd.DataFrame
    """[timestamp (UTC), <id> (null: the total), horizon, yhat, yhat_lower, yhat_upper]; NaN where the history carries no interval."""
    method: str
    """What forecast the total."""
    reason: str
    """Why that is not the model's own method; empty if it is."""
    train_points: int
    """Observed hours of the total."""
    backtest: Scores | None
    """Of the method on this history, for the total; None where the history allows none."""


@dataclass(frozen=True)
class Comparison:
    """All candidates on the same cutoffs."""

    rows: pd.DataFrame
    """[method, mae, mase, cutoffs, points, is_winner], a row for each candidate in the Domain's order; NaN where it was not compared."""
    winner: Method
    reason: str
    """Why this one, in words."""
    scores: Scores | None
    """The winner's; None where nothing was compared."""


@dataclass(frozen=True)
class ForecastModel:
    """A choice of method, and the constants of its system. Nothing is fitted in advance: given a history it forecasts what follows."""

    method: str
    params: Mapping[str, Any]
    horizon: int
    """Hours that are forecast unless the caller says otherwise, and on which the back-test is scored."""
    season: int
    coverage: float
    frozen_hours: int
    stuck_hours: int
    cutoffs: int
    step: int
    min_cutoffs: int
    columns: tuple[str, str, str]
    """Names of the time, the id and the target in a history."""

    @classmethod
    def of(cls, domain: ForecastDomain, method: Method) -> "ForecastModel":
        """The model that forecasts `domain` by `method`. ValueError for a method that there is not."""
        entry(method.name)
        return cls(
            method=method.name,
            params=dict(method.params),
            horizon=domain.horizon,
            season=domain.season,
            coverage=domain.coverage,
            frozen_hours=domain.frozen_hours,
            stuck_hours=domain.stuck_hours,
            cutoffs=domain.backtest.cutoffs,
            step=domain.backtest.step,
            min_cutoffs=domain.backtest.min_cutoffs,
            columns=(domain.time_column, domain.id_column, domain.target),
        )

    def forecast(
        self, history: pd.DataFrame, *, created_at: datetime, horizon: int | None = None, ids: Sequence[str | None] | None = None
    ) -> Forecast:
        """The hours `created_at` + 1 ... + `horizon` of the series `ids` (all), from the history up to the hour before `created_at`.

        `history`: raw rows [hour (UTC), id (null: the total), value (may be null)], in any order; a gap is a row that is not there.
        FrozenFeedError if the history ends with a frozen feed; ValueError if it has no usable value, or not the series asked for.
        """
        panel = self._panel(history, created_at)
        if since := panel.frozen_since:
            raise FrozenFeedError(since)
        wanted = list(panel.ids) if ids is None else list(ids)
        absent = [str(key) for key in wanted if key not in panel.ids or not panel.observed[panel.ids.index(key)]]
        if absent and ids is not None:
            raise ValueError(f"the history has no value of: {', '.join(absent)}")
        wanted = [key for key in wanted if panel.observed[panel.ids.index(key)]]
        length = self.horizon if horizon is None else horizon
        made = apply(panel, self.method, self.params, length + LEAD, stuck_hours=self.stuck_hours)
        tested = self._backtest(panel, made.method, max(length, self.horizon))
        widths = half_widths(tested.errors, self.coverage)[:length]
        values = made.values[LEAD:]

        picked = [panel.ids.index(key) for key in wanted]
        mean, width = values[:, picked], widths[:, picked]
        horizons = np.arange(1, length + 1)
        ahead = pd.date_range(panel.hours[-1] + HOUR * (LEAD + 1), periods=length, freq=HOUR, unit="us")
        rows = pd.DataFrame(
            {
                "timestamp": ahead[np.tile(horizons - 1, len(picked))],
                self.columns[1]: pd.array(np.repeat(np.array(wanted, dtype=object), length), dtype="string"),
                "horizon": np.tile(horizons, len(picked)).astype("int64"),
                "yhat": mean.T.ravel(),
                "yhat_lower": np.maximum(0, mean - width).T.ravel(),
                "yhat_upper": (mean + width).T.ravel(),
            }
        )
        return Forecast(rows, made.method, made.reason, int(panel.observed[panel.total]), tested.scores(self.horizon))

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of the forecast that follows the last hour of `frame`; hours may be ISO 8601 text."""
        last = pd.to_datetime(frame[self.columns[0]], utc=True).max().floor("h")
        return self.forecast(frame, created_at=(last + HOUR).to_pydatetime()).rows

    def scores(self, history: pd.DataFrame, *, created_at: datetime) -> Scores | None:
        """The back-test of the total as `forecast` reports it, without forecasting; None where the history allows none."""
        panel = self._panel(history, created_at)
        return self._backtest(panel, self.method, self.horizon, total_only=True).scores(self.horizon)

    def _panel(self, history: pd.DataFrame, created_at: datetime) -> Panel:
        return panel_of(history, last=created_at - HOUR.to_pytimedelta(), frozen_hours=self.frozen_hours, columns=self.columns)

    def _backtest(self, panel: Panel, method: str, horizon: int, *, total_only: bool = False) -> Errors:
        plan = Backtest(self.cutoffs, self.step, self.min_cutoffs)
        params = self.params if method == self.method else {}
        cutoffs = cutoffs_of(panel, plan, self.horizon)
        return backtest(
            panel,
            method,
            params,
            cutoffs,
            horizon=horizon,
            season=self.season,
            stuck_hours=self.stuck_hours,
            total_only=total_only,
        )


def compare(history: pd.DataFrame, methods: Sequence[Method], domain: ForecastDomain, *, created_at: datetime) -> Comparison:
    """Every method on the same cutoffs of the total; the least MAE wins, the earlier one among equals.

    A method is scored as it would have been published, by its fallback where a cutoff has too little data for it; one that would have done
    less than half of them itself is not compared. With fewer cutoffs than the Domain asks for none is, and the Domain's first is chosen,
    which falls back by itself. FrozenFeedError and ValueError as `ForecastModel.forecast`.
    """
    columns = (domain.time_column, domain.id_column, domain.target)
    panel = panel_of(history, last=created_at - HOUR.to_pytimedelta(), frozen_hours=domain.frozen_hours, columns=columns)
    if since := panel.frozen_since:
        raise FrozenFeedError(since)
    cutoffs = cutoffs_of(panel, domain.backtest, domain.horizon)
    scores: dict[str, Scores] = {}
    if len(cutoffs) >= domain.backtest.min_cutoffs:
        for method in methods:
            tested = backtest(
                panel,
                method.name,
                method.params,
                cutoffs,
                horizon=domain.horizon,
                season=domain.season,
                stuck_hours=domain.stuck_hours,
                total_only=True,
            )
            found = tested.scores(domain.horizon)
            if found is not None and 2 * tested.own >= len(cutoffs):
                scores[method.name] = found
    winner, reason = _choice(methods, scores, len(cutoffs), domain, int(panel.observed[panel.total]))
    none = Scores(math.nan, math.nan, 0, 0)
    table = [(method, scores.get(method.name, none)) for method in methods]
    rows = pd.DataFrame(
        {
            "method": pd.array([method.name for method, _ in table], dtype="string"),
            "mae": np.array([found.mae for _, found in table], dtype=float),
            "mase": np.array([found.mase for _, found in table], dtype=float),
            "cutoffs": np.array([found.cutoffs for _, found in table], dtype="int64"),
            "points": np.array([found.points for _, found in table], dtype="int64"),
            "is_winner": np.array([method is winner for method, _ in table], dtype=bool),
        }
    )
    return Comparison(rows, winner, reason, scores.get(winner.name))


def _choice(
    methods: Sequence[Method], scores: Mapping[str, Scores], cutoffs: int, domain: ForecastDomain, observed: int
) -> tuple[Method, str]:
    compared = [method for method in methods if method.name in scores]
    if compared:
        best = min(compared, key=lambda method: scores[method.name].mae)
        return best, f"least MAE of {len(compared)} methods on {cutoffs} cutoffs: {scores[best.name].mae:.1f}"
    few = f"{observed} observed hours give {cutoffs} cutoffs, and a comparison needs {domain.backtest.min_cutoffs}"
    return methods[0], f"{few}: the system's first method until then"
