from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    log_loss,
    matthews_corrcoef,
    precision_score,
    recall_score,
    roc_auc_score,
)

from mlops_assets.ml.evaluate import (
    BINARY_HIGHER_IS_BETTER,
    MULTICLASS_HIGHER_IS_BETTER,
    best_threshold,
    binary_metrics,
    calibration_points,
    confidence_points,
    multiclass_metrics,
)

Judge = Callable[[np.ndarray, np.ndarray], object]

Y = np.array([0, 0, 1, 1, 0, 1])
PROBABILITY = np.array([0.1, 0.4, 0.4, 0.8, 0.2, 0.3])


def _noisy(rows: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities that tell something, with many ties."""
    generator = np.random.default_rng(seed)
    y = generator.random(rows) < 0.2
    y[:2] = False, True
    return y, np.clip(0.3 * y + generator.random(rows), 0, 1).round(2)


def test_binary_metrics_by_hand() -> None:
    metrics = binary_metrics(Y, PROBABILITY, 0.4)
    assert list(metrics) == [
        *("roc_auc", "average_precision", "mcc", "brier", "log_loss", "precision", "recall", "f1", "accuracy", "prevalence", "rows")
    ]
    assert all(type(value) is float for value in metrics.values())
    # Of the nine pairs of a positive and a negative seven are in order and one ties.
    assert metrics["roc_auc"] == pytest.approx(7.5 / 9)
    assert metrics["brier"] == pytest.approx((0.01 + 0.16 + 0.36 + 0.04 + 0.04 + 0.49) / 6)
    assert metrics["log_loss"] == pytest.approx(-np.log([0.9, 0.6, 0.4, 0.8, 0.8, 0.3]).mean())
    assert (metrics["precision"], metrics["recall"], metrics["f1"]) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert (metrics["accuracy"], metrics["prevalence"], metrics["rows"]) == pytest.approx((4 / 6, 0.5, 6))


@pytest.mark.parametrize("threshold", [0.0, 0.37, 0.8, 1.0])
def test_binary_metrics_agree_with_scikit_learn(threshold: float) -> None:
    y, probability = _noisy(2000)
    predicted = probability >= threshold
    metrics = binary_metrics(y, probability, threshold)
    assert metrics["mcc"] == pytest.approx(matthews_corrcoef(y, predicted))
    assert metrics["precision"] == pytest.approx(precision_score(y, predicted))
    assert metrics["recall"] == pytest.approx(recall_score(y, predicted))
    assert metrics["f1"] == pytest.approx(f1_score(y, predicted))


def test_binary_metrics_without_a_positive_prediction_are_zero() -> None:
    metrics = binary_metrics(Y, PROBABILITY, 0.9)
    assert (metrics["precision"], metrics["recall"], metrics["f1"], metrics["mcc"]) == (0, 0, 0, 0)


def test_higher_is_better_names_metrics() -> None:
    assert set(BINARY_HIGHER_IS_BETTER) < set(binary_metrics(Y, PROBABILITY, 0.5))


@pytest.mark.parametrize("function", [best_threshold, calibration_points, lambda y, probability: binary_metrics(y, probability, 0.5)])
@pytest.mark.parametrize(
    ("y", "probability", "message"),
    [
        ([1, 1], [0.1, 0.2], "2 of 2 rows are positive"),
        ([0, 0, 0], [0.1, 0.2, 0.3], "0 of 3 rows are positive"),
        ([], [], "0 of 0 rows are positive"),
        ([0, 1], [0.1, 0.2, 0.3], r"their shapes are \(2,\) and \(3,\)"),
        ([0, 2], [0.1, 0.2], "labels must be 0 and 1"),
        ([0, 1], [0.1, np.nan], "between 0 and 1"),
        ([0, 1], [0.1, 1.2], "between 0 and 1"),
    ],
)
def test_evaluate_refuses_what_cannot_be_judged(function: Judge, y: list[int], probability: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(np.array(y), np.array(probability))


@pytest.mark.parametrize("seed", range(20))
def test_best_threshold_is_the_best_of_all_distinct_probabilities(seed: int) -> None:
    y, probability = _noisy(15, seed)
    scores = {threshold: matthews_corrcoef(y, probability >= threshold) for threshold in np.unique(probability)}
    assert scores[best_threshold(y, probability)] == pytest.approx(max(scores.values()))


def test_best_threshold_does_not_depend_on_the_order_of_rows() -> None:
    y, probability = _noisy(500)
    order = np.random.default_rng(5).permutation(len(y))
    assert best_threshold(y[order], probability[order]) == best_threshold(y, probability)


def test_best_threshold_takes_the_highest_of_equally_good_ones() -> None:
    # From 0.8 on and from 0.4 on the matrix is the same but for positive and negative.
    assert best_threshold(np.array([1, 0, 1, 0]), np.array([0.8, 0.6, 0.4, 0.2])) == 0.8


def test_best_threshold_counts_many_rows_without_overflow() -> None:
    y, probability = _noisy(500)
    assert best_threshold(np.tile(y, 600), np.tile(probability, 600)) == best_threshold(y, probability)


def test_calibration_points_are_means_of_equal_parts() -> None:
    predicted, observed = calibration_points(np.array([0, 1, 0, 1, 1]), np.array([0.0, 0.12, 0.18, 0.95, 1.0]))
    np.testing.assert_allclose(predicted, [0.0, 0.15, 0.975])
    np.testing.assert_allclose(observed, [0.0, 0.5, 1.0])


CLASSES = (0, 1, 2)
CODES = np.array([0, 0, 1, 1, 2])
PROBABILITIES = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1]])


def _noisy_classes(rows: int = 2000, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Codes, the higher the rarer, and probabilities that tell something."""
    generator = np.random.default_rng(8)
    y = generator.choice(classes, rows, p=np.arange(classes, 0, -1) / np.arange(classes + 1).sum())
    scores = generator.random((rows, classes)) + 0.6 * np.eye(classes)[y]
    return y, scores / scores.sum(axis=1, keepdims=True)


def test_multiclass_metrics_by_hand() -> None:
    metrics = multiclass_metrics(CODES, PROBABILITIES, CLASSES)
    assert all(type(value) is float for value in metrics.values())
    # Predicted 0, 1, 1, 1, 0: class 2 is never right.
    assert (metrics["f1_0"], metrics["f1_1"], metrics["f1_2"]) == pytest.approx((0.5, 0.8, 0))
    assert metrics["macro_f1"] == pytest.approx(1.3 / 3)
    assert metrics["weighted_f1"] == pytest.approx((2 * 0.5 + 2 * 0.8) / 5)
    assert (metrics["accuracy"], metrics["macro_precision"], metrics["macro_recall"]) == pytest.approx((3 / 5, (1 / 2 + 2 / 3) / 3, 0.5))
    assert metrics["log_loss"] == pytest.approx(-np.log([0.8, 0.3, 0.7, 0.8, 0.1]).mean())
    assert metrics["rows"] == 5


def test_multiclass_metrics_agree_with_scikit_learn() -> None:
    y, probabilities = _noisy_classes()
    metrics = multiclass_metrics(y, probabilities, range(5))
    predicted = probabilities.argmax(axis=1)
    for average in ("macro", "weighted"):
        assert metrics[f"{average}_f1"] == pytest.approx(f1_score(y, predicted, average=average))
    assert metrics["macro_precision"] == pytest.approx(precision_score(y, predicted, average="macro"))
    assert metrics["macro_recall"] == pytest.approx(recall_score(y, predicted, average="macro"))
    assert metrics["macro_recall"] == pytest.approx(balanced_accuracy_score(y, predicted))
    assert metrics["mcc"] == pytest.approx(matthews_corrcoef(y, predicted))
    assert metrics["log_loss"] == pytest.approx(log_loss(y, probabilities))
    assert metrics["roc_auc"] == pytest.approx(roc_auc_score(y, probabilities, multi_class="ovr", average="macro"))
    assert [metrics[f"f1_{code}"] for code in range(5)] == pytest.approx(f1_score(y, predicted, average=None).tolist())


def test_multiclass_metrics_of_a_class_without_rows_are_means_over_the_others() -> None:
    y, probabilities = _noisy_classes()
    wider = np.insert(probabilities, 2, 0.0, axis=1)
    metrics, there = multiclass_metrics(np.array([0, 1, 3, 4, 5])[y], wider, range(6)), multiclass_metrics(y, probabilities, range(5))
    assert metrics["f1_2"] == 0
    assert all(metrics[name] == pytest.approx(there[name]) for name in (*MULTICLASS_HIGHER_IS_BETTER, "log_loss", "rows"))


def test_multiclass_metrics_of_rows_predicted_alike_have_no_correlation() -> None:
    assert multiclass_metrics(CODES, np.tile([0.6, 0.3, 0.1], (5, 1)), CLASSES)["mcc"] == 0


def test_multiclass_log_loss_of_a_class_held_impossible_is_finite() -> None:
    assert 30 < multiclass_metrics(np.array([0, 1]), np.array([[0.0, 1.0], [1.0, 0.0]]), (0, 1))["log_loss"] < 40


def test_multiclass_higher_is_better_names_metrics() -> None:
    assert set(MULTICLASS_HIGHER_IS_BETTER) < set(multiclass_metrics(CODES, PROBABILITIES, CLASSES))


@pytest.mark.parametrize("function", [multiclass_metrics, confidence_points])
@pytest.mark.parametrize(
    ("y", "probabilities", "message"),
    [
        ([1, 1], PROBABILITIES[:2], r"all 2 rows are \[1\]"),
        ([], PROBABILITIES[:0], r"all 0 rows are \[\]"),
        ([0, 1], PROBABILITIES, r"\[n\] and \[n, 3\]; their shapes are \(2,\) and \(5, 3\)"),
        ([0, 1], PROBABILITIES[:2, :2], r"their shapes are \(2,\) and \(2, 2\)"),
        ([0, 3], PROBABILITIES[:2], r"of the classes \[0, 1, 2\]; there are also \[3\]"),
        ([0, 1], [[0.5, 0.5, np.nan], [1, 0, 0]], "add up to 1"),
        ([0, 1], [[1.5, -0.5, 0.0], [1, 0, 0]], "between 0 and 1"),
        ([0, 1], [[0.5, 0.4, 0.0], [1, 0, 0]], "add up to 1"),
    ],
)
def test_evaluate_refuses_classes_that_cannot_be_judged(
    function: Callable[..., object], y: list[int], probabilities: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        function(np.array(y), np.array(probabilities), CLASSES)


def test_confidence_points_are_how_often_the_most_probable_class_is_right() -> None:
    predicted, observed = confidence_points(CODES, PROBABILITIES, CLASSES, bins=4)
    # Parts from 0.5 and from 0.75: of 0.6, 0.7, 0.6 one is right, of 0.8, 0.8 both are.
    np.testing.assert_allclose(predicted, [1.9 / 3, 0.8])
    np.testing.assert_allclose(observed, [1 / 3, 1])


def test_confidence_points_of_a_model_that_is_always_right() -> None:
    predicted, observed = confidence_points(np.array([0, 1, 2]), np.eye(3), CLASSES)
    assert (predicted.tolist(), observed.tolist()) == ([1], [1])
