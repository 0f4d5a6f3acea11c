"""The dashboard of a system that classifies."""

# ruff: noqa: S608  # names come from declared domains

from deploy.grafana.panels import POINTS, Dashboard, Heading, Panel
from deploy.grafana.stores import Query
from deploy.grafana.versions import champion_panels, history_panels, rows_panels, traffic_panels
from mlops_assets.domain import TabularDomain


def tabular_dashboard(domain: TabularDomain) -> Dashboard:
    """Champion, versions and their metrics, partitions, traffic."""
    return Dashboard(
        name=domain.name,
        title=domain.title,
        description=domain.description,
        content=(
            *champion_panels(domain),
            _partitions(domain),
            *history_panels(domain),
            Heading("Metrics"),
            _metrics(domain),
            *rows_panels(domain),
            *traffic_panels(domain),
        ),
        span=("now-90d", "now"),
    )


def _partitions(domain: TabularDomain) -> Panel:
    return Panel(
        title="Newest partition",
        description="The newest partition that is enriched, and how many there are.",
        kind="table",
        queries=(
            Query(
                f"""SELECT MAX("partition") AS newest, COUNT(*) AS stored
                    FROM partition_rows WHERE system = '{domain.name}' AND stage = 'enriched'""",
                "table",
            ),
        ),
        width=8,
        height=4,
    )


def _metrics(domain: TabularDomain) -> Panel:
    return Panel(
        title="Every metric of every version",
        description="On the test rows of the version's own training, at the time it was registered.",
        kind="timeseries",
        queries=(
            Query(
                f"""SELECT registered_at AS time, metric AS measure, "value" FROM model_versions
                    WHERE system = '{domain.name}' AND metric IS NOT NULL AND $__timeFilter("registered_at") ORDER BY time"""
            ),
        ),
        label="measure",
        custom={**POINTS, "drawStyle": "line", "showPoints": "always"},
        width=24,
    )
