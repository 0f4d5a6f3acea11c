"""Predictions: one record, an edited table, or a CSV file."""

import pandas as pd
import streamlit as st

from mlops_assets.dashboard import charts, forms, notices, session
from mlops_assets.dashboard.answers import ModelDetail
from mlops_assets.dashboard.client import RecordsRefusedError
from mlops_assets.dashboard.records import TableError, read_csv
from mlops_assets.dashboard.scoring import examples, score_table, show_results
from mlops_assets.dashboard.wording import class_name, count, title

EXAMPLE_ROWS = 3
PREVIEW_ROWS = 5


def one_record(model: ModelDetail) -> None:
    """A form, and what the model makes of the record."""
    place = f"predicted:{model.name}"
    record = forms.record_form(model.request, f"record:{model.name}")
    if record is not None:
        st.session_state.pop(place, None)
        try:
            with st.spinner("Asking the model …"):
                st.session_state[place] = session.api().predict(model.name, [record])
        except RecordsRefusedError as error:
            for refusal in error.refusals:
                st.error(f"**{title(refusal.field or 'record')}**: {refusal.message}")
    answer = st.session_state.get(place)
    if answer is None:
        return
    left, right = st.columns([1, 2], vertical_alignment="center")
    target = session.tabular_domain()
    left.metric(title(target.target) if target else "Prediction", class_name(answer.predictions[0], model.classes))
    left.caption(f"Answered by version {answer.model_version}." + _threshold(model))
    right.plotly_chart(charts.probabilities(answer.probabilities[0], model.classes), key=f"chart:{place}", config=charts.QUIET)


def edited_table(model: ModelDetail) -> None:
    """A few records at once, edited in place."""
    place = f"scored_table:{model.name}"
    st.caption("Edit the cells, add rows at the end, or paste from a spreadsheet.")
    table = st.data_editor(
        examples(model.request, EXAMPLE_ROWS),
        num_rows="dynamic",
        column_config=forms.column_config(model.request),
        hide_index=True,
        key=f"table:{model.name}",
    )
    if st.button("Predict the table", type="primary", disabled=table.empty):
        st.session_state[place] = score_table(model, table.reset_index(drop=True))
    if place in st.session_state:
        show_results(model, st.session_state[place], place)


def csv_file(model: ModelDetail) -> None:
    """A file of any length, scored in parts."""
    place = f"scored_file:{model.name}"
    needed = [field.name for field in model.request if field.required]
    st.caption(f"A first line with column names, then a record a line. Needed: {', '.join(needed) or 'no column in particular'}.")
    template = examples(model.request, EXAMPLE_ROWS).to_csv(index=False)
    st.download_button("Download an example file", template, f"{model.name}_example.csv", "text/csv", icon=":material/download:")
    upload = st.file_uploader("CSV file", type=["csv"], key=f"file:{model.name}")
    if upload is None:
        return
    table, faulty = read_csv(upload.getvalue())
    st.caption(f"{count(len(table), 'row')}, {count(table.shape[1], 'column')}. The first rows:")
    st.dataframe(table.head(PREVIEW_ROWS), hide_index=True)
    if st.button(f"Predict {count(len(table), 'record')}", type="primary"):
        st.session_state[place] = (upload.file_id, score_table(model, table, faulty))
    file_id, scored = st.session_state.get(place, (None, pd.DataFrame()))
    if file_id == upload.file_id:
        show_results(model, scored, place)


def _threshold(model: ModelDetail) -> str:
    return f" Positive from a probability of {model.threshold:.2f} on." if model.threshold is not None and not model.classes else ""


def main() -> None:
    """The three ways, for the chosen system."""
    model = session.model()
    st.title(f"Predictions: {model.title}", anchor=False)
    if not model.ready:
        st.info("**No champion yet**, so there is nothing to predict with.")
        notices.without_champion(model.name)
        return
    st.caption(f"{model.description} Champion: version {model.version}.")
    for tab, page in zip(st.tabs(["One record", "Table", "CSV file"]), (one_record, edited_table, csv_file), strict=True):
        with tab, notices.guarded():
            try:
                page(model)
            except TableError as error:
                st.error(str(error))


main()
