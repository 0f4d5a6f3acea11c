"""What the API's texts become, which rows are set aside and why, and the terrain features on frames and on plain columns."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.domains.forest_cover.spec import NUMBERS, REJECTS, SAMPLES
from mlops_assets.domains.forest_cover.terrain import TERRAIN
from mlops_assets.domains.forest_cover.transforms import FIELDS, ForestEnricher, parse_answer, parse_batch, raw_batch_frame
from mlops_assets.ml.persistence import dumps, loads

ROW = ["2596", "51", "3", "258", "-10", "510", "221", "232", "148", "6279", "Rawah", "C7745", "4"]
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def _body(*rows: Any, batch: int = 1) -> str:
    return json.dumps({"group_number": 1, "batch_number": batch, "data": rows})


def _row(**changes: Any) -> list[Any]:
    return [changes.get(name, text) for name, text in zip(FIELDS, ROW, strict=True)]


def _answers(*bodies: str) -> pd.DataFrame:
    return raw_batch_frame((f"answer-{hour}", NOON.replace(hour=hour), body.encode()) for hour, body in enumerate(bodies))


def test_a_row_of_texts_becomes_a_typed_sample() -> None:
    samples, rejected = parse_answer(_body(ROW))

    assert len(rejected) == 0
    (sample,) = samples.to_dict("records")
    identity = "2596.0|51.0|3.0|258.0|-10.0|510.0|221.0|232.0|148.0|6279.0|Rawah|C7745|4"
    assert sample.pop("sample_id") == hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()
    assert list(sample.values()) == [2596.0, 51.0, 3.0, 258.0, -10.0, 510.0, 221.0, 232.0, 148.0, 6279.0, "Rawah", "C7745", 4]
    assert samples.dtypes.astype(str).to_dict() == {
        "sample_id": "string",
        **dict.fromkeys(NUMBERS, "float64"),
        "wilderness_area": "string",
        "soil_type": "string",
        "cover_type": "int64",
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ROW[:-1], "short row"),
        ([], "short row"),
        ([*ROW, "1"], "too many columns"),
        ("Rawah Rawah R", "not a list"),
        (dict.fromkeys(FIELDS, "1"), "not a list"),
        (None, "not a list"),
        (_row(slope=3), "slope is not text"),
        (_row(slope=None), "slope is not text"),
        (_row(soil_type=["C7745"]), "soil_type is not text"),
        (_row(aspect="north"), "aspect is not a number"),
        (_row(aspect=""), "aspect is not a number"),
        (_row(aspect=" 51"), "aspect is not a number"),
        (_row(aspect="5_1"), "aspect is not a number"),
        (_row(aspect="0x33"), "aspect is not a number"),
        (_row(aspect="\u0665\u0661"), "aspect is not a number"),
        (_row(aspect="51\n"), "aspect is not a number"),
        (_row(aspect="\ud800"), "aspect is not a number"),
        (_row(cover_type="Aspen"), "cover_type is not a number"),
        (_row(elevation="NaN"), "elevation is not finite"),
        (_row(elevation="-inf"), "elevation is not finite"),
        (_row(elevation="1e999"), "elevation is not finite"),
        (_row(elevation="1e300"), "elevation is beyond 1000000"),
        (_row(wilderness_area="rawah"), "unknown wilderness area"),
        (_row(soil_type="C9999"), "unknown soil type"),
        (_row(soil_type="C7745\u0000"), "unknown soil type"),
        (_row(cover_type="7"), "cover type outside 0..6"),
        (_row(cover_type="-1"), "cover type outside 0..6"),
        (_row(cover_type="1.5"), "cover type outside 0..6"),
    ],
    ids=lambda value: value if isinstance(value, str) and " is " in value else "",
)
def test_a_bad_row_is_set_aside_with_its_reason_and_the_rest_goes_on(row: Any, reason: str) -> None:
    samples, rejected = parse_answer(_body(ROW, row, _row(slope="4")))

    assert samples["slope"].tolist() == [3.0, 4.0]
    ((number, found, kept),) = rejected.itertuples(index=False)
    assert (number, found) == (1, reason)
    assert json.loads(kept) == row
    assert kept.isascii()


def test_of_several_reasons_every_row_has_one() -> None:
    samples, rejected = parse_answer(_body(_row(slope="steep", soil_type="C1"), ROW[:2], _row(elevation="nan", cover_type="9")))

    assert len(samples) == 0
    assert rejected["reason"].tolist() == ["slope is not a number", "short row", "elevation is not finite"]
    assert rejected["row_number"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("rows", [(), (ROW[:2],)], ids=["no rows", "no good rows"])
def test_an_answer_without_samples_gives_frames_of_the_usual_types(rows: tuple[Any, ...]) -> None:
    samples, rejected = parse_answer(_body(*rows))

    assert samples.dtypes.equals(parse_answer(_body(ROW))[0].dtypes)
    assert rejected.dtypes.equals(parse_answer(_body(ROW, ROW[:2]))[1].dtypes)


def test_an_observation_is_one_sample_however_it_is_written() -> None:
    samples, _ = parse_answer(_body(_row(slope="0"), _row(slope="-0"), _row(slope="0.0"), _row(slope="0e0"), _row(slope="1")))

    assert samples["slope"].tolist() == [0.0, 1.0]


def test_every_value_is_part_of_the_identity() -> None:
    changed = [_row(**{name: "7"}) for name in NUMBERS]
    samples, _ = parse_answer(_body(ROW, *changed, _row(wilderness_area="Neota"), _row(soil_type="C2702"), _row(cover_type="5")))

    assert samples["sample_id"].nunique() == 14


def test_a_batch_has_each_observation_once_with_the_time_that_first_brought_it() -> None:
    answers = _answers(_body(ROW, _row(slope="4"), batch=3), _body(_row(slope="4"), _row(slope="5"), ["x"], batch=3))

    samples, rejected = parse_batch(answers.iloc[::-1].reset_index(drop=True))

    assert list(samples.columns) == [column.name for column in SAMPLES.columns]
    assert samples["slope"].tolist() == [3.0, 4.0, 5.0]
    assert samples["first_seen_at"].dt.hour.tolist() == [0, 0, 1]
    assert samples["first_seen_batch"].unique().tolist() == [3]
    assert list(rejected.columns) == [column.name for column in REJECTS.columns]
    assert rejected[["batch_number", "answer", "row_number", "reason", "row"]].to_numpy().tolist() == [
        [3, "answer-1", 2, "short row", '["x"]']
    ]


def test_a_raw_batch_holds_the_answers_as_received() -> None:
    body = ' {"group_number": 2,\n"batch_number": 3, "data": [["é"]]} '
    frame = raw_batch_frame([("name", NOON, body.encode())])

    assert frame.to_dict("records") == [
        {"answer": "name", "received_at": pd.Timestamp(NOON), "group_number": 2, "batch_number": 3, "rows": 1, "body": body}
    ]
    assert str(frame["received_at"].dtype) == "datetime64[us, UTC]"


def _columns() -> dict[str, np.ndarray]:
    random = np.random.default_rng(7)
    columns: dict[str, np.ndarray] = {name: random.normal(size=50) for name in NUMBERS}
    columns["elevation"][3] = columns["horizontal_distance_to_roadways"][4] = np.nan
    return {**columns, "wilderness_area": np.array(["Rawah", None] * 25, dtype=object)}


def test_terrain_features_are_the_sums_that_their_names_say() -> None:
    columns = _columns()
    enriched = ForestEnricher().transform_columns(columns)

    assert set(enriched) == {*columns, *TERRAIN}
    hydrology, roadways, fire = (columns[f"horizontal_distance_to_{what}"] for what in ("hydrology", "roadways", "fire_points"))
    np.testing.assert_array_equal(enriched["hydrology_minus_fire_points"], hydrology - fire)
    np.testing.assert_array_equal(enriched["half_roadways_plus_fire_points"], roadways / 2 + fire)
    np.testing.assert_array_equal(
        enriched["elevation_minus_vertical_distance"], columns["elevation"] - columns["vertical_distance_to_hydrology"]
    )


def test_frames_and_columns_are_enriched_alike_and_missing_stays_missing() -> None:
    columns = _columns()
    frame = pd.DataFrame(columns)

    enriched = ForestEnricher().transform(frame)

    by_column = ForestEnricher().transform_columns(columns)
    for name in TERRAIN:
        np.testing.assert_array_equal(enriched[name].to_numpy(), by_column[name])
    assert np.flatnonzero(enriched["elevation_plus_vertical_distance"].isna()).tolist() == [3]
    assert np.flatnonzero(enriched["hydrology_plus_roadways"].isna()).tolist() == [4]
    assert set(TERRAIN).isdisjoint(frame.columns)


def test_a_nullable_frame_is_enriched_like_a_plain_one() -> None:
    frame = pd.DataFrame(_columns())

    enriched = ForestEnricher().transform(frame.astype(dict.fromkeys(NUMBERS, "Float64")))

    pd.testing.assert_frame_equal(enriched[list(TERRAIN)], ForestEnricher().transform(frame)[list(TERRAIN)])


def test_the_enricher_can_be_stored() -> None:
    restored = loads(dumps(ForestEnricher()))

    np.testing.assert_array_equal(
        restored.transform_columns(_columns())["hydrology_plus_roadways"],
        ForestEnricher().transform_columns(_columns())["hydrology_plus_roadways"],
    )
