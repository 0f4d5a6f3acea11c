"""Every generated file and its content: a dashboard for each system and one for all, and the alert rules, for each warehouse."""

import json
from pathlib import Path
from typing import Any

from deploy.grafana.alerts import alert_file
from deploy.grafana.forecasting import forecast_dashboard
from deploy.grafana.overview import overview_dashboard
from deploy.grafana.panels import DATASET_NAME, Dashboard
from deploy.grafana.stores import STORES
from deploy.grafana.tabular import tabular_dashboard
from mlops_assets.domain import Domain, ForecastDomain, TabularDomain
from mlops_assets.domains import DOMAINS

FOLDER = Path(__file__).parent
SYSTEMS: tuple[Domain, ...] = tuple(DOMAINS.values())


def dashboards() -> tuple[Dashboard, ...]:
    """One for each system, and that of the API and the platform."""
    return (*(_dashboard(domain) for domain in SYSTEMS), overview_dashboard())


def generated(dataset: str = DATASET_NAME) -> dict[str, str]:
    """Path below this folder -> content. `dataset` is BigQuery's dataset of the tables."""
    forecasting = [domain for domain in SYSTEMS if isinstance(domain, ForecastDomain)]
    files: dict[str, Any] = {}
    for store in STORES:
        for dashboard in dashboards():
            files[f"dashboards/{store.name}/{dashboard.name}.json"] = dashboard.to_json(store, dataset)
        files[f"provisioning/{store.name}/alerting/warehouse.json"] = alert_file(forecasting, store, dataset)
    return {path: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for path, content in files.items()}


def write(dataset: str = DATASET_NAME, folder: Path = FOLDER) -> list[Path]:
    """Writes the files below `folder`, and removes generated ones that are none any more."""
    files = {folder / path: content for path, content in generated(dataset).items()}
    for old in {*folder.glob("dashboards/*/*.json"), *folder.glob("provisioning/*/alerting/*.json")} - set(files):
        old.unlink()
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return sorted(files)


def _dashboard(domain: Domain) -> Dashboard:
    if isinstance(domain, ForecastDomain):
        return forecast_dashboard(domain)
    if isinstance(domain, TabularDomain):
        return tabular_dashboard(domain)
    raise TypeError(f"there is no dashboard for a {type(domain).__name__}")
