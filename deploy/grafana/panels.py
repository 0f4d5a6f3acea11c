"""Grafana's panels and dashboards as plain values: what is shown, how wide, in which unit. Where a panel stands follows from its order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from deploy.grafana.stores import BIGQUERY, WAREHOUSE, Query, Store

Kind = Literal["timeseries", "stat", "table", "barchart"]

COLUMNS = 24
"""How wide Grafana's grid is."""
SCHEMA_VERSION = 41
"""Of Grafana 11.6."""
PROMETHEUS = "${prometheus}"
DATASET_NAME = "mlops_assets"
"""BigQuery's dataset, unless the files are written for another one."""
NO_LINE = {"lineWidth": 0, "showPoints": "never"}
POINTS = {"drawStyle": "points", "pointSize": 7}
BARS = {"drawStyle": "bars", "fillOpacity": 60, "lineWidth": 0}


@dataclass(frozen=True, slots=True)
class Metric:
    """One PromQL expression. `instant` asks for now only."""

    expr: str
    legend: str = ""
    instant: bool = False


@dataclass(frozen=True, slots=True)
class Threshold:
    """From `value` on the colour changes; a time series shows it as a line."""

    value: float
    colour: str = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A panel. `names` are series' or columns' own names -> what people read; `styles` name -> how a time series draws it."""

    title: str
    description: str
    kind: Kind
    queries: tuple[Query | Metric, ...]
    unit: str = "none"
    units: Mapping[str, str] = field(default_factory=dict)
    """Unit of single columns."""
    decimals: int | None = None
    label: str = ""
    """The column of a `time_series` whose text names the series."""
    names: Mapping[str, str] = field(default_factory=dict)
    styles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    custom: Mapping[str, Any] = field(default_factory=dict)
    thresholds: tuple[Threshold, ...] = ()
    matrix: tuple[str, str, str] | None = None
    """Column, row and value of a table that is to be turned: one bar for each text of the first."""
    stacked: bool = False
    shows_names: bool = False
    """A `stat` shows the series' name instead of its value."""
    width: int = 12
    height: int = 8


@dataclass(frozen=True, slots=True)
class Heading:
    """A line across the dashboard."""

    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A dashboard; `series` is the query of the variable `series` and the value that it starts with."""

    name: str
    title: str
    description: str
    content: tuple[Panel | Heading, ...]
    span: tuple[str, str] = ("now-7d", "now")
    series: tuple[Query, str] | None = None

    def to_json(self, store: Store, dataset: str = DATASET_NAME) -> dict[str, Any]:
        """Grafana's model of the dashboard over `store`; `dataset` is what the variable of that name starts with."""
        return {
            "uid": self.uid(store),
            "title": f"{self.title} ({store.title})",
            "description": self.description,
            "tags": ["mlops_assets", store.name],
            "timezone": "utc",
            "editable": True,
            "graphTooltip": 1,
            "schemaVersion": SCHEMA_VERSION,
            "refresh": "5m",
            "time": {"from": self.span[0], "to": self.span[1]},
            "templating": {"list": self._variables(store, dataset)},
            "annotations": {"list": []},
            "links": [],
            "panels": _placed(self.content, store),
        }

    def uid(self, store: Store) -> str:
        """By which links and alert rules find it."""
        return f"{self.name.replace('_', '-')}-{store.name}"

    def _variables(self, store: Store, dataset: str) -> list[dict[str, Any]]:
        variables = [_data_source("warehouse", "Warehouse", store.plugin, store.uid), _data_source("prometheus", "Prometheus")]
        if store is BIGQUERY:
            variables.append(
                {"type": "textbox", "name": "dataset", "label": "Dataset", "query": dataset, "current": _chosen(dataset)},
            )
        if self.series:
            query, first = self.series
            variables.append(
                {
                    "type": "query",
                    "name": "series",
                    "label": "Series",
                    "description": "Which series the panels show.",
                    "datasource": {"type": store.plugin, "uid": WAREHOUSE},
                    "query": store.variable_query(query),
                    "current": _chosen(first),
                    "refresh": 2,  # when the time range changes
                    "sort": 0,
                }
            )
        return variables


def _data_source(name: str, label: str, plugin: str = "prometheus", uid: str = "mlops-prometheus") -> dict[str, Any]:
    return {"type": "datasource", "name": name, "label": label, "query": plugin, "current": _chosen(uid), "refresh": 1}


def _chosen(value: str) -> dict[str, Any]:
    return {"text": value, "value": value, "selected": True}


