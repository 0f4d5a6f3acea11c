"""Charts: what is drawn, in which order, and that a class keeps its colour."""

import pandas as pd
import pytest

from mlops_assets.dashboard import charts, theme
from mlops_assets.dashboard.answers import Version

CLASSES = {0: "Fir", 1: "Pine", 2: "Aspen"}
FRAME = pd.DataFrame({"height": [1.0, 2.0, 3.0, None], "area": ["n", "n", "s", None], "slope": [4.0, 3.0, 2.0, 1.0]})
LABELS = pd.Series([0, 2, 2, None], dtype="Int64")


def colours(figure: charts.go.Figure) -> dict[str, str]:
    return {trace.name: trace.marker.color for trace in figure.data}


def test_class_keeps_its_colour_on_every_chart() -> None:
    expected = {"Fir (0)": theme.class_colour(0), "Aspen (2)": theme.class_colour(2)}

    assert colours(charts.distribution(FRAME, "height", LABELS, CLASSES)) == expected
    assert colours(charts.distribution(FRAME, "area", LABELS, CLASSES)) == expected
    assert colours(charts.pair(FRAME, "height", "slope", LABELS, CLASSES)) == expected
    bars = charts.class_balance(LABELS, CLASSES).data[0]
    assert list(bars.marker.color) == [theme.class_colour(code) for code in CLASSES]


def test_histograms_of_all_classes_share_their_bins() -> None:
    bins = [trace.xbins.to_plotly_json() for trace in charts.distribution(FRAME, "height", LABELS, CLASSES).data]

    assert bins[0] == bins[1] == {"start": 1.0, "end": 3.0, "size": 2.0 / charts.BINS}


def test_distribution_of_other_values_counts_the_missing_ones_too() -> None:
    (bars,) = charts.distribution(FRAME, "area", None, None).data

    assert dict(zip(bars.x, bars.y, strict=True)) == {"n": 2, "s": 1, "missing": 1}


def test_constant_column_is_drawn() -> None:
    figure = charts.distribution(pd.DataFrame({"height": [2.0, 2.0]}), "height", None, None)

    assert len(figure.data) == 1


def test_class_balance_keeps_the_place_of_a_class_without_rows() -> None:
    (bars,) = charts.class_balance(LABELS, CLASSES).data

    assert list(bars.y) == ["Fir (0)", "Pine (1)", "Aspen (2)"]
    assert list(bars.x) == [1, 0, 2]
    assert bars.text[2] == "2  (66.7%)"


def test_class_balance_of_no_labels_is_empty_not_an_error() -> None:
    assert list(charts.class_balance(pd.Series([], dtype="Int64"), None).data[0].x) == [0, 0]


def test_pair_draws_a_point_a_row_with_a_label() -> None:
    assert [len(trace.x) for trace in charts.pair(FRAME, "height", "slope", LABELS, CLASSES).data] == [1, 2]


def test_correlations_are_those_of_the_columns() -> None:
    (heat,) = charts.correlations(FRAME, ["height", "slope"]).data

    assert heat.z[0][1] == pytest.approx(-1.0)
    assert list(heat.x) == ["Height", "Slope"]


@pytest.mark.parametrize(
    ("chances", "classes", "expected"),
    [([0.2, 0.5, 0.3], CLASSES, {"Fir (0)": 0.2, "Pine (1)": 0.5, "Aspen (2)": 0.3}), (0.9, None, {"no": pytest.approx(0.1), "yes": 0.9})],
)
def test_probabilities_stand_beside_their_class(chances: object, classes: charts.Classes, expected: dict[str, float]) -> None:
    (bars,) = charts.probabilities(chances, classes).data  # type: ignore[arg-type]

    assert dict(zip(bars.y, bars.x, strict=True)) == expected


def test_metric_history_runs_from_the_oldest_version_and_fills_the_champion() -> None:
    versions = [
        Version(version="10", metrics={"accuracy": 0.9}, aliases=["champion"]),
        Version(version="9", metrics={}, aliases=[]),
        Version(version="2", metrics={"accuracy": 0.7}, aliases=["old"]),
    ]

    (line,) = charts.metric_history(versions, ["accuracy"], CLASSES).data

    assert list(line.x) == ["v2", "v9", "v10"]
    assert list(line.y) == [0.7, None, 0.9]
    assert list(line.marker.symbol) == ["circle-open", "circle-open", "circle"]


def test_rows_by_partition_keep_leading_zeros() -> None:
    figure = charts.rows_by_partition({"01": 3, "02": 4})

    assert (list(figure.data[0].x), figure.layout.xaxis.type) == (["01", "02"], "category")
