"""The generated forest: the same from the same seed, and like the real one where models look."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score

from mlops_assets.domains.forest_cover.spec import SOIL_TYPES, WILDERNESS_AREAS
from mlops_assets.sandbox.forest_cover.samples import COLUMNS
from mlops_assets.sandbox.forest_cover.terrain import GeneratedSamples, _between_cells

ROWS = 12_000
CODES = ["Wilderness_Area", "Soil_Type"]


@pytest.fixture(scope="module")
def batches() -> list[list[str]]:
    """Batches 1 and 2 as they are served."""
    generated = GeneratedSamples(seed=1, rows=ROWS)
    return [list(generated.batch(number)) for number in (1, 2)]


@pytest.fixture(scope="module")
def samples(batches: list[list[str]]) -> pd.DataFrame:
    """Batch 1; numbers are int64, and were texts of whole numbers."""
    frame = pd.DataFrame(map(json.loads, batches[0]), columns=list(COLUMNS))
    numbers = [name for name in COLUMNS if name not in CODES]
    return frame.astype(dict.fromkeys(numbers, "int64"))


def test_a_batch_depends_on_seed_and_number_only() -> None:
    later, other = GeneratedSamples(seed=3, rows=40), GeneratedSamples(seed=4, rows=40)
    expected = GeneratedSamples(seed=3, rows=40).batch(2)
    later.batch(1)
    assert later.batch(2) == expected
    assert later.batch(1) != expected != other.batch(2)


def test_a_few_rows_come_in_several_batches(batches: list[list[str]]) -> None:
    first, second = map(set, batches)
    assert [len(batch) for batch in batches] == [ROWS, ROWS]
    assert 0.005 * ROWS < len(first & second) < 0.02 * ROWS


def test_numbers_lie_in_the_ranges_of_the_real_ones(samples: pd.DataFrame) -> None:
    assert samples["Elevation"].between(1850, 3870).all()
    assert samples["Aspect"].between(0, 360).all()
    assert samples["Slope"].between(0, 66).all()
    for name in ("Hillshade_9am", "Hillshade_Noon", "Hillshade_3pm"):
        assert samples[name].between(0, 254).all()
    assert samples["Elevation"].mean() == pytest.approx(2959, abs=15)
    assert samples["Horizontal_Distance_To_Roadways"].mean() == pytest.approx(2343, rel=0.03)


def test_codes_and_cover_types_come_as_often_as_the_real_ones(samples: pd.DataFrame) -> None:
    shares = samples["Cover_Type"].value_counts(normalize=True).sort_index()
    assert shares.tolist() == pytest.approx([0.365, 0.490, 0.061, 0.005, 0.017, 0.030, 0.034], abs=0.015)
    assert set(samples["Wilderness_Area"]) == set(WILDERNESS_AREAS)
    assert set(samples["Soil_Type"]) <= set(SOIL_TYPES)
    assert samples["Soil_Type"].nunique() > 35
    assert set(samples.loc[samples["Cover_Type"] == 3, "Wilderness_Area"]) == {"Cache"}


def test_horizontal_distances_are_those_between_cells_of_the_grid(samples: pd.DataFrame) -> None:
    near = samples.loc[samples["Horizontal_Distance_To_Hydrology"] < 100, "Horizontal_Distance_To_Hydrology"]
    assert set(near) == {0, 30, 42, 60, 67, 85, 90, 95}
    assert _between_cells(np.array([0.0, 14, 16, 36, 37, 76, 77])).tolist() == [0, 0, 30, 30, 42, 67, 85]


def test_water_in_the_cell_is_neither_above_nor_below_it(samples: pd.DataFrame) -> None:
    at_water = samples.loc[samples["Horizontal_Distance_To_Hydrology"] == 0, "Vertical_Distance_To_Hydrology"]
    assert len(at_water) > 100
    assert (at_water == 0).all()


def test_hillshades_follow_from_slope_and_aspect(samples: pd.DataFrame) -> None:
    flat = samples[samples["Slope"] == 0]
    assert len(flat)
    assert flat[["Hillshade_9am", "Hillshade_Noon", "Hillshade_3pm"]].drop_duplicates().to_numpy().tolist() == [[218, 238, 156]]
    steep = samples[samples["Slope"].between(20, 30)]
    east, west = steep[steep["Aspect"].between(70, 110)], steep[steep["Aspect"].between(250, 290)]
    assert east["Hillshade_9am"].min() > 230 > 190 > west["Hillshade_9am"].max()
    assert west["Hillshade_3pm"].min() > 200 > 110 > east["Hillshade_3pm"].max()


def test_cover_types_can_be_learned_about_as_well_as_the_real_ones(samples: pd.DataFrame) -> None:
    features = pd.get_dummies(samples.drop(columns="Cover_Type"), columns=CODES).to_numpy(np.float64)
    train = np.arange(ROWS) % 5 > 0
    model = RandomForestClassifier(60, random_state=1, n_jobs=2).fit(features[train], samples["Cover_Type"][train])
    expected, predicted = samples["Cover_Type"][~train], model.predict(features[~train])
    assert 0.70 < accuracy_score(expected, predicted) < 0.92
    assert 0.50 < f1_score(expected, predicted, average="macro") < 0.90
