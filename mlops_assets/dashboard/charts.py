"""Frames and answers as Plotly figures. Pure: no Streamlit, no HTTP.

A class has the same colour on every chart; `labels` are class codes, or None where a row has no label or the system no known target.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import pandas as pd
import plotly.graph_objects as go

from mlops_assets.dashboard import theme
from mlops_assets.dashboard.answers import Version
from mlops_assets.dashboard.wording import class_name, metric_title, title

Classes = Mapping[int, str] | None
RowsT = TypeVar("RowsT", pd.Series, pd.DataFrame)

BINS = 40
QUIET = {"displaylogo": False, "displayModeBar": False}
"""Plotly without its toolbar."""
TOP_VALUES = 20
ANNOTATED_COLUMNS = 14
"""Up to so many columns the numbers stand in the correlation matrix."""
ROOM_FOR_LABELS = 1.4
"""How far the axis goes beyond the longest bar, whose label stands behind it."""


def empty_figure(height: int = 380, **layout: object) -> go.Figure:
    """A figure in the dashboard's look, with nothing on it yet; `layout` is Plotly's."""
    figure = go.Figure()
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        font={"color": theme.INK, "size": 13},
        legend={"orientation": "h", "traceorder": "normal", "yanchor": "bottom", "y": 1.02, "x": 0, "title": None},
        **layout,
    )
    figure.update_xaxes(automargin=True, gridcolor=theme.LINE, zeroline=False, separatethousands=True)
    figure.update_yaxes(automargin=True, gridcolor=theme.LINE, zeroline=False, separatethousands=True)
    return figure


def distribution(frame: pd.DataFrame, column: str, labels: pd.Series | None, classes: Classes) -> go.Figure:
    """Rows by the column's value, stacked by class: a histogram of numbers, bars of the most frequent other values."""
    numeric = pd.api.types.is_numeric_dtype(frame[column]) and not pd.api.types.is_bool_dtype(frame[column])
    values = frame[column] if numeric else frame[column].astype("string").fillna("missing")
    figure = empty_figure(bargap=0.02 if numeric else 0.25, barmode="stack")
    frequent = [] if numeric else values.value_counts().index[:TOP_VALUES].tolist()
    bins = _bins(values) if numeric else None
    for name, colour, rows in _by_class(values, labels, classes):
        if numeric:
            figure.add_histogram(x=rows, xbins=bins, name=name, marker_color=colour)
        else:
            counts = rows.value_counts().reindex(frequent, fill_value=0)
            figure.add_bar(x=frequent, y=counts.tolist(), name=name, marker_color=colour)
    if not numeric:
        figure.update_xaxes(type="category")
    figure.update_layout(xaxis_title=title(column), yaxis_title="Rows")
    return figure


