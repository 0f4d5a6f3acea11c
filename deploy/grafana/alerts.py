"""Grafana's alert rules over the warehouse: a feed that is frozen or silent, a forecast that is worse than it may be."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from deploy.grafana.forecasting import hours_silent, newest_mase, readings_unchanged
from deploy.grafana.stores import Query, Store
from mlops_assets.domain import ForecastDomain

SILENT_HOURS = 2
"""So long after the newest hour has ended there should be another one."""
RANGE_SECONDS = 3 * 24 * 3600
"""What a rule looks at."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Fires when the query's one number is above `above`, and, if `without_data` says so, when there is none."""

    name: str
    title: str
    summary: str
    query: Query
    above: float
    without_data: Literal["OK", "Alerting"]


def alerts(domain: ForecastDomain) -> tuple[Alert, ...]:
    """What an operator is told of a forecasting system."""
    limits = (
        Alert(
            "inaccurate",
            f"{domain.title}: the forecast is inaccurate",
            f"In the back-test the error of what forecasts is more than {maximum:g} times that of repeating the period before.",
            newest_mase(),
            maximum,
            "OK",
        )
        for maximum in [domain.gates.maximum.get("mase")]
        if maximum is not None
    )
    return (
        Alert(
            "frozen",
            f"{domain.title}: the feed is frozen",
            f"No series has moved in the last {domain.frozen_hours} hours with a reading. There are no new forecasts until one does.",
            readings_unchanged(domain),
            domain.frozen_hours - 1,
            "OK",  # which `silent` tells
        ),
        Alert(
            "silent",
            f"{domain.title}: no reading",
            f"No reading for {SILENT_HOURS} hours or more: is the schedule of {domain.name} on, and how do its runs end?",
            hours_silent(domain, RANGE_SECONDS),
            SILENT_HOURS,
            "Alerting",
        ),
        *limits,
    )


def alert_file(domains: Iterable[ForecastDomain], store: Store, dataset: str) -> dict[str, Any]:
    """Grafana's provisioning file: one group a system."""
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": domain.name,
                "folder": "mlops_assets",
                "interval": "5m",
                "rules": [_rule(alert, domain, store, dataset) for alert in alerts(domain)],
            }
            for domain in domains
        ],
    }


def _rule(alert: Alert, domain: ForecastDomain, store: Store, dataset: str) -> dict[str, Any]:
    window = {"from": RANGE_SECONDS, "to": 0}
    condition = {
        "refId": "B",
        "type": "threshold",
        "expression": "A",
        "conditions": [{"type": "query", "evaluator": {"type": "gt", "params": [alert.above]}}],
    }
    return {
        "uid": f"{domain.name.replace('_', '-')}-{alert.name}",
        "title": alert.title,
        "condition": "B",
        "data": [
            {"refId": "A", "relativeTimeRange": window, "datasourceUid": store.uid, "model": store.alert_model(alert.query, dataset)},
            {"refId": "B", "relativeTimeRange": window, "datasourceUid": "__expr__", "model": condition},
        ],
        "noDataState": alert.without_data,
        "execErrState": "Error",
        "for": "0s",
        "annotations": {"summary": alert.summary},
        "labels": {"system": domain.name, "severity": "warning"},
        "isPaused": False,
    }
