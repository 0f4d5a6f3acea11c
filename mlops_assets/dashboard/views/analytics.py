"""Analytics: a sample of the system's observations as charts."""

import pandas as pd
import streamlit as st

from mlops_assets.dashboard import charts, session
from mlops_assets.dashboard.client import NotReadyError
from mlops_assets.dashboard.observations import default_pair, labels_of, numeric_columns, plottable_columns, to_frame
from mlops_assets.dashboard.wording import count, title


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


def main() -> None:
    """All charts of the chosen system."""
    model, domain = session.model(), session.domain()
    st.title(f"Analytics: {model.title}", anchor=False)
    sample = session.sample()
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


main()
