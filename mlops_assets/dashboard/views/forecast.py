"""Forecast: one series with its next hours, and how good its forecasts have been."""

import streamlit as st

from mlops_assets.dashboard import charts, forecast_charts, notices, session
from mlops_assets.dashboard.answers import Accuracy, Forecast, ModelDetail, Series
from mlops_assets.dashboard.choices import accuracy_days, shown_series
from mlops_assets.dashboard.client import ApiError, NotReadyError
from mlops_assets.dashboard.series import GAP, forecast_rows
from mlops_assets.dashboard.wording import MISSING, count, first_capital, moment, number, sentence

TABLE_COLUMNS = {
    "timestamp": st.column_config.DatetimeColumn("Hour (UTC)", format="D MMM YYYY, HH:mm"),
    "horizon": st.column_config.NumberColumn("Hours ahead"),
    "yhat": st.column_config.NumberColumn("Forecast", format="%.0f"),
    "yhat_lower": st.column_config.NumberColumn("Lower end", format="%.0f"),
    "yhat_upper": st.column_config.NumberColumn("Upper end", format="%.0f"),
}


def choices(model: ModelDetail) -> tuple[Series, int]:
    """Which series, for how many days back, and how many hours ahead. Raises ApiError if there is no series."""
    contract = session.forecasting()
    left, middle, right = st.columns([2, 2, 1], gap="large")
    found = shown_series(right, f"days:{model.name}")
    chosen = left.selectbox(
        "Series",
        list(found),
        format_func=lambda identifier: first_capital(found[identifier].name) if identifier in found else str(identifier),
        key=f"series:{model.name}",
    )
    horizon = middle.slider("Hours ahead", 1, contract.max_horizon, contract.horizon, key=f"horizon:{model.name}")
    return found[chosen], horizon


def picture(model: ModelDetail, series: Series, horizon: int) -> None:
    """History and forecast; the history is shown where nothing can be forecast too."""
    answer = None
    if model.ready:
        try:
            answer = session.forecast(series.id, horizon)
        except ApiError as error:
            notices.show(error)
    figure = forecast_charts.forecast(series, answer, session.forecasting().unit.rstrip("."))
    st.plotly_chart(figure, config=charts.QUIET, key=f"forecast:{model.name}")
    if answer is not None:
        origin(model, series, answer)
    gaps = series.state.count(GAP)
    if gaps:
        st.caption(f"{count(gaps, 'hour')} of {len(series.state):,} without a reading: the line has gaps there.")


def origin(model: ModelDetail, series: Series, answer: Forecast) -> None:
    """What forecast, from what, and the forecast as a table."""
    observed = f" ({count(answer.train_points, 'observed hour')})" if answer.train_points is not None else ""
    st.markdown(
        f"Method **{answer.method}** · model version **{answer.model_version}** · "
        f"history up to **{moment(answer.as_of)}**{observed} · created at **{moment(answer.created_at)}**"
    )
    if answer.reason:
        st.info(f"**Not by the model's own method.** {sentence(answer.reason)}")
    if all(hour.yhat_lower is None for hour in answer.forecast):
        st.caption("The history is too short for an interval.")
    does = session.forecasting().methods.get(answer.method)
    if does:
        st.caption(f"{answer.method}: {does}")
    rows = forecast_rows(answer, series)
    with st.expander("The forecast as a table"):
        st.dataframe(rows, hide_index=True, column_config=TABLE_COLUMNS, column_order=list(TABLE_COLUMNS))
        csv = rows.to_csv(index=False)
        st.download_button("Download the forecast", csv, f"{model.name}_forecast.csv", "text/csv", icon=":material/download:")


def accuracy(model: ModelDetail, series: Series) -> None:
    """Published forecasts against what then came."""
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    left.subheader(f"Past accuracy: {series.name}", anchor=False)
    days = accuracy_days(right, f"accuracy:{model.name}")
    found = session.accuracy(series.id, days)
    if found.points:
        scores(model, found)
    else:
        st.info(f"No forecast for the last {count(days, 'day')} has been scored: each one is as soon as its hour was observed.")
    if any(one.mae is not None for one in found.backtests):
        st.markdown("**Back-test error of the total, run by run**")
        st.plotly_chart(forecast_charts.backtest_over_time(found.backtests), config=charts.QUIET, key=f"backtests:{model.name}")
        st.caption("What the method that forecast in each run hour would have erred on the history that there was.")


def scores(model: ModelDetail, found: Accuracy) -> None:
    """Error and interval, altogether, by how far ahead and by day."""
    facts = {
        "Mean absolute error": number(found.mae),
        f"Within the interval (wanted: {found.coverage:.0%})": f"{found.within:.1%}" if found.within is not None else MISSING,
        "Forecasts scored": f"{found.points:,}",
    }
    for place, (name, fact) in zip(st.columns(len(facts)), facts.items(), strict=True):
        place.metric(name, fact)
    figures = {
        "Error by hours ahead": forecast_charts.mae_by_horizon(found.by_horizon),
        "Interval by hours ahead": forecast_charts.coverage_by_horizon(found.by_horizon, found.coverage),
        "Error by day": forecast_charts.mae_by_day(found.by_day),
        "Interval by day": forecast_charts.coverage_by_day(found.by_day, found.coverage),
    }
    left, right = st.columns(2, gap="large")
    for place, (name, figure) in zip((left, right, left, right), figures.items(), strict=True):
        place.markdown(f"**{name}**")
        place.plotly_chart(figure, config=charts.QUIET, key=f"{name}:{model.name}")
    st.caption("Every forecast that was published for an hour counts. Hours without a reading, and hours of a frozen feed, do not.")


def main() -> None:
    """All of it for the chosen system."""
    model = session.model()
    st.title(f"Forecast: {model.title}", anchor=False)
    st.caption(model.description)
    if not model.ready:
        st.info("**No champion yet**, so there is nothing to forecast with.")
        notices.without_champion(model.name)
    try:
        series, horizon = choices(model)
    except NotReadyError:
        if model.ready:
            raise
        return  # what to do about it stands there
    picture(model, series, horizon)
    with notices.guarded():
        accuracy(model, series)


main()
