"""Tests of the rolling back-test: the same cutoffs for all, nothing seen that came later, nothing scored that was not observed."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from mlops_assets.domain import Backtest
from mlops_assets.ml.forecast.backtest import apply, backtest, cutoffs_of
from mlops_assets.ml.forecast.intervals import half_widths
from mlops_assets.ml.forecast.methods import METHODS
from mlops_assets.ml.forecast.panel import Panel, panel_of
from mlops_assets_tests.ml.forecast.conftest import COLUMNS, CREATED_AT, long, wide_of

PLAN = Backtest(cutoffs=5, min_cutoffs=3)


def panel(history: pd.DataFrame) -> Panel:
    return panel_of(history, last=CREATED_AT - timedelta(hours=1), frozen_hours=6, columns=COLUMNS)


def test_cutoffs_leave_a_published_horizon_and_pass_over_a_freeze(history: pd.DataFrame) -> None:
    assert cutoffs_of(panel(history), PLAN, 24) == [311, 287, 263, 239, 215]

    wide = wide_of(history)
    wide.iloc[210:300] = wide.iloc[210].to_numpy()

    assert cutoffs_of(panel(long(wide)), PLAN, 24) == [311, 191, 167, 143, 119]


@pytest.mark.parametrize("method", METHODS)
def test_no_method_sees_what_comes_after_the_cutoff(history: pd.DataFrame, method: str) -> None:
    wide = wide_of(pd.DataFrame(history))
    wide.iloc[200:] = wide.iloc[200].to_numpy()  # a freeze that begins with the last hour known
    other = wide.copy()
    other.iloc[203:] += np.arange(len(wide) - 203)[:, None] % 50

    errors = [backtest(panel(long(found)), method, {}, [203], horizon=24, season=24, stuck_hours=24) for found in (wide, other)]
    made = [apply(panel(long(found)).until(203), method, {}, 25, stuck_hours=24).values for found in (wide, other)]

    np.testing.assert_array_equal(made[0], made[1])
    assert made[0].shape == (25, 4)
    assert np.isfinite(made[0]).all()
    assert np.isnan(errors[0].errors).all(), "the frozen hours are not scored"
    np.testing.assert_allclose(errors[1].errors[0], panel(long(other)).raw[204:228] - made[1][1:])


def test_scores_are_of_the_total_and_scaled_by_the_day_before(history: pd.DataFrame) -> None:
    whole = panel(history)
    tested = backtest(whole, "seasonal_naive_day", {}, [311, 287], horizon=24, season=24, stuck_hours=24, total_only=True)
    total = whole.raw[:, -1]
    # Horizon 24 is 25 hours ahead, and repeats what was known a day earlier still.
    errors = [[abs(total[cut + step] - total[cut + step - (24 if step < 24 else 48)]) for step in range(1, 25)] for cut in (311, 287)]
    scales = [np.abs(total[24:cut] - total[: cut - 24]).mean() for cut in (311, 287)]

    scores = tested.scores(24)

    assert scores is not None
    assert (scores.cutoffs, scores.points) == (2, 48)
    assert scores.mae == pytest.approx(np.mean(errors))
    assert scores.mase == pytest.approx(np.mean([np.mean(error) / scale for error, scale in zip(errors, scales, strict=True)]))


def test_the_total_of_the_profile_is_the_sum_of_series_of_which_a_stuck_one_keeps_its_value(history: pd.DataFrame) -> None:
    wide = wide_of(history)
    wide.iloc[-30:, 2] = 3

    made = apply(panel(long(wide)), "weekly_profile", {}, 25, stuck_hours=24).values

    assert set(made[:, 2]) == {3.0}
    np.testing.assert_allclose(made[:, 3], made[:, :3].sum(axis=1))
    assert np.ptp(made[:, 0]) > 50


def test_the_profile_goes_by_the_clock_of_its_time_zone() -> None:
    # Central European summer time begins in the night before the last Sunday of March.
    index = pd.date_range("2022-03-01", "2022-03-27", freq="h", tz="UTC", inclusive="left")
    wide = pd.DataFrame(
        {"a": np.where(index.tz_convert("Europe/Madrid").hour == 12, 10.0, 100.0), "b": np.arange(len(index)) % 7}, index=index
    )
    known = panel_of(long(wide), last=index[-1], frozen_hours=6, columns=COLUMNS)

    made = [apply(known, "weekly_profile", params, 24, stuck_hours=24).values[:, 0] for params in ({}, {"time_zone": "Europe/Madrid"})]

    assert [int(values.argmin()) for values in made] == [11, 10], "the clock went forward"


def test_a_half_width_is_the_conformal_rank_and_nan_where_there_are_too_few_errors() -> None:
    errors = np.full((9, 24, 1), np.nan)
    errors[:, 5, 0] = [1, -2, 3, -4, 5, -6, 7, -8, 9]

    assert half_widths(errors, 0.8)[5, 0] == 8
    assert np.isnan(half_widths(errors[:3], 0.8)).all()
    assert half_widths(errors[:4], 0.8)[5, 0] == 4
