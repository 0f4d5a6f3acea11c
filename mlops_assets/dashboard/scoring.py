"""Scoring a table with a progress bar, and showing what came back. Streamlit around `records`."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from mlops_assets.dashboard import notices, session
from mlops_assets.dashboard.answers import ModelDetail, RequestField
from mlops_assets.dashboard.client import ApiError
from mlops_assets.dashboard.records import CHUNK_RECORDS, ROW_NUMBER, Problem, results, score, to_records
from mlops_assets.dashboard.wording import class_name, count
from mlops_assets.settings import Settings

DTYPES = {"string": "object", "boolean": "boolean", "long": "Int64", "double": "Float64"}
SHOWN_PROBLEMS = 200
PROBLEM_COLUMNS = {"Row": st.column_config.NumberColumn(width="small"), "Problem": st.column_config.TextColumn(width="large")}


def examples(fields: Sequence[RequestField], rows: int) -> pd.DataFrame:
    """A table of the fields' examples, typed as an editor needs it."""
    return pd.DataFrame({field.name: pd.Series([field.example] * rows, dtype=DTYPES[field.type]) for field in fields})


def score_table(model: ModelDetail, table: pd.DataFrame, faulty: Sequence[Problem] = ()) -> pd.DataFrame:
    """The table with its results; `faulty` rows are not sent. Raises TableError.

    When the API fails on the way, what was scored is kept and the rest says so.
    """
    records, problems = to_records(table, model.request, faulty)
    chunk = min(CHUNK_RECORDS, Settings().mlops_api_max_records)
    parts, done = [], 0
    with st.spinner("Asking the model …"):
        bar = st.progress(0.0)
        try:
            for part in score(session.api(), model.name, records, chunk):
                parts.append(part)
                done += len(part.rows) + len({problem.row for problem in part.problems})
                bar.progress(done / len(records), f"{done:,} of {count(len(records), 'record')}")
        except ApiError as error:
            notices.show(error)
            problems += [Problem(row, "", "not scored: the API failed before its turn") for row in list(records)[done:]]
        bar.empty()
    return results(table, parts, problems, model.classes)


def show_results(model: ModelDetail, scored: pd.DataFrame, key: str) -> None:
    """The rows with results first, the problems by row, and the whole as a download."""
    faulty = scored[scored["problem"].notna()]
    st.markdown(f"**{count(len(scored) - len(faulty), 'record')} scored**" + (f", {count(len(faulty), 'row')} not" if len(faulty) else ""))
    if len(faulty):
        st.warning("These rows are not scored. The header is not counted: row 1 is the first record.")
        listed = pd.DataFrame({"Row": faulty[ROW_NUMBER], "Problem": faulty["problem"]})
        st.dataframe(listed.head(SHOWN_PROBLEMS), hide_index=True, column_config=PROBLEM_COLUMNS)
        if len(faulty) > SHOWN_PROBLEMS:
            st.caption(f"The first {SHOWN_PROBLEMS}; the download names all.")
    if len(faulty) == len(scored):
        return
    config = _result_columns(scored, model)
    order = [*config, *(name for name in scored.columns if name not in config and name != "problem")]
    st.dataframe(scored[scored["problem"].isna()], hide_index=True, column_config=config, column_order=order)
    csv = scored.to_csv(index=False).encode()
    st.download_button(
        "Download the predictions", csv, f"{model.name}_predictions.csv", "text/csv", icon=":material/download:", key=f"get:{key}"
    )


def _result_columns(scored: pd.DataFrame, model: ModelDetail) -> dict[str, Any]:
    columns: dict[str, Any] = {
        ROW_NUMBER: st.column_config.NumberColumn("Row", width="small", pinned=True),
        "prediction_name": st.column_config.TextColumn("Prediction", pinned=True),
    }
    if "probability" in scored:
        columns["probability"] = st.column_config.ProgressColumn("Probability", min_value=0.0, max_value=1.0, format="percent")
    for code in model.classes or {}:
        columns[f"probability_{code}"] = st.column_config.NumberColumn(
            class_name(code, model.classes), format="percent", help="Probability"
        )
    columns["model_version"] = st.column_config.TextColumn("Version")
    return columns
