"""Charts of series and forecasts: gaps stay gaps, the band has its hours only, a day without forecasts has no bar."""

from datetime import UTC, date, datetime, timedelta

import pytest

from mlops_assets.dashboard import forecast_charts
from mlops_assets.dashboard.answers import DayScores, Forecast, ForecastHour, HorizonScores, Series
from mlops_assets.dashboard.series import forecast_rows, hours_by_state, to_rows, total_first

START = datetime(2022, 5, 13, tzinfo=UTC)
HOURS = [START + timedelta(hours=hour) for hour in range(5)]
ARCCO = Series(
    id="a", name="Arcco", total=9, timestamps=HOURS, values=[1, None, 3, 3, 3], state=["observed", "gap", "observed", "frozen", "frozen"]
)
CITY = ARCCO.model_copy(update={"id": None, "name": "the city"})


def answer(*bounds: tuple[float, float] | None) -> Forecast:
    hours = [
        ForecastHour(timestamp=HOURS[-1] + timedelta(hours=ahead + 1), horizon=ahead, yhat=5.0, yhat_lower=low, yhat_upper=high)
        for ahead, (low, high) in enumerate((pair or (None, None) for pair in bounds), start=1)
    ]
    return Forecast(model_version="2", method="mstl", as_of=HOURS[-1], created_at=HOURS[-1], coverage=0.8, forecast=hours)


def test_line_leaves_gaps_and_frozen_hours_out() -> None:
    observed, frozen = forecast_charts.forecast(ARCCO, None, "Free").data

    assert list(observed.y) == [1, None, 3, None, None]
    assert list(frozen.y) == [None, None, None, 3, 3]
    assert observed.connectgaps is False
    assert len(forecast_charts.all_series([ARCCO], "Free").data[0].x) == 5


def test_band_has_the_hours_that_have_an_interval() -> None:
    figure = forecast_charts.forecast(ARCCO, answer((4, 6), None), "Free")

    traces = {trace.name: trace for trace in figure.data}
    assert (list(traces["Upper end"].y), list(traces["80% interval"].y)) == ([6], [4])
    assert traces["80% interval"].fill == "tonexty"
    assert list(traces["Forecast"].y) == [5, 5]
    assert [shape.x0 for shape in figure.layout.shapes] == [HOURS[-1]]


def test_forecast_without_any_interval_has_no_band() -> None:
    names = [trace.name for trace in forecast_charts.forecast(ARCCO, answer(None), "Free").data]

    assert names == ["Observed", "Frozen feed: no data", "Forecast"]


def test_day_without_forecasts_has_no_bar_and_days_weigh_by_their_forecasts() -> None:
    scores = [DayScores(day=date(2022, 5, 3), points=30, mae=10.0), DayScores(day=date(2022, 5, 1), points=10, mae=2.0)]

    bars, trend = forecast_charts.mae_by_day(scores).data

    assert [str(day)[:10] for day in bars.x] == ["2022-05-01", "2022-05-02", "2022-05-03"]
    assert bars.y[1] != bars.y[1]
    assert trend.y[-1] == pytest.approx((30 * 10 + 10 * 2) / 40)


def test_coverage_is_drawn_against_the_wanted_share() -> None:
    figure = forecast_charts.coverage_by_horizon([HorizonScores(horizon=1, points=3, within=0.5)], 0.8)

    assert figure.layout.shapes[0].y0 == 0.8
    assert list(figure.data[0].y) == [0.5]


def test_accuracy_of_nothing_is_drawn_empty() -> None:
    assert not forecast_charts.mae_by_day([]).data
    assert not forecast_charts.coverage_by_day([], 0.8).data


def test_series_become_rows_and_counts() -> None:
    series = total_first([ARCCO, CITY])

    assert [one.id for one in series] == [None, "a"]
    rows = to_rows(series)
    assert rows["name"].unique().tolist() == ["The city", "Arcco"]
    assert (len(rows), int(rows["id"].isna().sum()), str(rows["hour"].dtype.tz)) == (10, 5, "UTC")
    states = hours_by_state(series).iloc[1]
    assert (states["last"], states["observed"], states["frozen"], states["gap"]) == (3, 2, 2, 1)


def test_forecast_rows_say_what_they_are_of() -> None:
    rows = forecast_rows(answer((4, 6)), ARCCO)

    assert rows[["id", "name", "horizon", "yhat", "method", "model_version"]].to_numpy().tolist() == [["a", "Arcco", 1, 5.0, "mstl", "2"]]
