"""How good predicted probabilities are, as numbers: metrics, the best threshold, calibration. Pictures are `figures`."""

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

HIGHER_IS_BETTER = ("roc_auc", "average_precision", "mcc", "precision", "recall", "f1", "accuracy")
"""The metrics that a search may maximise."""


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
    labels, scores = _checked(y, probability)
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