def _placed(content: Sequence[Panel | Heading], store: Store) -> list[dict[str, Any]]:
    """Panels from left to right, a new line where the next one does not fit."""
    placed: list[dict[str, Any]] = []
    left, top, line = 0, 0, 0
    for number, item in enumerate(content, start=1):
        width, height = (COLUMNS, 1) if isinstance(item, Heading) else (item.width, item.height)
        if left + width > COLUMNS:
            left, top, line = 0, top + line, 0
        where = {"x": left, "y": top, "w": width, "h": height}
        placed.append(_heading(item, number, where) if isinstance(item, Heading) else _panel(item, number, where, store))
        left, line = left + width, max(line, height)
    return placed


def _heading(heading: Heading, number: int, where: dict[str, int]) -> dict[str, Any]:
    return {"id": number, "type": "row", "title": heading.title, "collapsed": False, "gridPos": where, "panels": []}


def _panel(panel: Panel, number: int, where: dict[str, int], store: Store) -> dict[str, Any]:
    is_metric = isinstance(panel.queries[0], Metric)
    plugin, uid = ("prometheus", PROMETHEUS) if is_metric else (store.plugin, WAREHOUSE)
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": {"type": plugin, "uid": uid},
        "gridPos": where,
        "targets": [_target(query, ref_id, store) for query, ref_id in zip(panel.queries, "ABCD", strict=False)],
        "transformations": _transformations(panel),
        "options": OPTIONS[panel.kind](panel),
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
    }


def _target(query: Query | Metric, ref_id: str, store: Store) -> dict[str, Any]:
    if isinstance(query, Query):
        return store.target(query, ref_id)
    return {
        "refId": ref_id,
        "datasource": {"type": "prometheus", "uid": PROMETHEUS},
        "editorMode": "code",
        "expr": query.expr,
        "legendFormat": query.legend,
        "instant": query.instant,
        "range": not query.instant,
        "format": "time_series",
    }


def _transformations(panel: Panel) -> list[dict[str, Any]]:
    if panel.matrix is None:
        return []
    column, row, value = panel.matrix
    return [{"id": "groupingToMatrix", "options": {"columnField": column, "rowField": row, "valueField": value, "emptyValue": "null"}}]


def _defaults(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "custom": dict(panel.custom)}
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    if panel.label:
        defaults["displayName"] = f"${{__field.labels.{panel.label}}}"
    if panel.kind == "timeseries":
        stacking = {"mode": "normal", "group": "A"} if panel.stacked else {"mode": "none"}
        # A gap in the data is shown as one.
        defaults["custom"] = {"spanNulls": False, "stacking": stacking, "showPoints": "auto", **defaults["custom"]}
    steps: list[dict[str, Any]] = [{"value": None, "color": "green"}, *({"value": t.value, "color": t.colour} for t in panel.thresholds)]
    if panel.thresholds:
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
        if panel.kind == "timeseries":
            defaults["custom"]["thresholdsStyle"] = {"mode": "line"}
    return defaults


def _overrides(panel: Panel) -> list[dict[str, Any]]:
    properties: dict[str, list[dict[str, Any]]] = {}
    for name, text in panel.names.items():
        properties.setdefault(name, []).append({"id": "displayName", "value": text})
    for name, unit in panel.units.items():
        properties.setdefault(name, []).append({"id": "unit", "value": unit})
    for name, style in panel.styles.items():
        properties.setdefault(name, []).extend({"id": f"custom.{key}", "value": value} for key, value in style.items())
    return [{"matcher": {"id": "byName", "options": name}, "properties": found} for name, found in properties.items()]


def _time_series_options(_: Panel) -> dict[str, Any]:
    return {
        "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
        "tooltip": {"mode": "multi", "sort": "none"},
    }


def _stat_options(panel: Panel) -> dict[str, Any]:
    return {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value" if panel.thresholds else "none",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "name" if panel.shows_names else "auto",
        "wideLayout": True,
    }


def _table_options(_: Panel) -> dict[str, Any]:
    return {"showHeader": True, "cellHeight": "sm"}


def _bar_options(panel: Panel) -> dict[str, Any]:
    x_axis = {} if panel.matrix is None else {"xField": f"{panel.matrix[1]}\\{panel.matrix[0]}"}
    return {
        **x_axis,
        "orientation": "auto",
        "xTickLabelRotation": 0,
        "xTickLabelMaxLength": 12,
        "xTickLabelSpacing": 100,
        "showValue": "never",
        "stacking": "normal" if panel.stacked else "none",
        "groupWidth": 0.7,
        "barWidth": 0.97,
        "barRadius": 0,
        "fullHighlight": False,
        "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
        "tooltip": {"mode": "multi", "sort": "none"},
    }


OPTIONS = {"timeseries": _time_series_options, "stat": _stat_options, "table": _table_options, "barchart": _bar_options}
