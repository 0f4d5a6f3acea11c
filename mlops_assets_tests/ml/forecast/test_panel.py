"""Tests of the grid: gaps, freezes, stuck series, and filling."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml.forecast.panel import Panel, complete, frozen_since, panel_of, series_of, stuck_ids
from mlops_assets_tests.ml.forecast.conftest import COLUMNS, CREATED_AT, long, wide_of

LAST = CREATED_AT - timedelta(hours=1)


def panel(history: pd.DataFrame) -> Panel:
    return panel_of(history, last=LAST, frozen_hours=6, columns=COLUMNS)


def frozen_from(history: pd.DataFrame, start: int, end: int | None = None) -> pd.DataFrame:
    wide = wide_of(history)
    wide.iloc[start:end] = wide.iloc[start].to_numpy()
    return long(wide)


def test_series_say_what_is_observed_a_gap_or_frozen(history: pd.DataFrame) -> None:
    frozen = frozen_from(history, 100, 110)
    gone = frozen[~frozen["hour"].isin(sorted(frozen["hour"].unique())[103:105])].sample(frac=1, random_state=1)

    series = series_of(gone, last=LAST, frozen_hours=6, columns=COLUMNS)

    states = series[series["parking_id"].isna()]["state"].tolist()
    assert len(states) == 336
    assert states[100:110] == ["observed", "frozen", "frozen", "gap", "gap", *["frozen"] * 5]
    assert set(states[:100] + states[110:]) == {"observed"}


def test_a_run_of_fewer_readings_is_no_freeze_and_one_moving_series_ends_it(history: pd.DataFrame) -> None:
    wide = wide_of(frozen_from(history, 100, 112))
    wide.iloc[105:, 0] += 1

    assert panel(long(wide)).is_frozen.nonzero()[0].tolist() == list(range(106, 112))
    assert not panel(frozen_from(history, 100, 105)).is_frozen.any()


def test_frozen_since_is_the_first_hour_of_the_run_that_lasts(history: pd.DataFrame) -> None:
    hours = sorted(history["hour"].unique())

    found = frozen_since(frozen_from(history, 320), last=LAST, frozen_hours=6, columns=COLUMNS)

    assert found == hours[320]
    assert frozen_since(frozen_from(history, 300, 330), last=LAST, frozen_hours=6, columns=COLUMNS) is None


@pytest.mark.parametrize("missing", [slice(320, 321), slice(302, 336, 2), slice(301, 310)])
def test_a_series_that_is_missing_for_a_while_is_no_movement(history: pd.DataFrame, missing: slice) -> None:
    frozen = wide_of(frozen_from(history, 300))
    frozen.iloc[missing, 0] = np.nan
    rows = long(frozen).dropna(subset="free")

    found = frozen_since(rows, last=LAST, frozen_hours=6, columns=COLUMNS)

    assert found == sorted(history["hour"].unique())[300]


def test_what_was_known_earlier_knows_no_freeze_that_was_yet_to_last(history: pd.DataFrame) -> None:
    whole = panel(frozen_from(history, 100, 120))

    assert whole.is_frozen[101:105].all()
    assert not whole.until(105).is_frozen.any()
    assert not np.isnan(whole.until(105).values).any()


def test_a_series_is_stuck_while_others_move(history: pd.DataFrame) -> None:
    wide = wide_of(history)
    wide.iloc[-24:, 1] = 7

    def stuck(hours: int) -> list[str | None]:
        return list(stuck_ids(long(wide), last=LAST, frozen_hours=6, stuck_hours=hours, columns=COLUMNS))

    assert stuck(24) == ["b"]
    assert stuck(25) == []


def test_later_rows_are_ignored_and_the_total_is_summed_where_it_is_missing(history: pd.DataFrame) -> None:
    later = history.assign(hour=history["hour"] + timedelta(hours=5))

    found = panel(later.dropna(subset="parking_id"))

    assert found.hours[-1] == LAST
    np.testing.assert_array_equal(found.raw, panel(later).raw)


def test_a_history_without_usable_value_is_refused(history: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="no usable value up to 2022-02-14 08:00 UTC"):
        panel(history.assign(free=None))


def test_complete_fills_holes_by_hour_and_cuts_out_whole_weeks() -> None:
    values = np.tile(np.arange(24.0), 40)
    holed = values.copy()
    holed[:3] = holed[30:35] = holed[200 : 200 + 2 * 168 + 10] = np.nan

    found = complete(holed)

    np.testing.assert_allclose(found, values[3 : len(values) - 2 * 168])
