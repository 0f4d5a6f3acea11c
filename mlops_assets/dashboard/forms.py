"""Input widgets for one raw record, made from the request fields of a model."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from mlops_assets.dashboard.answers import RequestField
from mlops_assets.dashboard.client import Record
from mlops_assets.dashboard.wording import title

COLUMNS = 4
YES_NO = {True: "yes", False: "no"}


def record_form(fields: Sequence[RequestField], key: str) -> Record | None:
    """A form with the examples filled in; the record once it is submitted. A field that may be missing can be cleared."""
    with st.form(key, border=True):
        columns = st.columns(COLUMNS)
        record = {field.name: _widget(columns[place % COLUMNS], field, f"{key}:{field.name}") for place, field in enumerate(fields)}
        submitted = st.form_submit_button("Predict", type="primary")
    return record if submitted else None


def column_config(fields: Sequence[RequestField]) -> dict[str, Any]:
    """How `st.data_editor` edits each field."""
    return {field.name: _column(field) for field in fields}


def _widget(place: Any, field: RequestField, key: str) -> Any:
    # Given through the state and not as the widget's own default, an example can be cleared to "missing".
    st.session_state.setdefault(key, _example(field))
    label = title(field.name)
    text = {"help": field.description or None, "key": key}
    absent = "missing" if field.may_be_missing else "needed"
    if field.type == "boolean":
        return place.selectbox(label, [True, False], index=None, format_func=YES_NO.__getitem__, placeholder=absent, **text)
    if field.categories:
        return place.selectbox(label, field.categories, index=None, placeholder=absent, **text)
    if field.type == "string":
        return place.text_input(label, value=None, placeholder=absent, **text) or None
    step, pattern = (1, "%d") if field.type == "long" else (1.0, "%.10g")
    return place.number_input(label, value=None, step=step, format=pattern, placeholder=absent, **text)


def _column(field: RequestField) -> Any:
    label = title(field.name)
    options: dict[str, Any] = {"help": field.description or None, "required": not field.may_be_missing}
    if field.type == "boolean":
        return st.column_config.CheckboxColumn(label, **options)
    if field.categories:
        return st.column_config.SelectboxColumn(label, options=field.categories, **options)
    if field.type == "string":
        return st.column_config.TextColumn(label, **options)
    return st.column_config.NumberColumn(label, **options)


def _example(field: RequestField) -> Any:
    if field.example is None or field.type in ("string", "boolean"):
        return field.example
    return int(field.example) if field.type == "long" else float(field.example)
