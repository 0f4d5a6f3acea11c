"""Tests of predictions for raw records."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml.served import InvalidRecordsError, ServedModel

Crimes = list[dict[str, Any]]


def test_predict_agrees_with_the_stages(served: ServedModel, raw: pd.DataFrame) -> None:
    scaled = served.scaler.transform(served.encoder.transform(served.enricher.transform(raw)))

    answer = served.predict(raw)

    np.testing.assert_array_equal(answer["probability"], served.model.predict_probability(scaled))
    np.testing.assert_array_equal(answer["label"], answer["probability"] >= 0.4)
    assert answer.dtypes.astype(str).to_dict() == {"probability": "float64", "label": "bool"}
    assert set(answer["label"]) == {True, False}


def test_predict_gives_the_same_for_records_a_frame_and_one_record(served: ServedModel, crimes: Crimes, raw: pd.DataFrame) -> None:
    expected = served.predict(raw)

    pd.testing.assert_frame_equal(served.predict(crimes), expected)
    pd.testing.assert_frame_equal(served.predict(pd.DataFrame(crimes)), expected)
    pd.testing.assert_frame_equal(served.predict(crimes[7]), expected.iloc[[7]].reset_index(drop=True))


def test_predict_keeps_order_and_index(served: ServedModel, raw: pd.DataFrame) -> None:
    shuffled = raw.sample(frac=1, random_state=3)

    pd.testing.assert_frame_equal(served.predict(shuffled), served.predict(raw).loc[shuffled.index])


def test_predict_takes_records_without_optional_fields_and_with_others(served: ServedModel, crimes: Crimes) -> None:
    bare = {"date": crimes[0]["date"]}
    nulls = {**dict.fromkeys(crimes[0]), "date": crimes[0]["date"], ":updated_at": "x", "unheard_of": [1]}

    answer = served.predict([bare, nulls])

    assert answer["probability"].iloc[0] == answer["probability"].iloc[1]
    assert served.predict(pd.DataFrame([bare]))["probability"].iloc[0] == answer["probability"].iloc[0]


def test_predict_takes_unseen_categories(served: ServedModel, crimes: Crimes) -> None:
    assert served.predict({**crimes[0], "iucr": "ZZZZ", "location_description": "MOON"})["probability"].between(0, 1).all()


@pytest.mark.parametrize("dtype", ["object", "string", "string[pyarrow]", "category"])
def test_predict_takes_text_of_any_dtype(served: ServedModel, raw: pd.DataFrame, dtype: str) -> None:
    columns = {name: dtype for name in raw.columns if raw[name].dtype == "string[pyarrow]"}

    pd.testing.assert_frame_equal(served.predict(raw.astype(columns)), served.predict(raw))


def test_predict_reads_numbers_times_and_words_as_the_portal_writes_them(served: ServedModel, crimes: Crimes) -> None:
    record = {**crimes[0], "beat": "1524", "date": "2017-11-26T23:53:00", "domestic": True}

    as_numbers = {**record, "beat": 1524.0, "x_coordinate": int(record["x_coordinate"])}
    as_frame = pd.DataFrame([{**record, "date": pd.Timestamp(record["date"]), "domestic": "TRUE"}])

    expected = served.predict(record)
    pd.testing.assert_frame_equal(served.predict(as_numbers), expected)
    pd.testing.assert_frame_equal(served.predict(as_frame), expected)


def test_predict_of_nothing_is_empty(served: ServedModel, raw: pd.DataFrame) -> None:
    for nothing in ([], raw.iloc[:0]):
        answer = served.predict(nothing)

        assert answer.empty
        assert answer.dtypes.astype(str).to_dict() == {"probability": "float64", "label": "bool"}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("date", None, r"row 1: date is required \(1 of 3 rows\)"),
        ("date", "26/11/2017", "row 1: date '26/11/2017'"),
        ("domestic", "perhaps", "row 1: domestic 'perhaps' is not a boolean"),
        ("beat", ["1524"], r"row 1: beat \['1524'\] is not a string"),
        ("beat", True, "row 1: beat True is not a string"),
        ("x_coordinate", "east", "row 1: .*x_coordinate 'east'"),
    ],
)
def test_predict_names_row_field_and_value_of_what_it_cannot_read(
    served: ServedModel, crimes: Crimes, field: str, value: Any, message: str
) -> None:
    records = [crimes[0], {**crimes[1], field: value}, crimes[2]]

    with pytest.raises(InvalidRecordsError, match=message):
        served.predict(records)


def test_predict_refuses_a_frame_without_a_required_column(served: ServedModel, raw: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"row 0: date is required; row 1: date is required.*\(300 of 300 rows\)"):
        served.predict(raw.drop(columns="date"))
