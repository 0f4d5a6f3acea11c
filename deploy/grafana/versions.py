"""Panels that every system has: its champion, the history of its versions, the rows of its partitions, the traffic of its model."""

# ruff: noqa: S608  # names come from declared domains

from deploy.grafana.panels import BARS, POINTS, Heading, Metric, Panel
from deploy.grafana.stores import Query
from mlops_assets.domain import Domain, Hourly, TabularDomain


def champion_panels(domain: Domain) -> tuple[Panel, ...]:
    """The registry's champion and what the API serves."""
    champion = f"FROM model_versions WHERE system = '{domain.name}' AND is_champion"
    return (
        Panel(
            title="Champion",
            description="The version that the registry's alias `champion` names.",
            kind="stat",
            queries=(Query(f"SELECT MAX(version) AS version {champion}", "table"),),
            width=4,
            height=4,
        ),
        Panel(
            title="Served version",
            description="What the API answers with. It follows the champion within seconds.",
            kind="stat",
            queries=(Metric(f'max by (version) (mlops_model_info{{model="{domain.name}"}})', "{{version}}", instant=True),),
            shows_names=True,
            width=4,
            height=4,
        ),
        Panel(
            title="Champion since",
            description="When the champion was registered: the end of its training.",
            kind="stat",
            queries=(Query(f"SELECT MAX(epoch(registered_at)) * 1000 AS registered {champion}", "table"),),
            unit="dateTimeFromNow",
            width=4,
            height=4,
        ),
        Panel(
            title=f"Champion's {domain.gates.metric}",
            description="The metric that decides about promotion, on the rows that judged the version.",
            kind="stat",
            queries=(Query(f'SELECT MAX("value") AS "{domain.gates.metric}" {champion} AND is_gate', "table"),),
            decimals=4,
            width=4,
            height=4,
        ),
    )


def history_panels(domain: Domain) -> tuple[Panel | Heading, ...]:
    """Every version by the metric that decides, and all of them in a table."""
    versions = f"FROM model_versions WHERE system = '{domain.name}'"
    return (
        Heading("Champions and challengers"),
        Panel(
            title=f"Champion history: {domain.gates.metric}",
            description="Every registered version by the metric that decides about promotion, at the time it was registered.",
            kind="timeseries",
            queries=(
                Query(
                    f"""SELECT registered_at AS time, CASE WHEN was_champion THEN "value" END AS champion,
                        CASE WHEN NOT was_champion THEN "value" END AS challenger
                        {versions} AND is_gate AND $__timeFilter("registered_at") ORDER BY registered_at"""
                ),
            ),
            names={"champion": "became champion", "challenger": "stayed challenger"},
            custom=POINTS,
            decimals=4,
        ),
        Panel(
            title="Versions",
            description="The newest 50 versions. `candidate` is what the search chose, `partition` what it was trained for.",
            kind="table",
            queries=(
                Query(
                    f"""SELECT version, registered_at, aliases, was_champion, candidate, "partition",
                        MAX(CASE WHEN is_gate THEN "value" END) AS gate
                        {versions} GROUP BY version, registered_at, aliases, was_champion, candidate, "partition"
                        ORDER BY version DESC LIMIT 50""",
                    "table",
                ),
            ),
            names={"gate": domain.gates.metric, "was_champion": "was champion", "registered_at": "registered"},
        ),
    )


def rows_panels(domain: Domain) -> tuple[Panel | Heading, ...]:
    """Rows of the stored partitions, what was set aside apart from the rest; and why it was."""
    everything = (
        _rows_panel(domain, "Rows per partition", "Rows of the raw and enriched stages.", "stage NOT LIKE 'rejected%'"),
        _rows_panel(domain, "Rejected rows per partition", "Rows that cannot be used: set aside, never dropped.", "stage LIKE 'rejected%'"),
    )
    reasons = tuple(
        Panel(
            title="Why rows are rejected",
            description="All that was ever set aside, by reason.",
            kind="table",
            queries=(Query(f"SELECT reason, COUNT(*) AS found FROM {table.name} GROUP BY reason ORDER BY found DESC", "table"),),
            names={"found": "rows"},
            width=24,
            height=6,
        )
        for table in domain.tables
        if any(column.name == "reason" for column in table.columns)
    )
    return (Heading("Data"), *everything, *reasons)


def _rows_panel(domain: Domain, title: str, description: str, stages: str) -> Panel:
    rows = f"FROM partition_rows WHERE system = '{domain.name}' AND {stages}"
    if isinstance(domain.cadence, Hourly):
        sql = f'SELECT starts_at AS time, stage, CAST(row_count AS DOUBLE) AS found {rows} AND $__timeFilter("starts_at") ORDER BY time'
        return Panel(title=title, description=description, kind="timeseries", queries=(Query(sql),), label="stage", custom=BARS)
    return Panel(
        title=title,
        description=description,
        kind="barchart",
        queries=(Query(f'SELECT "partition", stage, row_count {rows} ORDER BY "partition", stage', "table"),),
        matrix=("stage", "partition", "row_count"),
    )


def traffic_panels(domain: Domain) -> tuple[Panel | Heading, ...]:
    """What the API's counters say of the system."""
    return (
        Heading("API"),
        _predictions(domain) if isinstance(domain, TabularDomain) else _forecasts(domain),
        Panel(
            title="Served version over time",
            description="API processes that serve each version; a step is a promotion that arrived.",
            kind="timeseries",
            queries=(Metric(f'count by (version) (mlops_model_info{{model="{domain.name}"}})', "version {{version}}"),),
            stacked=True,
            custom={"lineInterpolation": "stepAfter", "fillOpacity": 40},
        ),
    )


def _predictions(domain: TabularDomain) -> Panel:
    names = domain.classes or {0: "no", 1: "yes"}
    return Panel(
        title="Predictions",
        description="Records predicted a second, by the label that was given.",
        kind="timeseries",
        queries=(Metric(f'sum by (label) (rate(mlops_predictions_total{{model="{domain.name}"}}[$__rate_interval]))', "{{label}}"),),
        unit="cps",
        names={str(code): name for code, name in names.items()},
        stacked=True,
    )


def _forecasts(domain: Domain) -> Panel:
    return Panel(
        title="Forecasts",
        description="Forecasts answered a second, by the method that gave them.",
        kind="timeseries",
        queries=(Metric(f'sum by (method) (rate(mlops_forecasts_total{{model="{domain.name}"}}[$__rate_interval]))', "{{method}}"),),
        unit="cps",
        stacked=True,
    )
