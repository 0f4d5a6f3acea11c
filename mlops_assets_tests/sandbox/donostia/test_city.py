"""The generated city: the same from the same seed, and like the real one where forecasts look."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from mlops_assets.sandbox.donostia import PARKINGS
from mlops_assets.sandbox.donostia.city import GeneratedCity

START = datetime(2024, 1, 1, tzinfo=UTC)


def _counts(seed: int, start: datetime, step: timedelta, size: int) -> pd.DataFrame:
    """int64[time, car park] by local time."""
    city = GeneratedCity(seed)
    times = [start + step * position for position in range(size)]
    rows = [{name: int(count) for name, count in city.at(moment).free.items()} for moment in times]
    return pd.DataFrame(rows, index=pd.DatetimeIndex(times).tz_convert("Europe/Madrid"))


@pytest.fixture(scope="module")
def hourly() -> pd.DataFrame:
    """Twelve weeks of hours."""
    return _counts(1, START, timedelta(hours=1), 12 * 7 * 24)


@pytest.fixture(scope="module")
def city(hourly: pd.DataFrame) -> "pd.Series[float]":
    """The sum of all car parks."""
    return hourly.sum(axis=1)


@pytest.mark.parametrize("moment", [START, datetime(1960, 2, 29, 4, 5, 6, tzinfo=UTC), datetime(2090, 12, 31, 23, 59, 59, tzinfo=UTC)])
def test_counts_depend_on_seed_and_time_only(moment: datetime) -> None:
    used = GeneratedCity(3)
    for hours in (1, 500, -9000):
        used.at(moment + timedelta(hours=hours))
    expected = GeneratedCity(3).at(moment)
    assert used.at(moment) == expected
    assert expected.captured_at == moment
    assert expected.free != GeneratedCity(4).at(moment).free


def test_the_level_and_the_week_are_those_of_the_real_city(city: "pd.Series[float]") -> None:
    days = city.groupby(city.index.dayofweek)
    assert city.mean() == pytest.approx(2992, abs=150)
    assert city.between(500, 4200).all()
    assert days.mean().idxmin() == days.min().idxmin() == 5
    assert days.mean()[5] < 0.85 * days.mean()[:4].mean()
    assert days.min()[5] < 1300 < 1750 < days.min()[:4].min()


def test_a_day_is_empty_at_night_and_fullest_at_noon(city: "pd.Series[float]") -> None:
    workdays = city[city.index.dayofweek < 5]
    hours = workdays.groupby(workdays.index.hour).mean()
    assert hours.idxmax() in range(1, 7)
    assert hours.idxmin() in range(11, 15)
    assert (hours.max(), hours.min()) == (pytest.approx(3650, abs=150), pytest.approx(2200, abs=200))


def test_the_city_remembers_as_the_real_one_does(city: "pd.Series[float]") -> None:
    assert [city.autocorr(hours) for hours in (1, 24, 168)] == pytest.approx([0.93, 0.74, 0.97], abs=0.06)
    errors = [(city - city.shift(hours)).abs().mean() for hours in (24, 168)]
    assert errors == [pytest.approx(294, rel=0.2), pytest.approx(119, rel=0.4)]


def test_the_city_never_stands_still_for_an_hour(hourly: pd.DataFrame) -> None:
    assert (hourly.diff().iloc[1:].abs().sum(axis=1) > 0).all()


def test_no_car_park_has_more_free_spaces_than_spaces(hourly: pd.DataFrame) -> None:
    assert (hourly.max() <= pd.Series({parking.name: parking.rotation for parking in PARKINGS})).all()


def test_some_car_parks_are_always_at_zero_and_others_for_weeks(hourly: pd.DataFrame) -> None:
    assert (hourly[["Illumbe", "Ondarreta", "Zuatzu"]] == 0).all(axis=None)
    assert set((hourly[["Arcco", "Kursaal", "Txofre"]] == 0).sum(axis=1)) <= {1, 2, 3}
    txofre = _counts(1, START, timedelta(days=1), 300)["Txofre"]
    runs = txofre.ne(txofre.shift()).cumsum().value_counts(sort=False)
    assert set(txofre) == {0, 10}
    assert all(days % 21 == 0 for days in runs.iloc[1:-1])


def test_full_car_parks_count_below_zero_now_and_then() -> None:
    saturdays = pd.concat(
        _counts(seed, datetime(2024, 3, 2, 10, tzinfo=UTC) + timedelta(weeks=week), timedelta(hours=1), 10)
        for seed in range(4)
        for week in range(30)
    )
    negative = (saturdays < 0).any(axis=1)
    assert 0.005 < negative.mean() < 0.1
    assert -8 <= saturdays.min().min() <= -4


def test_counts_move_slowly_between_hours() -> None:
    burst = _counts(1, START + timedelta(hours=10), timedelta(seconds=15), 240)
    steps = burst.diff().iloc[1:].abs()
    assert steps.max(axis=None) <= 2
    assert 0.2 < (steps.sum(axis=1) > 0).mean() < 0.95
    assert np.abs(burst.iloc[-1] - burst.iloc[0]).sum() > 20


def test_a_local_hour_keeps_its_shape_when_clocks_change() -> None:
    winter, summer = (_counts(1, datetime(2024, month, 11, tzinfo=UTC), timedelta(minutes=30), 5 * 48).sum(axis=1) for month in (3, 6))
    profiles = [days.groupby([days.index.hour, days.index.minute]).mean() for days in (winter, summer)]
    assert np.corrcoef(*profiles)[0, 1] > 0.97
