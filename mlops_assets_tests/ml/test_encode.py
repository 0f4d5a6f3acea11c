"""Tests of the encoder: every group of features, missing and unseen values, and cross-fitting without leaks."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import TargetEncoder

from mlops_assets.domain import Features
from mlops_assets.ml.encode import FOLDS, SMOOTHING, FeatureEncoder, _stratified_folds, feature_columns

FEATURES = Features(
    numeric=("x",),
    log1p=("metres",),
    cyclic={"hour": 24},
    one_hot={"season": ("Winter", "Summer")},
    flags=("domestic",),
    frequency=("kind",),
    target=(("kind", "place"), ("place",)),
)
COLUMNS = [
    *("x", "metres_log1p", "hour_sin", "hour_cos", "season_Winter", "season_Summer", "domestic", "kind_freq"),
    *("kind_x_place_target", "place_target"),
]


def _train(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "id": pd.array([str(n) for n in range(rows)], dtype="string[pyarrow]"),
            "arrest": rng.random(rows) < 0.3,
            "x": rng.normal(10, 2, rows),
            "metres": rng.exponential(100, rows),
            "hour": rng.integers(0, 24, rows),
            "season": pd.array(rng.choice(["Winter", "Spring", "Summer"], rows), dtype="string[pyarrow]"),
            "domestic": pd.array(rng.random(rows) < 0.2, dtype="boolean"),
            "kind": pd.array(rng.choice(["theft", "assault", "fraud"], rows), dtype="string[pyarrow]"),
            "place": pd.array(rng.choice(["alley", "street", "park", "bank"], rows), dtype="string[pyarrow]"),
        }
    )


def _row(**values: Any) -> pd.DataFrame:
    """One served record: no target, an object column for whatever is missing."""
    record = {"id": "9", "x": 1.0, "metres": 1.0, "hour": 6, "season": "Winter", "domestic": True, "kind": "theft", "place": "park"}
    return pd.DataFrame([record | values])


def _encoder() -> FeatureEncoder:
    return FeatureEncoder(FEATURES, "arrest", "id")


def _fitted() -> FeatureEncoder:
    encoder = _encoder()
    encoder.fit_transform(_train())
    return encoder


def test_feature_columns_name_and_order_each_encoding() -> None:
    assert feature_columns(FEATURES) == COLUMNS
    assert feature_columns(FEATURES, ("plain",)) == COLUMNS[:-2]
    assert feature_columns(FEATURES, ("target",)) == COLUMNS[-2:]


def test_encoder_gives_the_declared_frame() -> None:
    encoder = _encoder()
    train, test = _train(), _train(100)

    for frame, encoded in ((train, encoder.fit_transform(train)), (test, encoder.transform(test))):
        assert encoded.columns.tolist() == ["id", "arrest", *COLUMNS]
        assert encoded["id"].equals(frame["id"])
        assert encoded["arrest"].dtype == np.int8
        assert encoded["arrest"].tolist() == frame["arrest"].astype(int).tolist()
        assert (encoded[COLUMNS].dtypes == np.float64).all()
        assert not encoded.isna().any(axis=None)
        assert isinstance(encoded.index, pd.RangeIndex)


def test_encoder_ignores_the_index_of_its_input() -> None:
    train = _train().set_index(np.arange(400)[::-1])

    pd.testing.assert_frame_equal(_encoder().fit_transform(train), _encoder().fit_transform(_train()))


def test_encoder_transforms_without_target() -> None:
    encoder, train = _fitted(), _train()

    without = encoder.transform(train.drop(columns="arrest"))

    pd.testing.assert_frame_equal(without, encoder.transform(train).drop(columns="arrest"))


def test_encoder_gives_one_row_what_it_gives_many() -> None:
    encoder, frame = _fitted(), _train(50)
    frame.loc[3, ["x", "metres", "season", "domestic", "kind", "place"]] = None

    together = encoder.transform(frame)

    single = pd.concat([encoder.transform(frame.iloc[[row]]) for row in range(50)], ignore_index=True)
    pd.testing.assert_frame_equal(single, together, check_exact=True)


def test_encoder_transforms_no_rows() -> None:
    assert _fitted().transform(_train(0)).shape == (0, len(COLUMNS) + 2)


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("x", None, {"x": float(_train()["x"].median())}),
        ("metres", 99.0, {"metres_log1p": np.log(100)}),
        ("metres", None, {"metres_log1p": np.log1p(_train()["metres"].median())}),
        ("metres", -5.0, {"metres_log1p": np.log1p(_train()["metres"].median())}),
        ("hour", 6, {"hour_sin": 1.0, "hour_cos": 0.0}),
        ("hour", 18, {"hour_sin": -1.0, "hour_cos": 0.0}),
        ("hour", None, {"hour_sin": 0.0, "hour_cos": 0.0}),
        ("season", "Summer", {"season_Winter": 0.0, "season_Summer": 1.0}),
        ("season", "Monsoon", {"season_Winter": 0.0, "season_Summer": 0.0}),
        ("season", None, {"season_Winter": 0.0, "season_Summer": 0.0}),
        ("domestic", False, {"domestic": 0.0}),
        ("domestic", None, {"domestic": 0.0}),
        ("kind", "fraud", {"kind_freq": (_train()["kind"] == "fraud").mean()}),
        ("kind", "arson", {"kind_freq": 0.0, "kind_x_place_target": _train()["arrest"].mean()}),
        ("kind", "zeal", {"kind_freq": 0.0, "kind_x_place_target": _train()["arrest"].mean()}),
        ("kind", None, {"kind_freq": 0.0, "kind_x_place_target": _train()["arrest"].mean()}),
        ("place", "moon", {"place_target": _train()["arrest"].mean(), "kind_x_place_target": _train()["arrest"].mean()}),
    ],
)
def test_encoder_encodes_each_value(column: str, value: object, expected: dict[str, float]) -> None:
    encoded = _fitted().transform(_row(**{column: value}))

    assert encoded.loc[0, list(expected)].to_dict() == pytest.approx(expected, abs=1e-12)


def test_encoder_tells_unseen_from_missing() -> None:
    train = _train()
    train.loc[:99, ["kind", "place"]] = None
    encoder = _encoder()
    encoder.fit_transform(train)

    encoded = encoder.transform(_row(kind="arson", place="moon"))

    assert encoded["kind_freq"].tolist() == [0.0]
    assert encoded[["kind_x_place_target", "place_target"]].to_numpy().tolist() == [[train["arrest"].mean()] * 2]


def test_encoder_takes_a_category_that_training_never_has() -> None:
    train = _train().assign(place=None)
    encoder = _encoder()

    encoded = pd.concat([encoder.fit_transform(train), encoder.transform(_row(place="park")), encoder.transform(_row(place=None))])

    np.testing.assert_allclose(encoded["place_target"], train["arrest"].mean(), atol=0.005)


def test_encoder_treats_missing_as_a_value_of_its_own() -> None:
    train = _train()
    train.loc[:99, ["kind", "place"]] = None
    encoder = _encoder()
    encoder.fit_transform(train)

    encoded = encoder.transform(_row(kind=None, place=None))

    outcome = train["arrest"]
    assert encoded.loc[0, "kind_freq"] == 0.25
    assert encoded.loc[0, "place_target"] == pytest.approx((outcome[:100].sum() + SMOOTHING * outcome.mean()) / (100 + SMOOTHING))
    assert encoded["kind_x_place_target"].equals(encoded["place_target"].rename("kind_x_place_target"))


@pytest.mark.parametrize("dtype", ["string[pyarrow]", "string[python]", "object", "category"])
@pytest.mark.parametrize("null", [None, np.nan, pd.NA], ids=["None", "nan", "NA"])
def test_encoder_takes_every_kind_of_text_and_null(dtype: str, null: object) -> None:
    train = _train()
    texts = ["season", "kind", "place"]
    train.loc[:40, texts] = None
    expected_train = _encoder().fit_transform(train)
    other = train.copy()
    for column in texts:
        values = train[column].astype(object)
        values[:41] = [null] * 41
        other[column] = values.astype(pd.api.types.pandas_dtype(dtype))

    encoder = _encoder()
    pd.testing.assert_frame_equal(encoder.fit_transform(other), expected_train)
    pd.testing.assert_frame_equal(encoder.transform(other.iloc[[0]]), encoder.transform(train.iloc[[0]]))


@pytest.mark.parametrize("null", [None, np.nan, pd.NA], ids=["None", "nan", "NA"])
def test_encoder_takes_a_record_of_nothing_but_nulls(null: object) -> None:
    encoded = _fitted().transform(_row(**dict.fromkeys(("x", "metres", "hour", "season", "domestic", "kind", "place"), null)))

    assert not encoded[COLUMNS].isna().any(axis=None)


def test_encoder_falls_back_to_zero_where_training_has_no_number() -> None:
    encoded = _encoder().fit_transform(_train().assign(x=np.nan, metres=np.nan))

    assert encoded[["x", "metres_log1p"]].eq(0).all(axis=None)


def test_encoder_keeps_crosses_of_like_texts_apart() -> None:
    pairs = [("a", "bc"), ("ab", "c"), ("", "abc"), (None, "abc")] * 50
    train = pd.DataFrame(pairs, columns=["kind", "place"]).assign(id="1", arrest=[True, False, False, True] * 50)
    encoder = FeatureEncoder(Features(target=(("kind", "place"),)), "arrest", "id")
    encoder.fit_transform(train)

    encoded = encoder.transform(train.iloc[:4])["kind_x_place_target"]

    high, low = (50 + SMOOTHING / 2) / (50 + SMOOTHING), SMOOTHING / 2 / (50 + SMOOTHING)
    assert encoded.tolist() == pytest.approx([high, low, low, high])


def test_target_means_are_scikit_learns() -> None:
    train = _train()
    reference = TargetEncoder(smooth=SMOOTHING, target_type="binary").fit(train[["place"]].to_numpy(dtype=object), train["arrest"])

    encoded = _fitted().transform(train)["place_target"]

    np.testing.assert_allclose(encoded, reference.transform(train[["place"]].to_numpy(dtype=object))[:, 0], rtol=1e-12)


def test_target_means_of_training_rows_come_from_the_other_folds() -> None:
    train = _train()
    outcome = train["arrest"].to_numpy(dtype=float)
    folds = _stratified_folds(outcome, seed=42)
    places = train[["place"]].to_numpy(dtype=object)

    encoded = _encoder().fit_transform(train)["place_target"].to_numpy()

    for fold in range(FOLDS):
        rows = folds == fold
        assert (rows.sum(), outcome[rows].sum()) == (80, pytest.approx(outcome.sum() / FOLDS, abs=1))
        reference = TargetEncoder(smooth=SMOOTHING, target_type="binary").fit(places[~rows], outcome[~rows])
        np.testing.assert_allclose(encoded[rows], reference.transform(places[rows])[:, 0], rtol=1e-12)


def test_target_mean_of_a_value_that_one_row_has_tells_nothing_of_that_row() -> None:
    train = _train().assign(place=[f"place {n}" for n in range(400)])

    encoded = _encoder().fit_transform(train)["place_target"]

    np.testing.assert_allclose(encoded, train["arrest"].mean(), atol=0.005)


@pytest.mark.parametrize("rows", [2, 3, 7])
def test_encoder_fits_fewer_rows_than_folds(rows: int) -> None:
    assert not _encoder().fit_transform(_train(rows)).isna().any(axis=None)


def test_encoder_repeats_itself_and_follows_its_seed() -> None:
    first, again = (FeatureEncoder(FEATURES, "arrest", "id", seed=1).fit_transform(_train()) for _ in range(2))
    other = FeatureEncoder(FEATURES, "arrest", "id", seed=2).fit_transform(_train())

    pd.testing.assert_frame_equal(first, again)
    assert not first["place_target"].equals(other["place_target"])
    pd.testing.assert_frame_equal(first.drop(columns=COLUMNS[-2:]), other.drop(columns=COLUMNS[-2:]))


def test_encoder_learns_the_same_whatever_the_order_of_rows() -> None:
    encoder, shuffled = _encoder(), _encoder()
    encoder.fit_transform(_train())
    shuffled.fit_transform(_train().sample(frac=1, random_state=0))

    pd.testing.assert_frame_equal(encoder.transform(_train()), shuffled.transform(_train()), rtol=1e-12)


def test_encoder_gives_arrays_what_it_gives_frames() -> None:
    encoder, frame = _fitted(), _train(60)
    frame.loc[3, ["x", "metres", "season", "domestic", "kind", "place"]] = None
    frame.loc[4, ["season", "kind", "place"]] = "unseen"
    numbers, texts = ("x", "metres", "hour", "domestic"), ("season", "kind", "place")
    columns = {name: frame[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in numbers}
    columns |= {name: frame[name].to_numpy(dtype=object, na_value=None) for name in texts}

    np.testing.assert_array_equal(encoder.encode(columns), encoder.transform(frame)[COLUMNS].to_numpy())
    single = [encoder.encode({name: column[[row]] for name, column in columns.items()})[0] for row in range(60)]
    np.testing.assert_array_equal(single, encoder.encode(columns))


def test_encoded_values_are_to_the_bit_those_of_the_formulas() -> None:
    train = _train()
    train.loc[:9, ["x", "metres", "kind"]] = None
    encoder = _encoder()
    encoded = encoder.fit_transform(train)

    hour = train["hour"].to_numpy(dtype=np.float64) * (2 * np.pi / 24)
    expected = {
        "x": train["x"].fillna(train["x"].median()),
        "metres_log1p": np.log1p(train["metres"].fillna(train["metres"].median())),
        "hour_sin": np.sin(hour),
        "hour_cos": np.cos(hour),
        **{f"season_{name}": train["season"].eq(name).astype(float) for name in ("Winter", "Summer")},
        "domestic": train["domestic"].astype(float),
        "kind_freq": train["kind"].map(train["kind"].value_counts() / 400).fillna(10 / 400).astype(float),
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(encoded[name], values, err_msg=name)


def test_encoder_learns_anew_when_it_is_fitted_again() -> None:
    encoder = _fitted()
    encoder.encode(
        {name: np.array([1.0]) if name in ("x", "metres", "hour", "domestic") else np.array(["a"], dtype=object) for name in _row()}
    )
    other = _train().assign(x=5.0, kind="arson")
    encoder.fit_transform(other)
    fresh = _encoder()
    fresh.fit_transform(other)

    row = {"x": np.array([np.nan]), **{name: np.array([1.0]) for name in ("metres", "hour", "domestic")}}
    row |= {name: np.array(["arson"], dtype=object) for name in ("season", "kind", "place")}
    np.testing.assert_array_equal(encoder.encode(row), fresh.encode(row))


def test_encoder_refuses_target_encodings_of_several_classes() -> None:
    with pytest.raises(ValueError, match="target encodings need a target of two classes, 0 and 1; arrest has others"):
        _encoder().fit_transform(_train().assign(arrest=np.arange(400) % 3))


def test_encoder_takes_several_classes_without_target_encodings() -> None:
    encoder = FeatureEncoder(Features(numeric=("x",)), "arrest", "id")

    assert encoder.fit_transform(_train().assign(arrest=np.arange(400) % 3))["arrest"].tolist() == [n % 3 for n in range(400)]


def test_encoder_state_is_plain() -> None:
    state = {name: value for name, value in _fitted().__getstate__().items() if name != "features"}

    leaves = [leaf for value in state.values() for leaf in (value.values() if isinstance(value, dict) else [value])]
    assert {type(leaf) for leaf in leaves} <= {str, int, float, np.ndarray}
    assert all(leaf.dtype.kind in "Uif" for leaf in leaves if isinstance(leaf, np.ndarray))


@pytest.mark.parametrize("rows", [0, 1])
def test_encoder_refuses_to_learn_from_fewer_than_two_rows(rows: int) -> None:
    with pytest.raises(ValueError, match=f"got {rows}"):
        _encoder().fit_transform(_train(rows))
