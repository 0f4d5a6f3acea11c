"""Analytics: a sample of a system's observations as charts; of a forecasting system, all its series."""

from typing import Any

import pandas as pd
import streamlit as st

from mlops_assets.dashboard import charts, forecast_charts, session
from mlops_assets.dashboard.answers import ModelDetail
from mlops_assets.dashboard.choices import shown_series
from mlops_assets.dashboard.client import NotReadyError
from mlops_assets.dashboard.observations import default_pair, labels_of, numeric_columns, plottable_columns, to_frame
from mlops_assets.dashboard.series import FROZEN, GAP, OBSERVED, hours_by_state, to_rows
from mlops_assets.dashboard.wording import count, first_capital, moment, title


def overview(frame: pd.DataFrame, partitions: dict[str, int], labels: pd.Series | None, classes: charts.Classes) -> None:
    """How many rows of each class and of each partition."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Class balance", anchor=False)
        if labels is None:
            st.caption("The dashboard does not know this system's target.")
        else:
            st.plotly_chart(charts.class_balance(labels, classes), config=charts.QUIET)
    with right:
        st.subheader("Rows by partition", anchor=False)
        if partitions:
            st.plotly_chart(charts.rows_by_partition(partitions), config=charts.QUIET)
        else:
            st.caption(f"{count(len(frame), 'row')}, of no partition in particular.")


def records(model: ModelDetail) -> None:
    """A sample of the records that a system classifies."""
    domain, sample = session.tabular_domain(), session.sample()
    frame = to_frame(sample)
    if frame.empty:
        raise NotReadyError("No observations are stored.")
    total = sum(sample.partitions.values())
    st.caption(f"A random sample of {count(len(frame), 'row')}" + (f" of {total:,}." if total > len(frame) else "."))
    labels, numeric, plottable = labels_of(frame, domain), numeric_columns(frame, domain), plottable_columns(frame, domain)
    overview(frame, sample.partitions, labels, model.classes)

    st.subheader("Distribution", anchor=False)
    column = st.selectbox("Column", plottable, format_func=title, key=f"distribution:{model.name}")
    if column:
        st.plotly_chart(charts.distribution(frame, column, labels, model.classes), config=charts.QUIET)
    if len(numeric) < 2:
        st.caption("There are no two numeric columns to compare.")
        return
    st.subheader("Two columns against each other", anchor=False)
    x, y = default_pair(numeric)
    left, right = st.columns(2)
    across = left.selectbox("Across", numeric, index=numeric.index(x), format_func=title, key=f"across:{model.name}")
    up = right.selectbox("Up", numeric, index=numeric.index(y), format_func=title, key=f"up:{model.name}")
    st.plotly_chart(charts.pair(frame, across, up, labels, model.classes), config=charts.QUIET)
    st.subheader("Correlations", anchor=False)
    st.plotly_chart(charts.correlations(frame, numeric), config=charts.QUIET)


def series(model: ModelDetail) -> None:
    """Every series that a system forecasts: its course, how much of it was observed, and its hours as a table."""
    measure = session.forecasting().unit.rstrip(".")
    left, right = st.columns([4, 1])
    found = shown_series(right, f"analytics_days:{model.name}")
    parts: list[str | None] = [identifier for identifier in found if identifier is not None]
    chosen = left.multiselect(
        "Series",
        list(found),
        parts or list(found),
        format_func=lambda identifier: first_capital(found[identifier].name) if identifier in found else str(identifier),
        key=f"analytics_series:{model.name}",
    )
    shown = [found[identifier] for identifier in found if identifier in chosen]
    if not shown:
        st.info("Choose a series.")
        return
    st.plotly_chart(forecast_charts.all_series(shown, measure), config=charts.QUIET)

    st.subheader("Hours by state", anchor=False)
    st.caption("A gap is an hour without a reading; in a frozen hour the upstream only repeated itself. Neither counts as data.")
    states = hours_by_state(shown)
    config: dict[str, Any] = {
        "name": "Series",
        "last": st.column_config.NumberColumn("Last value", format="%.0f", help=measure),
        "total": st.column_config.NumberColumn("Capacity", format="%.0f"),
        OBSERVED: "Hours observed",
        FROZEN: "Hours frozen",
        GAP: "Hours missing",
    }
    st.dataframe(states, hide_index=True, column_config=config, height="content")

    st.subheader("Data", anchor=False)
    rows = to_rows(shown)
    st.caption(f"{count(len(rows), 'row')}, up to {moment(rows['hour'].max())}.")
    columns: dict[str, Any] = {
        "hour": st.column_config.DatetimeColumn("Hour (UTC)", format="D MMM YYYY, HH:mm"),
        "name": "Series",
        "value": st.column_config.NumberColumn("Value", format="%.0f", help=measure),
        "total": st.column_config.NumberColumn("Capacity", format="%.0f"),
        "state": "State",
    }
    newest_first = rows.sort_values("hour", ascending=False, kind="stable")
    st.dataframe(newest_first, hide_index=True, column_config=columns, column_order=list(columns))
    st.download_button("Download the data", rows.to_csv(index=False), f"{model.name}_series.csv", "text/csv", icon=":material/download:")


def main() -> None:
    """What there is to see of the chosen system."""
    model = session.model()
    st.title(f"Analytics: {model.title}", anchor=False)
    if model.forecasts:
        series(model)
    else:
        records(model)


main()