def correlations(frame: pd.DataFrame, columns: Sequence[str]) -> go.Figure:
    """Pearson's correlation of every pair of numeric columns; empty where a column is constant."""
    matrix = frame[list(columns)].astype("float64").corr()
    names = [title(column) for column in columns]
    figure = empty_figure(height=max(420, 34 * len(names) + 160))
    figure.add_heatmap(
        z=matrix.to_numpy(),
        x=names,
        y=names,
        zmin=-1,
        zmax=1,
        colorscale=list(theme.DIVERGING),
        colorbar={"thickness": 10, "outlinewidth": 0},
        texttemplate="%{z:.2f}" if len(names) <= ANNOTATED_COLUMNS else None,
        hovertemplate="%{y} and %{x}: %{z:.3f}<extra></extra>",
        xgap=1,
        ygap=1,
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(showgrid=False, tickangle=-40)
    return figure


def pair(frame: pd.DataFrame, x: str, y: str, labels: pd.Series | None, classes: Classes) -> go.Figure:
    """Two numeric columns against each other, a point a row, coloured by class."""
    figure = empty_figure(height=520)
    for name, colour, rows in _by_class(frame[[x, y]], labels, classes):
        figure.add_scatter(x=rows[x], y=rows[y], mode="markers", name=name, marker={"color": colour, "size": 6, "opacity": 0.6})
    figure.update_layout(xaxis_title=title(x), yaxis_title=title(y), legend={"itemsizing": "constant"})
    return figure


def rows_by_partition(partitions: Mapping[str, int]) -> go.Figure:
    """Rows of every partition."""
    figure = empty_figure(height=320, bargap=0.25)
    figure.add_bar(
        x=list(partitions), y=list(partitions.values()), marker_color=theme.ACCENT, hovertemplate="%{x}: %{y:,} rows<extra></extra>"
    )
    figure.update_xaxes(type="category", title="Partition")
    figure.update_yaxes(title="Rows")
    figure.update_layout(margin={"t": 10})
    return figure


def class_balance(labels: pd.Series, classes: Classes) -> go.Figure:
    """Rows of every class with their share; a class without rows keeps its place."""
    codes = sorted(classes) if classes else [0, 1]
    counts = labels.dropna().astype(int).value_counts().reindex(codes, fill_value=0)
    shares = [f"{rows:,}  ({rows / max(counts.sum(), 1):.1%})" for rows in counts]
    names, colours = [class_name(code, classes) for code in codes], [theme.class_colour(code) for code in codes]
    figure = _bars(names, counts.tolist(), shares, colours, "Rows")
    figure.update_xaxes(range=[0, max(counts.max(), 1) * ROOM_FOR_LABELS])
    return figure


def probabilities(chances: float | Sequence[float], classes: Classes) -> go.Figure:
    """How likely the model holds each class to be; a single number is that of the positive class."""
    values = list(chances) if isinstance(chances, Sequence) else [1 - chances, chances]
    codes = sorted(classes) if classes else [0, 1]
    names = [class_name(code, classes) for code in codes]
    figure = _bars(names, values, [f"{value:.1%}" for value in values], [theme.class_colour(code) for code in codes], "Probability")
    figure.update_xaxes(range=[0, 1.12], tickformat=".0%", tickvals=[0, 0.25, 0.5, 0.75, 1])
    return figure


def metric_history(versions: Sequence[Version], metrics: Sequence[str], classes: Classes) -> go.Figure:
    """The metrics of every version, oldest first; the champion's points are filled, the others' are rings."""
    ordered = sorted(versions, key=lambda version: int(version.version))
    figure = empty_figure(height=380)
    for position, metric in enumerate(metrics):
        figure.add_scatter(
            x=[f"v{version.version}" for version in ordered],
            y=[version.metrics.get(metric) for version in ordered],
            mode="lines+markers",
            name=metric_title(metric, classes),
            line={"color": theme.class_colour(position), "width": 2},
            marker={"size": 10, "symbol": ["circle" if "champion" in version.aliases else "circle-open" for version in ordered]},
            hovertemplate="%{x}: %{y:.4f}",
        )
    figure.update_xaxes(type="category", title="Version")
    figure.update_layout(hovermode="x unified")
    return figure


def _bars(names: Sequence[str], values: Sequence[float], texts: Sequence[str], colours: Sequence[str], axis: str) -> go.Figure:
    figure = empty_figure(height=90 + 38 * len(names), bargap=0.35, showlegend=False)
    figure.add_bar(x=values, y=names, orientation="h", text=texts, textposition="outside", cliponaxis=False, marker_color=colours)
    figure.update_traces(hovertemplate="%{y}: %{text}<extra></extra>")
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_xaxes(title=axis, range=[0, max([*values, 0]) * 1.25 or 1])
    figure.update_layout(margin={"t": 10})
    return figure


def _bins(values: pd.Series) -> dict[str, float] | None:
    """The same bins for every class; None leaves them to Plotly where there is nothing to divide."""
    low, high = values.min(), values.max()
    return {"start": float(low), "end": float(high), "size": float(high - low) / BINS} if high > low else None


def _by_class(rows: RowsT, labels: pd.Series | None, classes: Classes) -> list[tuple[str, str, RowsT]]:
    if labels is None:
        return [("all rows", theme.ACCENT, rows)]
    codes = sorted(labels.dropna().astype(int).unique())
    return [(class_name(code, classes), theme.class_colour(int(code)), rows[(labels == code).fillna(False)]) for code in codes]
