"""How good predicted probabilities are, and what is forecast, as pictures: PNG bytes for people. The numbers come from elsewhere.

The same input gives the same bytes: drawn without pyplot's global state, and without time or version in the file.
"""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from PIL import Image
from sklearn.metrics import confusion_matrix, precision_recall_curve

from mlops_assets.ml.evaluate import binary_metrics, calibration_points, confidence_points, multiclass_metrics

INK, ACCENT, MUTED = "#222222", "#1f5fa8", "#9a9a9a"
DPI = 100
COLOURS = 64
SHOWN_FEATURES = 20
SHOWN_POINTS = 1000
FEW_CLASSES = 3
SHOWN_HOURS = 7 * 24


def evaluation_figures(
    labels: np.ndarray, probabilities: np.ndarray, *, threshold: float, importance: Mapping[str, float], classes: Mapping[int, str]
) -> dict[str, bytes]:
    """PNG pictures by name, of labels [n] and probabilities float64[n, classes]; `classes` has their names, none for yes and no.

    calibration, confusion_matrix, feature_importance where there is `importance` by feature, and pr_curve of a binary model, whose
    rows count as positive from `threshold` on, or class_f1 of a multiclass one. Raises ValueError as the metrics do.
    """
    figures = _multiclass_figures(labels, probabilities, classes) if classes else _binary_figures(labels, probabilities[:, 1], threshold)
    return figures | ({"feature_importance": _feature_importance(importance)} if importance else {})


def candidates_figure(values: Mapping[str, float], metric: str) -> bytes:
    """A PNG bar chart of what the best trial of every candidate reached, best first; `values` by candidate, not empty."""
    ordered = dict(sorted(values.items(), key=lambda item: -item[1]))
    return _bars(ordered, "Candidates", "best trial of each, on validation rows", metric)


def forecast_figure(series: pd.DataFrame, forecast: pd.DataFrame, *, columns: tuple[str, str, str], title: str) -> bytes:
    """A PNG of the total's last week and its forecast with the interval. `columns`: hour, id (null: the total) and value of `series`.

    `series` has a `state` as well; hours that are not observed are gaps in the line. `forecast` is a `Forecast`'s rows.
    """
    hour, series_id, value = columns
    total = series[series[series_id].isna()].sort_values(hour).tail(SHOWN_HOURS)
    ahead = forecast[forecast[series_id].isna()].sort_values("timestamp")
    figure, axes = _figure(title, f"{len(ahead)} hours ahead")
    observed = total[value].astype("float64").where(total["state"] == "observed")
    axes.plot(total[hour].to_numpy(), observed.to_numpy(), color=INK, linewidth=1.5, label="observed")
    moments = ahead["timestamp"].to_numpy()
    axes.fill_between(moments, ahead["yhat_lower"].to_numpy(), ahead["yhat_upper"].to_numpy(), color=ACCENT, alpha=0.2, label="interval")
    axes.plot(moments, ahead["yhat"].to_numpy(), color=ACCENT, linewidth=2, label="forecast")
    axes.tick_params(axis="x", labelsize=8, rotation=30)
    axes.legend(loc="lower left", frameon=False)
    return _png(figure)


def _binary_figures(y: np.ndarray, scores: np.ndarray, threshold: float) -> dict[str, bytes]:
    labels = np.asarray(y).astype(bool)
    metrics = binary_metrics(labels, scores, threshold)
    counts = confusion_matrix(labels, scores >= threshold)
    return {
        "pr_curve": _pr_curve(labels, scores, threshold, metrics),
        "calibration": _calibration(
            *calibration_points(labels, scores), f"Brier score {metrics['brier']:.3f}", "Observed share of positives"
        ),
        "confusion_matrix": _confusion_matrix(counts, ("negative", "positive"), f"threshold {threshold:.3f}, MCC {metrics['mcc']:.3f}"),
    }


def _multiclass_figures(labels: np.ndarray, probabilities: np.ndarray, classes: Mapping[int, str]) -> dict[str, bytes]:
    codes = sorted(classes)
    metrics = multiclass_metrics(labels, probabilities, codes)
    counts = confusion_matrix(labels, np.asarray(codes)[probabilities.argmax(axis=1)], labels=codes)
    scores = {classes[code]: metrics[f"f1_{code}"] for code in codes}
    points = confidence_points(labels, probabilities, codes)
    return {
        "calibration": _calibration(*points, f"log loss {metrics['log_loss']:.3f}", "Share of right answers"),
        "confusion_matrix": _confusion_matrix(
            counts, [classes[code] for code in codes], f"accuracy {metrics['accuracy']:.3f}, MCC {metrics['mcc']:.3f}"
        ),
        "class_f1": _bars(scores, "F1 by class", f"macro {metrics['macro_f1']:.3f}", "F1"),
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


def _calibration(predicted: np.ndarray, observed: np.ndarray, subtitle: str, meaning: str) -> bytes:
    figure, axes = _figure("Calibration", subtitle)
    axes.plot((0, 1), (0, 1), color=MUTED, linestyle="--", label="perfect")
    axes.plot(predicted, observed, "o-", color=ACCENT, linewidth=2, markersize=6, clip_on=False, label="model")
    axes.set(xlabel="Mean predicted probability", ylabel=meaning, xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left", frameon=False)
    return _png(figure)


def _confusion_matrix(counts: np.ndarray, names: Sequence[str], subtitle: str) -> bytes:
    """Rows are actual classes, columns predicted ones; a class without rows has an empty row."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    few = len(names) <= FEW_CLASSES
    figure, axes = _figure("Confusion matrix", subtitle, height=4.8 if few else 2 + 0.55 * len(names))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal" if few else "auto")
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        text = f"{count:,}\n{share:.1%}"
        axes.text(column, row, text, ha="center", va="center", fontsize=14 if few else 7, color="white" if share > 0.5 else INK)
    axes.set(xlabel="Predicted (shares of the actual class)", ylabel="Actual")
    axes.set_xticks(range(len(names)), names, rotation=0 if few else 30, ha="center" if few else "right")
    axes.set_yticks(range(len(names)), names, rotation=90 if few else 0, va="center")
    axes.tick_params(length=0, labelsize=10 if few else 8)
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    return _png(figure)


def _bars(values: Mapping[str, float], title: str, subtitle: str, meaning: str) -> bytes:
    """Horizontal bars between 0 and 1, the first on top."""
    figure, axes = _figure(title, subtitle, height=1.4 + 0.36 * len(values))
    bars = axes.barh(list(values), list(values.values()), color=ACCENT, height=0.7)
    axes.invert_yaxis()
    axes.bar_label(bars, [f"{value:.3f}" for value in values.values()], padding=3, fontsize=9, color=INK)
    # Room for the numbers.
    axes.set(xlabel=meaning, xlim=(min(0, *values.values()), 1.12))
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    return _png(figure)


def _feature_importance(importance: Mapping[str, float]) -> bytes:
    greatest = sorted(importance.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_FEATURES]
    subtitle = f"the first {len(greatest)} of {len(importance)}" if len(greatest) < len(importance) else "shares of the whole"
    figure, axes = _figure("Feature importance", subtitle, height=1.4 + 0.22 * len(greatest))
    names, shares = [name for name, _ in greatest], [share for _, share in greatest]
    bars = axes.barh(names, shares, color=ACCENT, height=0.7)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.bar_label(bars, [f"{share:.1%}" for share in shares], padding=3, fontsize=8, color=INK)
    axes.set(xlabel="Share", xlim=(0, 1.15 * max(shares) or 1))
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
