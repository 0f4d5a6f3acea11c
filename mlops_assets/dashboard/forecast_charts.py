"""Series, forecasts and their accuracy as Plotly figures. Pure: no Streamlit, no HTTP. Times are UTC.

A gap stays a gap: no line crosses an hour without a value.
"""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from mlops_assets.dashboard import theme
from mlops_assets.dashboard.answers import Backtest, DayScores, Forecast, HorizonScores, Series
from mlops_assets.dashboard.charts import empty_figure
from mlops_assets.dashboard.series import FROZEN, OBSERVED, TREND_DAYS
from mlops_assets.dashboard.wording import first_capital

HISTORY, FORECAST, BAND = theme.ACCENT, theme.class_colour(1), "rgba(217, 128, 50, 0.18)"
HOUR_FORMAT = "%-d %b %Y, %H:%M"


def forecast(series: Series, answer: Forecast | None, measure: str) -> go.Figure:
    """What was observed, what is forecast after it, and the interval as a band."""
    figure = empty_figure(height=430, hovermode="x unified")
    _add_history(figure, series)
    if answer is not None:
        _add_forecast(figure, answer)
    figure.update_xaxes(type="date", hoverformat=HOUR_FORMAT, title="UTC")
    figure.update_yaxes(title=measure, rangemode="tozero", hoverformat=",.0f")
    return figure


def all_series(series: Sequence[Series], measure: str) -> go.Figure:
    """The observed hours of several series, a line each."""
    figure = empty_figure(height=520, hovermode="closest")
    for position, one in enumerate(series):
        figure.add_scatter(
            x=one.timestamps,
            y=_where(one, OBSERVED),
            mode="lines",
            name=first_capital(one.name),
            line={"color": theme.class_colour(position), "width": 1.6, "dash": "solid" if position < len(theme.CLASS_COLOURS) else "dot"},
            hovertemplate=f"%{{x|{HOUR_FORMAT}}}: %{{y:,.0f}}",
        )
    figure.update_layout(legend={"orientation": "v", "x": 1.01, "y": 1, "yanchor": "top"}, showlegend=True)
    figure.update_xaxes(type="date", title="UTC")
    figure.update_yaxes(title=measure, rangemode="tozero")
    return figure


def mae_by_horizon(scores: Sequence[HorizonScores]) -> go.Figure:
    """Mean absolute error by how far ahead the forecast looked."""
    figure = empty_figure(height=280, bargap=0.25)
    figure.add_bar(
        x=[score.horizon for score in scores],
        y=[score.mae for score in scores],
        customdata=[score.points for score in scores],
        marker_color=HISTORY,
        hovertemplate="%{x} hours ahead: %{y:,.1f} (%{customdata:,} forecasts)<extra></extra>",
    )
    return _titled(figure, "Hours ahead", "MAE")


def coverage_by_horizon(scores: Sequence[HorizonScores], wanted: float) -> go.Figure:
    """Share of values that the interval held, against the share that it is to hold."""
    figure = empty_figure(height=280, bargap=0.25)
    figure.add_bar(
        x=[score.horizon for score in scores],
        y=[score.within for score in scores],
        customdata=[score.points for score in scores],
        marker_color=FORECAST,
        showlegend=False,
        hovertemplate="%{x} hours ahead: %{y:.1%} of %{customdata:,}<extra></extra>",
    )
    _add_wanted(figure, wanted)
    return _titled(figure, "Hours ahead", "Within the interval")


def mae_by_day(scores: Sequence[DayScores]) -> go.Figure:
    """Mean absolute error of every day, and its mean over the days up to it, weighted by forecasts; a day without any has no bar."""
    figure = empty_figure(height=280, bargap=0.25)
    if scores:
        frame = _calendar(scores)
        weights = frame["points"].where(frame["mae"].notna())
        trend = (frame["mae"] * weights).rolling(TREND_DAYS, min_periods=1).sum() / weights.rolling(TREND_DAYS, min_periods=1).sum()
        figure.add_bar(x=frame.index, y=frame["mae"], name="Day", marker_color=HISTORY, opacity=0.45, hovertemplate="%{y:,.1f}")
        figure.add_scatter(
            x=frame.index,
            y=trend,
            name=f"{TREND_DAYS} days",
            mode="lines",
            line={"color": HISTORY, "width": 2.5},
            hovertemplate="%{y:,.1f}",
        )
    return _titled(_by_day(figure), None, "MAE")


