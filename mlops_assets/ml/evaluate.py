"""How good predicted probabilities are, as numbers: metrics, the best threshold, calibration. Pictures are `figures`."""

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, confusion_matrix, log_loss, roc_auc_score

BINARY_HIGHER_IS_BETTER = ("roc_auc", "average_precision", "mcc", "precision", "recall", "f1", "accuracy")
"""Those of `binary_metrics` that a search may maximise."""

MULTICLASS_HIGHER_IS_BETTER = ("macro_f1", "accuracy", "macro_precision", "macro_recall", "weighted_f1", "mcc", "roc_auc")
"""Those of `multiclass_metrics` that a search may maximise, beside `f1_<code>`."""

TOLERANCE = 1e-4
"""How far from 1 the probabilities of a row may add up, which are sums in single precision."""


def binary_metrics(y: np.ndarray, probability: np.ndarray, threshold: float) -> dict[str, float]:
    """Metrics of probabilities of the positive class, float[n], for labels `y` 0/1 or boolean [n]; positive from `threshold` on.

    roc_auc, average_precision, brier and log_loss (nats) do not depend on the threshold. A ratio without a denominator is 0, as is
    mcc when all rows are predicted alike. `prevalence` is the share of positive labels. Plain floats, always the same keys.
    Raises ValueError when lengths differ, values are not probabilities, or the labels are not of both classes.
    """
    labels, scores = _checked(y, probability)
    predicted = scores >= threshold
    tp, fp = float((predicted & labels).sum()), float((predicted & ~labels).sum())
    fn, tn = float((~predicted & labels).sum()), float((~predicted & ~labels).sum())
    metrics = {
        "roc_auc": roc_auc_score(labels, scores),
        "average_precision": average_precision_score(labels, scores),
        "mcc": _mcc(*map(np.asarray, (tp, fp, fn, tn))),
        "brier": brier_score_loss(labels, scores),
        "log_loss": log_loss(labels, scores),
        "precision": tp / max(tp + fp, 1),
        "recall": tp / (tp + fn),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "accuracy": (tp + tn) / len(labels),
        "prevalence": labels.mean(),
        "rows": len(labels),
    }
    return {name: float(value) for name, value in metrics.items()}


def multiclass_metrics(y: np.ndarray, probabilities: np.ndarray, classes: Sequence[int]) -> dict[str, float]:
    """Metrics of probabilities float[n, classes] for labels `y` [n], codes out of `classes`; the most probable class is the prediction.

    Precision, recall and F1 are a class's own against all others; macro is the mean over the classes in `y`, weighted the mean by
    their rows. Thus macro_recall is what is also called balanced accuracy. roc_auc is the macro mean of one class against all others,
    log_loss in nats. A ratio without a denominator is 0. Plain floats, always the same keys, with `f1_<code>` for every class.
    Raises ValueError when shapes differ, values are not probabilities of a row each, a label is none of `classes`, or all are alike.
    """
    codes, labels, scores = np.asarray(classes), *_checked_classes(y, probabilities, classes)
    actual = np.searchsorted(codes, labels)
    counts = confusion_matrix(actual, scores.argmax(axis=1), labels=np.arange(len(codes))).astype(np.float64)
    right, rows, guesses = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    present = rows > 0
    precision, recall, f1 = right / np.maximum(guesses, 1), right / np.maximum(rows, 1), 2 * right / np.maximum(rows + guesses, 1)
    metrics = {
        "macro_f1": f1[present].mean(),
        "accuracy": right.sum() / len(labels),
        "macro_precision": precision[present].mean(),
        "macro_recall": recall[present].mean(),
        "weighted_f1": np.average(f1, weights=rows),
        "mcc": _multiclass_mcc(counts),
        "log_loss": -np.log(np.maximum(scores[np.arange(len(labels)), actual], np.finfo(np.float64).eps)).mean(),
        "roc_auc": np.mean([roc_auc_score(actual == place, scores[:, place]) for place in np.flatnonzero(present)]),
        **{f"f1_{code}": value for code, value in zip(classes, f1, strict=True)},
        "rows": len(labels),
    }
    return {name: float(value) for name, value in metrics.items()}


