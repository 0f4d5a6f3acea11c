"""Tests of the fast SARIMAX against statsmodels' and against series whose continuation is known."""

import numpy as np
import pytest
from scipy.signal import lfilter

from mlops_assets.ml.forecast.sarimax import forecast


def test_a_trend_with_a_daily_shape_goes_on() -> None:
    hours = np.arange(24 * 15)
    values = 100 + 0.5 * hours + 30 * np.sin(2 * np.pi * hours / 24)

    np.testing.assert_allclose(forecast(values[:-30], 30), values[-30:], atol=1e-6)


def test_it_forecasts_what_statsmodels_does_with_the_true_coefficients() -> None:
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    ar, ma, seasonal_ar, seasonal_ma = 0.5, 0.3, 0.3, -0.6
    left, right = np.zeros(26), np.zeros(26)
    left[[0, 1, 24, 25]] = 1, -ar, -seasonal_ar, ar * seasonal_ar
    right[[0, 1, 24, 25]] = 1, ma, seasonal_ma, ma * seasonal_ma
    stationary = lfilter(right, left, np.random.default_rng(5).normal(0, 5, 24 * 40))
    daily = lfilter([1], np.r_[1, np.zeros(23), -1], stationary)
    values = 200 + np.cumsum(daily)
    model = SARIMAX(values, order=(1, 1, 1), seasonal_order=(1, 1, 1, 24))

    theirs = model.smooth([ar, ma, seasonal_ar, seasonal_ma, 25.0]).forecast(25)

    # The coefficients are estimated, so the two differ, but by less than the noise of a single hour, 5.
    assert np.abs(forecast(values, 25) - theirs).mean() < 3
    assert np.abs(values[-1] - theirs).mean() > 10


@pytest.mark.parametrize("level", [0.0, 7.0])
def test_a_series_that_never_moves_goes_on(level: float) -> None:
    np.testing.assert_array_equal(forecast(np.full(200, level), 25), np.full(25, level))
