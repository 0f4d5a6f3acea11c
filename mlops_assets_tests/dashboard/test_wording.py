"""Names, numbers, times, metrics and columns as people read them."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from mlops_assets.dashboard.answers import Sample
from mlops_assets.dashboard.metrics import leading, verdict
from mlops_assets.dashboard.observations import default_pair, labels_of, numeric_columns, plottable_columns, to_frame
from mlops_assets.dashboard.wording import ago, class_name, count, metric_title, moment, number, sentence, title
from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.domains.forest_cover.spec import FOREST_COVER

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "expected"), [("macro_f1", "Macro F1"), ("roc_auc", "ROC AUC"), ("average_precision", "Average precision"), ("mcc", "MCC")]
)
def test_title(name: str, expected: str) -> None:
    assert title(name) == expected


def test_metric_of_one_class_names_it() -> None:
    assert metric_title("f1_1", FOREST_COVER.classes) == "F1 of Lodgepole Pine (1)"
    assert metric_title("f1_1", None) == "F1 1"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.88249, "0.882"), (12000.0, "12,000"), (1.0, "1.000"), (0, "0.000"), (12345.67, "12,345.7"), (None, "n/a"), (float("nan"), "n/a")],
)
def test_number(value: float | None, expected: str) -> None:
    assert number(value) == expected


def test_times_are_utc_whatever_their_zone() -> None:
    assert moment(datetime.fromisoformat("2026-03-04T06:06:00+01:00")) == "4 Mar 2026, 05:06 UTC"
    assert moment(None) == "n/a"


@pytest.mark.parametrize(
    ("passed", "expected"), [(5, "just now"), (60, "1 minute ago"), (7300, "2 hours ago"), (200000, "2 days ago"), (-5, "just now")]
)
def test_ago(passed: int, expected: str) -> None:
    assert ago(NOW - timedelta(seconds=passed), NOW) == expected


def test_class_names() -> None:
    assert class_name(6, FOREST_COVER.classes) == "Krummholz (6)"
    assert class_name(9, FOREST_COVER.classes) == "9"
    assert [class_name(label, None) for label in (True, False, 1, 0)] == ["yes", "no", "yes", "no"]


def test_sentence_and_count() -> None:
    assert (sentence("no key"), sentence("Done."), sentence("")) == ("No key.", "Done.", ".")
    assert (count(1, "row"), count(12000, "row")) == ("1 row", "12,000 rows")


def test_deciding_metric_comes_first_then_the_usual_ones() -> None:
    names = ["rows", "log_loss", "accuracy", "f1_0", "macro_f1", "average_precision"]

    assert leading(names, FOREST_COVER) == ["macro_f1", "average_precision", "accuracy", "log_loss", "f1_0", "rows"]
    assert leading(names, CHICAGO_CRIME)[0] == "average_precision"


@pytest.mark.parametrize(
    ("name", "champion", "challenger", "expected"),
    [
        ("accuracy", 0.8, 0.9, "better"),
        ("accuracy", 0.9, 0.8, "worse"),
        ("log_loss", 0.2, 0.3, "worse"),
        ("brier", 0.3, 0.2, "better"),
        ("mase", 0.9, 0.8, "better"),
        ("mcc", 0.5, 0.5, "equal"),
        ("rows", 10, 20, ""),
        ("mcc", None, 0.5, ""),
    ],
)
def test_verdict(name: str, champion: float | None, challenger: float | None, expected: str) -> None:
    assert verdict(name, champion, challenger) == expected


def test_observations_are_typed_and_bookkeeping_is_no_measurement() -> None:
    columns = {
        "sample_id": ["a", "b", "c"],
        "elevation": [1, 2.5, None],
        "constant": [1, 1, 1],
        "soil_type": ["C1", "C2", "C1"],
        "nothing": [None, None, None],
        "cover_type": [0, 1, None],
        "first_seen_batch": [1, 2, 3],
        "first_seen_at": ["2026-01-01", "2026-01-02", "2026-01-03"],
    }
    frame = to_frame(Sample(rows=3, columns=columns))

    assert numeric_columns(frame, FOREST_COVER) == ["elevation"]
    assert plottable_columns(frame, FOREST_COVER) == ["elevation", "constant", "soil_type"]
    labels = labels_of(frame, FOREST_COVER)
    assert labels is not None
    assert labels.tolist() == [0, 1, pd.NA]


def test_boolean_target_gives_codes() -> None:
    labels = labels_of(to_frame(Sample(rows=3, columns={"arrest": [True, None, False]})), CHICAGO_CRIME)

    assert labels is not None
    assert labels.tolist() == [1, pd.NA, 0]


def test_system_that_only_the_api_knows_has_no_labels() -> None:
    frame = to_frame(Sample(rows=1, columns={"x": [1]}))

    assert labels_of(frame, None) is None
    assert labels_of(frame, FOREST_COVER) is None


def test_default_pair() -> None:
    assert default_pair(["aspect", "slope", "elevation"]) == ("elevation", "slope")
    assert default_pair(["a", "b", "c"]) == ("a", "b")
