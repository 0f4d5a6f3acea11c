"""The dashboard of the API and of all systems side by side."""

from deploy.grafana.panels import Dashboard, Heading, Metric, Panel, Threshold
from deploy.grafana.stores import Query

RATE = "[$__rate_interval]"
SLOW_SECONDS = 1.0


def overview_dashboard() -> Dashboard:
    """The API by Prometheus, the systems by the warehouse."""
    return Dashboard(
        name="api_and_platform",
        title="API and platform",
        description="Requests, errors and latency of the prediction API; champions and stored partitions of every system.",
        content=(*_health(), Heading("API"), *_traffic(), Heading("Systems"), *_systems()),
        span=("now-24h", "now"),
    )


def _health() -> tuple[Panel, ...]:
    return (
        Panel(
            title="API processes up",
            description="Targets that answered Prometheus' last scrape.",
            kind="stat",
            queries=(Metric('sum(up{job="mlops_api"})', instant=True),),
            width=6,
            height=4,
        ),
        Panel(
            title="Models served",
            description="Systems for which an API process has a champion.",
            kind="stat",
            queries=(Metric("count(count by (model) (mlops_model_info))", instant=True),),
            width=6,
            height=4,
        ),
        Panel(
            title="Champions not up to date",
            description="Systems whose champion in the registry is not, or not yet, the one that is served.",
            kind="stat",
            queries=(Metric("count(min by (model) (mlops_model_current) == 0) or vector(0)", instant=True),),
            thresholds=(Threshold(1),),
            width=6,
            height=4,
        ),
        Panel(
            title="Since the registry answered",
            description="The API serves what it has loaded while the registry is away.",
            kind="stat",
            queries=(Metric("max(mlops_registry_answer_age_seconds)", instant=True),),
            unit="s",
            thresholds=(Threshold(300),),
            width=6,
            height=4,
        ),
    )


def _traffic() -> tuple[Panel, ...]:
    seconds = f"sum by (le) (rate(mlops_request_seconds_bucket{RATE}))"
    return (
        Panel(
            title="Requests",
            description="Requests a second, by route.",
            kind="timeseries",
            queries=(Metric(f"sum by (route) (rate(mlops_requests_total{RATE}))", "{{route}}"),),
            unit="reqps",
            stacked=True,
        ),
        Panel(
            title="Errors",
            description="Share of requests by the kind of refusal: 4xx is the client's, 5xx is ours.",
            kind="timeseries",
            queries=tuple(
                Metric(f'sum(rate(mlops_requests_total{{status=~"{kind}.."}}{RATE})) / sum(rate(mlops_requests_total{RATE}))', f"{kind}xx")
                for kind in (4, 5)
            ),
            unit="percentunit",
            thresholds=(Threshold(0.05),),
        ),
        Panel(
            title="Latency",
            description="Time to the answer over all routes.",
            kind="timeseries",
            queries=tuple(Metric(f"histogram_quantile({share}, {seconds})", f"p{share * 100:.0f}") for share in (0.5, 0.95, 0.99)),
            unit="s",
            thresholds=(Threshold(SLOW_SECONDS),),
        ),
        Panel(
            title="Latency by route",
            description="Time in which 95 % of a route's requests were answered.",
            kind="timeseries",
            queries=(Metric(f"histogram_quantile(0.95, sum by (route, le) (rate(mlops_request_seconds_bucket{RATE})))", "{{route}}"),),
            unit="s",
        ),
        Panel(
            title="Answers by model",
            description="Records predicted and forecasts answered a second.",
            kind="timeseries",
            queries=tuple(
                Metric(f"sum by (model) (rate(mlops_{counter}_total{RATE}))", "{{model}} " + counter)
                for counter in ("predictions", "forecasts")
            ),
            unit="cps",
            stacked=True,
        ),
        Panel(
            title="Served versions",
            description="Of each model, by API process.",
            kind="timeseries",
            queries=(Metric("count by (model, version) (mlops_model_info)", "{{model}} {{version}}"),),
            custom={"lineInterpolation": "stepAfter"},
        ),
    )


def _systems() -> tuple[Panel, ...]:
    return (
        Panel(
            title="Champions",
            description="Of every system, with the metric that decides about promotion.",
            kind="table",
            queries=(
                Query(
                    """SELECT system, version, candidate, "partition", registered_at, MAX(CASE WHEN is_gate THEN metric END) AS metric,
                        MAX(CASE WHEN is_gate THEN "value" END) AS "value"
                        FROM model_versions WHERE is_champion GROUP BY system, version, candidate, "partition", registered_at
                        ORDER BY system""",
                    "table",
                ),
            ),
            names={"registered_at": "registered"},
        ),
        Panel(
            title="Stored partitions",
            description="The newest partitions of every stage, at most 400 of each.",
            kind="table",
            queries=(
                Query(
                    """SELECT system, stage, MAX("partition") AS newest, COUNT(*) AS stored, SUM(row_count) AS found
                        FROM partition_rows GROUP BY system, stage ORDER BY system, stage""",
                    "table",
                ),
            ),
            names={"newest": "newest partition", "stored": "partitions", "found": "rows"},
        ),
        Panel(
            title="Registered versions",
            description="Versions of every system by the day they were registered.",
            kind="barchart",
            queries=(
                Query(
                    """SELECT CAST(CAST(date_trunc('day', registered_at) AS DATE) AS TEXT) AS day, system,
                        COUNT(DISTINCT version) AS versions
                        FROM model_versions GROUP BY date_trunc('day', registered_at), system ORDER BY day""",
                    "table",
                ),
            ),
            matrix=("system", "day", "versions"),
            stacked=True,
            width=24,
        ),
    )
