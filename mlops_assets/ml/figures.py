"""How good predicted probabilities are, as pictures: PNG bytes for people. The numbers come from `evaluate`.

The same input gives the same bytes: drawn without pyplot's global state, and without time or version in the file.
"""

import io
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from PIL import Image
from sklearn.metrics import precision_recall_curve

from mlops_assets.ml.evaluate import binary_metrics, calibration_points

INK, ACCENT, MUTED = "#222222", "#1f5fa8", "#9a9a9a"
DPI = 100
COLOURS = 64
SHOWN_FEATURES = 20
SHOWN_POINTS = 1000


def evaluation_figures(y: np.ndarray, probability: np.ndarray, threshold: float, importance: Mapping[str, float]) -> dict[str, bytes]:
    """PNG pictures by name: pr_curve, calibration, confusion_matrix, feature_importance.

    `y` 0/1 [n], `probability` of the positive class float[n], `threshold` from which on a row counts as positive, `importance` by
    feature, which must not be empty. Raises ValueError as `binary_metrics` does.
    """
    labels, scores = np.asarray(y).astype(bool), np.asarray(probability, dtype=np.float64)
    metrics = binary_metrics(labels, scores, threshold)
    return {
        "pr_curve": _pr_curve(labels, scores, threshold, metrics),
        "calibration": _calibration(labels, scores, metrics),
        "confusion_matrix": _confusion_matrix(labels, scores >= threshold, threshold, metrics),
        "feature_importance": _feature_importance(importance),
    }


def _pr_curve(labels: np.ndarray, scores: np.ndarray, threshold: float, metrics: Mapping[str, float]) -> bytes:
    precision, recall, _ = precision_recall_curve(labels, scores)
    # Tens of thousands of points draw the same line.
    shown = np.unique(np.linspace(0, len(recall) - 1, SHOWN_POINTS).astype(np.int64))
    figure, axes = _figure("Precision and recall", f"average precision {metrics['average_precision']:.3f}")
    axes.plot(recall[shown], precision[shown], color=ACCENT, linewidth=2, label="model")
    axes.axhline(metrics["prevalence"], color=MUTED, linestyle="--", label=f"chance: {metrics['prevalence']:.1%} positive")
    axes.plot(metrics["recall"], metrics["precision"], "o", color=INK, markersize=7, label=f"threshold {threshold:.3f}")
    axes.set(xlabel="Recall", ylabel="Precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(loc="lower left", frameon=False)
    return _png(figure)


def _calibration(labels: np.ndarray, scores: np.ndarray, metrics: Mapping[str, float]) -> bytes:
    predicted, observed = calibration_points(labels, scores)
    figure, axes = _figure("Calibration", f"Brier score {metrics['brier']:.3f}")
    axes.plot((0, 1), (0, 1), color=MUTED, linestyle="--", label="perfect")
    axes.plot(predicted, observed, "o-", color=ACCENT, linewidth=2, markersize=6, clip_on=False, label="model")
    axes.set(xlabel="Mean predicted probability", ylabel="Observed share of positives", xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left", frameon=False)
    return _png(figure)


def _confusion_matrix(labels: np.ndarray, predicted: np.ndarray, threshold: float, metrics: Mapping[str, float]) -> bytes:
    counts = np.array([[(labels == actual)[predicted == guess].sum() for guess in (False, True)] for actual in (False, True)])
    shares = counts / counts.sum(axis=1, keepdims=True)
    figure, axes = _figure("Confusion matrix", f"threshold {threshold:.3f}, MCC {metrics['mcc']:.3f}")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        text = f"{count:,}\n{share:.1%}"
        axes.text(column, row, text, ha="center", va="center", fontsize=14, color="white" if share > 0.5 else INK)
    names = ("negative", "positive")
    axes.set(xlabel="Predicted (shares of the actual class)", ylabel="Actual")
    axes.set_xticks((0, 1), names)
    axes.set_yticks((0, 1), names, rotation=90, va="center")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    return _png(figure)


def _feature_importance(importance: Mapping[str, float]) -> bytes:
    greatest = sorted(importance.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_FEATURES]
    subtitle = f"the first {len(greatest)} of {len(importance)}" if len(greatest) < len(importance) else "share of the gain"
    figure, axes = _figure("Feature importance", subtitle, height=1.4 + 0.22 * len(greatest))
    names, shares = [name for name, _ in greatest], [share for _, share in greatest]
    bars = axes.barh(names, shares, color=ACCENT, height=0.7)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.bar_label(bars, [f"{share:.1%}" for share in shares], padding=3, fontsize=8, color=INK)
    axes.set(xlabel="Share of the gain", xlim=(0, 1.15 * max(shares) or 1))
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", labelsize=8, length=0)
    return _png(figure)


def _figure(title: str, subtitle: str, height: float = 4.8) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=13, fontweight="bold", color=INK, pad=10)
    axes.set_title(subtitle, loc="right", fontsize=10, color=INK, pad=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _png(figure: Figure) -> bytes:
    raw, png = io.BytesIO(), io.BytesIO()
    figure.savefig(raw, format="rgba")
    picture = Image.frombytes("RGBA", figure.canvas.get_width_height(), raw.getvalue()).convert("RGB")
    # With a palette a picture takes a third of the bytes; it is stored in event logs, where that counts.
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(png, format="PNG")
    return png.getvalue()