def best_threshold(y: np.ndarray, probability: np.ndarray) -> float:
    """The probability from which on to predict positive so that Matthews' correlation is greatest; the highest of equally good ones.

    Every distinct probability is tried. Arguments and errors as in `binary_metrics`.
    """
    labels, scores = _checked(y, probability)
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    ends = np.flatnonzero(np.append(descending[1:] != descending[:-1], True))
    # In floating point: products of four counts overflow 64-bit integers from about 50,000 rows on.
    tp = np.cumsum(labels[order])[ends].astype(np.float64)
    fp = ends + 1 - tp
    fn = labels.sum() - tp
    tn = len(labels) - tp - fp - fn
    return float(descending[ends[np.argmax(_mcc(tp, fp, fn, tn))]])


def calibration_points(y: np.ndarray, probability: np.ndarray, bins: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Mean probability and share of positives, float64[k] each, in each of `bins` equal parts of 0..1 that has rows, ascending.

    Arguments and errors as in `binary_metrics`.
    """
    return _observed_shares(*_checked(y, probability), bins)


def confidence_points(y: np.ndarray, probabilities: np.ndarray, classes: Sequence[int], bins: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """As `calibration_points`, of the most probable class: its mean probability, and how often it is the right one.

    Arguments and errors as in `multiclass_metrics`.
    """
    labels, scores = _checked_classes(y, probabilities, classes)
    return _observed_shares(np.asarray(classes)[scores.argmax(axis=1)] == labels, scores.max(axis=1), bins)


def _observed_shares(labels: np.ndarray, scores: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    part = np.minimum((scores * bins).astype(np.int64), bins - 1)
    rows = np.bincount(part, minlength=bins)
    used = rows > 0
    predicted, observed = (np.bincount(part, values, minlength=bins)[used] / rows[used] for values in (scores, labels))
    return predicted, observed


def _mcc(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
    """Matthews' correlation coefficient of each confusion matrix; 0 where a row or column of the matrix is empty."""
    scale = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    # The counts are whole, so a scale that is not 0 is at least 1.
    correlation: np.ndarray = (tp * tn - fp * fn) / np.maximum(scale, 1)
    return correlation


def _multiclass_mcc(counts: np.ndarray) -> float:
    """Matthews' correlation coefficient of a confusion matrix float64[classes, classes]; 0 where all rows are predicted alike."""
    rows, guesses, total = counts.sum(axis=1), counts.sum(axis=0), counts.sum()
    scale = np.sqrt((total**2 - guesses @ guesses) * (total**2 - rows @ rows))
    return float((counts.trace() * total - rows @ guesses) / scale) if scale else 0.0


def _checked_classes(y: np.ndarray, probabilities: np.ndarray, classes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels as int64 and probabilities as float64[n, classes], when they are fit to be compared."""
    labels, scores = np.asarray(y), np.asarray(probabilities, dtype=np.float64)
    if labels.ndim != 1 or scores.shape != (len(labels), len(classes)):
        raise ValueError(
            f"labels and probabilities of {len(classes)} classes must be [n] and [n, {len(classes)}]; "
            f"their shapes are {labels.shape} and {scores.shape}"
        )
    if strangers := sorted(set(labels.tolist()).difference(classes)):
        raise ValueError(f"labels must be of the classes {list(classes)}; there are also {strangers}")
    if not ((scores >= 0) & (scores <= 1)).all() or not (np.abs(scores.sum(axis=1) - 1) <= TOLERANCE).all():
        raise ValueError("probabilities must lie between 0 and 1 and add up to 1 in each row")
    if len(np.unique(labels)) < 2:
        raise ValueError(f"metrics need rows of two classes or more: all {len(labels)} rows are {labels[:1].tolist()}")
    return labels.astype(np.int64), scores


def _checked(y: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels as booleans and probabilities as float64, when they are fit to be compared."""
    labels, scores = np.asarray(y), np.asarray(probability, dtype=np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(f"labels and probabilities must be two arrays of one length; their shapes are {labels.shape} and {scores.shape}")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0 and 1")
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError("probabilities must lie between 0 and 1")
    positive = int(labels.sum())
    if positive in (0, len(labels)):
        raise ValueError(f"metrics need rows of both classes: {positive} of {len(labels)} rows are positive")
    return labels.astype(bool), scores
