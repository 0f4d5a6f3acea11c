"""Back-test and refit of all forecasting methods, 28 days, 17 series: at least 10 times as fast as statsmodels' SARIMAX fitted for each.

Ours: every method on 8 cutoffs of every series, fitted again on everything, with intervals; imports included. Theirs:
SARIMAX(1,1,1)(1,1,1,24) by maximum likelihood, once for each series and cutoff, which is extrapolated from a sample: the
total at every cutoff, some car parks at the last. The
winner's MAE on the total may not be greater than SARIMAX's on the same cutoffs. Generated car parks.
"""

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.measure import Row, cpu_seconds
from benchmarks.platform import Platform
from mlops_assets.domain import Method
from mlops_assets.domains.donostia_parking.spec import DONOSTIA_PARKING
from mlops_assets.ml.forecast.backtest import LEAD, cutoffs_of
from mlops_assets.ml.forecast.methods import METHODS
from mlops_assets.ml.forecast.model import ForecastModel, compare
from mlops_assets.ml.forecast.panel import Panel, complete, panel_of

BAR = 0.1
CREATED_AT = datetime(2022, 2, 28, tzinfo=UTC)
HOURS, PARKS, SAMPLED_PARKS = 28 * 24, 16, 4
DOMAIN = DONOSTIA_PARKING
COLUMNS = (DOMAIN.time_column, DOMAIN.id_column, DOMAIN.target)


def rows(platform: Platform) -> Iterator[Row]:  # noqa: ARG001
    """The whole set; then the set's slowest method and the winner, for information."""
    history = generated(HOURS, PARKS, seed=4)
    methods = [Method(name, name) for name in METHODS]
    panel = panel_of(history, last=CREATED_AT - pd.Timedelta(hours=1), frozen_hours=DOMAIN.frozen_hours, columns=COLUMNS)
    cutoffs = cutoffs_of(panel, DOMAIN.backtest, DOMAIN.horizon)
    fits = len(cutoffs) * len(panel.ids)
    with threadpool_limits(1):
        each = {method.name: cpu_seconds(partial(_whole, history, method)) for method in methods}
        comparison = compare(history, methods, DOMAIN, created_at=CREATED_AT)
        assert comparison.scores is not None, "28 days carry a back-test"
        mae: list[float] = []
        seconds = cpu_seconds(lambda: mae.append(sarimax_mae(panel, cutoffs, panel.total)))
        seconds += sum(cpu_seconds(partial(sarimax_mae, panel, cutoffs[:1], column)) for column in range(SAMPLED_PARKS))
        measured = len(cutoffs) + SAMPLED_PARKS
        theirs = seconds / measured * fits
    ours, best = comparison.scores.mae, comparison.winner.name
    note = f"MAE {ours:.1f} ({best}) against {mae[0]:.1f}; theirs: {measured} fits measured, {fits} extrapolated"
    yield Row(f"forecasting, {len(methods)} methods x {fits} back-tests", sum(each.values()), theirs, BAR, same=ours <= mae[0], note=note)
    slowest = max(each, key=lambda name: each[name])
    yield Row(f"forecasting, {slowest} alone", each[slowest], theirs)
    yield Row(f"forecasting, {best} alone", each[best], theirs)


def generated(hours: int, parks: int, *, seed: int) -> pd.DataFrame:
    """History of car parks that fill by day and by kind of day, with noise that lasts, and their total."""
    random = np.random.default_rng(seed)
    index = pd.date_range(end=pd.Timestamp(CREATED_AT) - pd.Timedelta(hours=1), periods=hours, freq="h")
    hour = index.hour.to_numpy()
    weekend = np.where(index.dayofweek.to_numpy() >= 5, 0.5, 1.0)
    frames = []
    for number in range(parks):
        size = random.integers(150, 600)
        busy = np.exp(-(((hour - random.normal(11, 1)) / 3) ** 2)) + 0.8 * np.exp(-(((hour - random.normal(18, 1)) / 2.5) ** 2))
        noise = np.zeros(hours)
        for row in range(1, hours):
            noise[row] = 0.85 * noise[row - 1] + random.normal(0, 0.03)
        free = np.clip(size * (0.95 - 0.6 * busy * weekend + noise), 0, size).round()
        frames.append(pd.DataFrame({"hour": index, "parking_id": f"P{number:02d}", "free": free}))
    rows = pd.concat(frames, ignore_index=True)
    total = rows.groupby("hour", as_index=False)["free"].sum().assign(parking_id=None)
    history: pd.DataFrame = pd.concat([rows, total[["hour", "parking_id", "free"]]], ignore_index=True)
    return history


def sarimax_mae(panel: Panel, cutoffs: list[int], column: int) -> float:
    """Mean absolute error of statsmodels' SARIMAX of a series, fitted at every cutoff; published horizons, scored as ours."""
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    errors = []
    for cutoff in cutoffs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that it did not converge, or where it starts
            series = complete(panel.until(cutoff).values[:, column])
            fitted = SARIMAX(series, order=(1, 1, 1), seasonal_order=(1, 1, 1, 24)).fit(disp=False)
        made = np.maximum(0, fitted.forecast(DOMAIN.horizon + LEAD)[LEAD:])
        actual = panel.values[cutoff + LEAD : cutoff + LEAD + DOMAIN.horizon, column]
        errors.append(np.abs(actual - made))
    return float(np.nanmean(errors))


def _whole(history: pd.DataFrame, method: Method) -> None:
    ForecastModel.of(DOMAIN, method).forecast(history, created_at=CREATED_AT)