def coverage_by_day(scores: Sequence[DayScores], wanted: float) -> go.Figure:
    """Share of every day's values that the interval held."""
    figure = empty_figure(height=280)
    if scores:
        frame = _calendar(scores)
        figure.add_scatter(
            x=frame.index,
            y=frame["within"],
            name="Day",
            mode="lines+markers",
            line={"color": FORECAST, "width": 2},
            hovertemplate="%{y:.1%}",
        )
    _add_wanted(figure, wanted)
    return _titled(_by_day(figure), None, "Within the interval")


def backtest_over_time(backtests: Sequence[Backtest]) -> go.Figure:
    """Mean absolute error of each run's back-test; a run without one leaves a gap, and a change of method shows on the hover."""
    figure = empty_figure(height=280)
    figure.add_scatter(
        x=[one.run_at for one in backtests],
        y=[one.mae for one in backtests],
        customdata=[[one.method, one.model_version or ""] for one in backtests],
        mode="lines+markers",
        line={"color": HISTORY, "width": 2},
        marker={"size": 3},
        hovertemplate=f"%{{x|{HOUR_FORMAT}}}: %{{y:,.1f}}<br>%{{customdata[0]}}, version %{{customdata[1]}}<extra></extra>",
    )
    figure.update_xaxes(type="date")
    figure.update_yaxes(rangemode="tozero")
    return _titled(figure, "Run hour, UTC", "MAE")


def _add_history(figure: go.Figure, series: Series) -> None:
    for state, name, line in (
        (OBSERVED, "Observed", {"color": HISTORY, "width": 2}),
        (FROZEN, "Frozen feed: no data", {"color": theme.MUTED, "width": 2, "dash": "dot"}),
    ):
        values = _where(series, state)
        if any(value is not None for value in values):
            # An hour between two gaps would not show without a marker.
            figure.add_scatter(
                x=series.timestamps, y=values, name=name, mode="lines+markers", line=line, marker={"size": 3}, connectgaps=False
            )


def _add_forecast(figure: go.Figure, answer: Forecast) -> None:
    hours = [hour for hour in answer.forecast if hour.yhat_lower is not None and hour.yhat_upper is not None]
    times = [hour.timestamp for hour in hours]
    edge = {"mode": "lines", "line": {"width": 0}, "legendgroup": "interval"}
    if hours:
        figure.add_scatter(x=times, y=[hour.yhat_upper for hour in hours], name="Upper end", showlegend=False, **edge)
        figure.add_scatter(
            x=times,
            y=[hour.yhat_lower for hour in hours],
            name=f"{answer.coverage:.0%} interval",
            fill="tonexty",
            fillcolor=BAND,
            **edge,
        )
    figure.add_scatter(
        x=[hour.timestamp for hour in answer.forecast],
        y=[hour.yhat for hour in answer.forecast],
        name="Forecast",
        mode="lines+markers",
        line={"color": FORECAST, "width": 2},
        marker={"size": 4},
    )
    figure.add_vline(x=answer.created_at, line={"color": theme.MUTED, "width": 1, "dash": "dot"})


def _where(series: Series, state: str) -> list[float | None]:
    """The values of the hours in one state; None elsewhere."""
    return [value if found == state else None for value, found in zip(series.values, series.state, strict=True)]


def _calendar(scores: Sequence[DayScores]) -> pd.DataFrame:
    """points, mae and within of every day from the first to the last one."""
    frame = pd.DataFrame([score.model_dump() for score in scores]).astype({"points": "float64", "mae": "float64", "within": "float64"})
    return frame.set_index(pd.to_datetime(frame["day"])).drop(columns="day").sort_index().asfreq("D")


def _add_wanted(figure: go.Figure, wanted: float) -> None:
    figure.add_hline(
        y=wanted,
        line={"color": theme.INK, "width": 1.5, "dash": "dash"},
        name=f"Wanted: {wanted:.0%}",
        showlegend=True,
    )
    figure.update_yaxes(range=[0, 1.05], tickformat=".0%")


def _by_day(figure: go.Figure) -> go.Figure:
    figure.update_xaxes(type="date", hoverformat="%-d %b %Y", tickformat="%-d %b")
    figure.update_layout(hovermode="x unified")
    return figure


def _titled(figure: go.Figure, across: str | None, up: str) -> go.Figure:
    figure.update_xaxes(title=across)
    figure.update_yaxes(title=up)
    figure.update_layout(margin={"t": 30})
    return figure
