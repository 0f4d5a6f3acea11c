"""Both kinds of classification behind one interface."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.ml.evaluate import best_threshold, binary_metrics, multiclass_metrics
from mlops_assets.ml.task import Binary, Multiclass, Task, task_of

TWO = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.7, 0.3]])
THREE = np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.1, 0.1, 0.8], [0.6, 0.3, 0.1]])
CASES: list[tuple[Task, np.ndarray, np.ndarray]] = [
    (Binary(), TWO, np.array([False, True, True, False])),
    (Multiclass((0, 1, 2)), THREE, np.array([1, 0, 2, 2])),
]


def test_task_of_a_domain_is_multiclass_where_there_are_classes() -> None:
    assert task_of(CHICAGO_CRIME) == Binary()
    assert task_of(replace(CHICAGO_CRIME, classes={2: "c", 0: "a", 1: "b"})) == Multiclass((0, 1, 2))
    assert task_of(replace(CHICAGO_CRIME, classes={0: "a", 1: "b"})) == Multiclass((0, 1))


def test_binary_answer_is_a_probability_and_whether_it_reaches_the_threshold() -> None:
    answer = Binary().answer(TWO, 0.5)

    pd.testing.assert_frame_equal(answer, pd.DataFrame({"probability": [0.1, 0.5, 0.8, 0.3], "label": [False, True, True, False]}))


def test_multiclass_answer_is_the_most_probable_class_and_all_probabilities() -> None:
    answer = Multiclass((0, 1, 2)).answer(THREE, 0.9)

    assert answer.to_dict("list") == {
        "label": [1, 0, 2, 0],
        "probability_0": [0.2, 0.4, 0.1, 0.6],
        "probability_1": [0.5, 0.4, 0.1, 0.3],
        "probability_2": [0.3, 0.2, 0.8, 0.1],
    }
    assert answer.dtypes.tolist() == [np.int64, np.float64, np.float64, np.float64]


@pytest.mark.parametrize(("task", "probabilities", "labels"), CASES)
def test_answer_types_are_those_of_the_answer(task: Task, probabilities: np.ndarray, labels: np.ndarray) -> None:
    names = {"float64": "double", "bool": "boolean", "int64": "long"}
    for rows in (probabilities, probabilities[:0]):
        answer = task.answer(rows, task.default_threshold)
        assert {column: names[str(kind)] for column, kind in answer.dtypes.items()} == task.answer_types
        assert task.labels(labels).dtype == answer["label"].dtype


@pytest.mark.parametrize(("task", "probabilities", "labels"), CASES)
def test_probabilities_come_back_from_an_answer(task: Task, probabilities: np.ndarray, labels: np.ndarray) -> None:
    np.testing.assert_allclose(task.probabilities(task.answer(probabilities, 0.5)), probabilities, rtol=1e-12)


@pytest.mark.parametrize(("task", "probabilities", "labels"), CASES)
def test_metrics_of_a_task_hold_those_that_may_be_maximised(task: Task, probabilities: np.ndarray, labels: np.ndarray) -> None:
    metrics = task.metrics(labels, probabilities, 0.5)

    assert set(task.metric_names) < set(metrics)
    # What knows the truth has the best of each.
    perfect = task.metrics(labels, np.eye(len(task.classes))[labels.astype(int)], 0.5)
    assert all(perfect[name] == pytest.approx(1) and perfect[name] >= metrics[name] for name in task.metric_names)


def test_tasks_judge_by_their_own_metrics() -> None:
    (binary, two, yes), (multiclass, three, codes) = CASES

    assert binary.metrics(yes, two, 0.4) == binary_metrics(yes, two[:, 1], 0.4)
    assert binary.best_threshold(yes, two) == best_threshold(yes, two[:, 1]) == 0.5
    assert multiclass.metrics(codes, three, 0.4) == multiclass_metrics(codes, three, (0, 1, 2))
    assert multiclass.best_threshold(codes, three) == multiclass.default_threshold == 0


@pytest.mark.parametrize("values", [pd.Series([0, 1], dtype="int8"), pd.Series([False, True]), np.array([0, 1])])
@pytest.mark.parametrize("task", [Binary(), Multiclass((0, 1, 2))])
def test_labels_are_of_one_type_at_every_stage(task: Task, values: pd.Series) -> None:
    assert task.labels(values).tolist() == [0, 1]


@pytest.mark.parametrize("task", [Binary(), Multiclass((0, 1))])
def test_labels_refuse_another_class(task: Task) -> None:
    with pytest.raises(ValueError, match=r"of the classes \[0, 1\]; there are also \[7\]"):
        task.labels(np.array([0, 7]))
