"""The dashboard of a system that forecasts: the forecast and its accuracy, the candidates, and whether the feed lives."""

# ruff: noqa: S608  # names come from declared domains

from dataclasses import dataclass

from deploy.grafana.panels import BARS, NO_LINE, Dashboard, Heading, Panel, Threshold
from deploy.grafana.stores import Query
from deploy.grafana.versions import champion_panels, history_panels, rows_panels, traffic_panels
from mlops_assets.domain import ForecastDomain


@dataclass(frozen=True, slots=True)
class Source:
    """The names that a forecasting system's SQL is made of."""

    domain: ForecastDomain

    @property
    def observations(self) -> str:
        """The table of the observed series."""
        return self.domain.observations

    @property
    def hour(self) -> str:
        """Its quoted time column."""
        return f'"{self.domain.time_column}"'

    @property
    def key(self) -> str:
        """Its quoted column of the series, null in the total."""
        return f'"{self.domain.id_column}"'

    @property
    def target(self) -> str:
        """Its quoted column of values."""
        return f'"{self.domain.target}"'

    @property
    def label(self) -> str:
        """What people call a series: its name where the table has one, otherwise its id."""
        names = [column.name for column in self.domain.table(self.domain.observations).columns]
        return f"CASE WHEN {self.key} IS NULL THEN '{self.domain.total}' ELSE {'name' if 'name' in names else self.key} END"

    @property
    def chosen(self) -> str:
        """The condition by which a row is of the series that the dashboard's variable names."""
        named = f"SELECT COALESCE({self.key}, '') FROM {self.observations} WHERE {self.label} = '$series' AND $__timeFilter({self.hour})"
        return f"COALESCE({self.key}, '') IN ({named})"

    @property
    def steps(self) -> str:
        """Every observed hour of every series with the value before it."""
        before = f"LAG({self.target}) OVER (PARTITION BY {self.key} ORDER BY {self.hour})"
        return f"""SELECT {self.hour} AS hour, {self.key} AS id, {self.label} AS label, {self.target} AS observed, {before} AS before
            FROM {self.observations} WHERE $__timeFilter({self.hour})"""


def forecast_dashboard(domain: ForecastDomain) -> Dashboard:
    """Forecasts, accuracy, candidates, feed, partitions, traffic. The range ends after the last hour that is forecast."""
    source = Source(domain)
    names = f"SELECT DISTINCT {source.label} AS name FROM {source.observations} WHERE $__timeFilter({source.hour}) ORDER BY name"
    return Dashboard(
        name=domain.name,
        title=domain.title,
        description=domain.description,
        content=(
            *champion_panels(domain),
            *_feed_numbers(source),
            Heading("Forecast"),
            _last_forecast(source),
            _actual_against_forecast(source),
            Heading("Accuracy"),
            *_accuracy(source),
            *_candidates(source),
            Heading("Feed"),
            *_feed(source),
            *history_panels(domain),
            *rows_panels(domain),
            *traffic_panels(domain),
        ),
        span=("now-7d", f"now+{domain.horizon}h"),
        series=(Query(names, "table"), domain.total),
    )


def _feed_numbers(source: Source) -> tuple[Panel, ...]:
    total = f"FROM {source.observations} WHERE {source.key} IS NULL AND $__timeFilter({source.hour})"
    return (
        Panel(
            title="Last reading",
            description="The newest hour that has a reading.",
            kind="stat",
            queries=(Query(f"SELECT MAX(epoch({source.hour})) * 1000 AS newest {total}", "table"),),
            unit="dateTimeFromNow",
            width=4,
            height=4,
        ),
        Panel(
            title="Hours without a reading",
            description="Between the first and the last reading of the range.",
            kind="stat",
            queries=(
                Query(
                    f"""SELECT (MAX(epoch({source.hour})) - MIN(epoch({source.hour}))) / 3600 + 1 - COUNT(DISTINCT {source.hour}) AS missing
                        {total}""",
                    "table",
                ),
            ),
            thresholds=(Threshold(1, "orange"),),
            width=4,
            height=4,
        ),
    )


def _last_forecast(source: Source) -> Panel:
    lower, upper = "lower end", "upper end"
    newest = 'SELECT MAX(created_at) FROM predictions WHERE $__timeFilter("created_at")'
    return Panel(
        title="Last forecast",
        description=f"What was observed, and the newest forecast; its interval is to hold {source.domain.coverage:.0%} of the values.",
        kind="timeseries",
        queries=(
            _actual(source),
            Query(
                f"""SELECT "timestamp" AS time, yhat AS forecast, yhat_lower AS "{lower}", yhat_upper AS "{upper}" FROM predictions
                    WHERE created_at = ({newest}) AND $__timeFilter("created_at") AND {source.chosen} ORDER BY time"""
            ),
        ),
        styles={lower: NO_LINE, upper: {**NO_LINE, "fillBelowTo": lower, "fillOpacity": 20}},
        width=24,
        height=9,
    )


def _actual_against_forecast(source: Source) -> Panel:
    far = source.domain.horizon
    said = ", ".join(f'MAX(CASE WHEN horizon = {horizon} THEN yhat END) AS "said {horizon} h before"' for horizon in (1, far))
    return Panel(
        title="Actual against forecast",
        description=f"What was observed, and what had been forecast for that hour, 1 and {far} hours before.",
        kind="timeseries",
        queries=(
            _actual(source),
            Query(
                f"""SELECT "timestamp" AS time, {said} FROM predictions
                    WHERE horizon IN (1, {far}) AND $__timeFilter("timestamp") AND $__timeFilter("created_at") AND {source.chosen}
                    GROUP BY "timestamp" ORDER BY time"""
            ),
        ),
        width=24,
        height=9,
    )


def _actual(source: Source) -> Query:
    return Query(
        f"""SELECT {source.hour} AS time, CAST({source.target} AS DOUBLE) AS actual FROM {source.observations}
            WHERE $__timeFilter({source.hour}) AND {source.chosen} ORDER BY time"""
    )


def _accuracy(source: Source) -> tuple[Panel, ...]:
    scored = f'FROM forecast_accuracy WHERE $__timeFilter("timestamp") AND {source.chosen}'
    within = "AVG(CASE WHEN is_within THEN 1.0 WHEN NOT is_within THEN 0.0 END)"
    return (
        Panel(
            title="Error by horizon",
            description="Mean distance between forecast and observation, by how many hours before it was said.",
            kind="barchart",
            queries=(
                Query(
                    f"SELECT CAST(horizon AS TEXT) AS hours, AVG(absolute_error) AS error {scored} GROUP BY horizon ORDER BY horizon",
                    "table",
                ),
            ),
            decimals=1,
            names={"hours": "hours before", "error": "mean absolute error"},
            width=8,
        ),
        Panel(
            title="Inside the interval by horizon",
            description=f"Share of observations that the published interval held; it is to hold {source.domain.coverage:.0%}.",
            kind="barchart",
            queries=(
                Query(f"SELECT CAST(horizon AS TEXT) AS hours, {within} AS held {scored} GROUP BY horizon ORDER BY horizon", "table"),
            ),
            unit="percentunit",
            names={"hours": "hours before", "held": "inside the interval"},
            width=8,
        ),
        Panel(
            title="Error by day",
            description="Mean distance between forecast and observation over all horizons, by the day that was forecast.",
            kind="timeseries",
            queries=(
                Query(
                    f"""SELECT date_trunc('day', "timestamp") AS time, AVG(absolute_error) AS error
                        {scored} GROUP BY date_trunc('day', "timestamp") ORDER BY time"""
                ),
            ),
            decimals=1,
            names={"error": "mean absolute error"},
            custom={"showPoints": "always"},
            width=8,
        ),
    )


def _candidates(source: Source) -> tuple[Panel, ...]:
    maximum = source.domain.gates.maximum.get("mase")
    candidates = 'method, {0} FROM candidate_metrics WHERE $__timeFilter("run_at") ORDER BY time'
    forecasting = 'SELECT run_at AS time, {0} AS "what forecast" FROM model_metrics WHERE $__timeFilter("run_at") ORDER BY time'
    return (
        Panel(
            title="MAE over time",
            description=f"Mean absolute error in the back-test of {source.domain.total}: what forecast each hour.",
            kind="timeseries",
            queries=(Query(forecasting.format("mae")),),
            decimals=1,
            width=8,
        ),
        Panel(
            title="MAE of the candidates",
            description="The same of every candidate, on the same cutoffs, whenever they were compared.",
            kind="timeseries",
            queries=(Query(f"SELECT run_at AS time, {candidates.format('mae')}"),),
            decimals=1,
            label="method",
            custom={"showPoints": "always", "spanNulls": True},
            width=8,
        ),
        Panel(
            title="MASE over time",
            description="The error divided by that of repeating the period before. No version above the line is promoted.",
            kind="timeseries",
            queries=(Query(forecasting.format("mase")),),
            decimals=2,
            thresholds=() if maximum is None else (Threshold(maximum),),
            width=8,
        ),
        Panel(
            title="What forecast",
            description="The newest 50 run hours: the method, on how many observed hours, and why it is not another one.",
            kind="table",
            queries=(
                Query(
                    """SELECT run_at, method, model_desc, train_points, cutoffs, mae, mase, model_version FROM model_metrics
                        WHERE $__timeFilter("run_at") ORDER BY run_at DESC LIMIT 50""",
                    "table",
                ),
            ),
            names={"run_at": "run hour", "model_desc": "method and why", "train_points": "observed hours", "model_version": "version"},
            width=24,
        ),
    )


def _feed(source: Source) -> tuple[Panel, ...]:
    domain = source.domain
    columns = [column.name for column in domain.table(domain.observations).columns]
    counts = [name for name in ("readings", "clipped") if name in columns]
    sums = "".join(f", CAST({name} AS DOUBLE) AS {name}" for name in counts)
    return (
        *(
            Panel(
                title="Readings per hour",
                description="Readings in each hour, and how many series reported a negative number in the last one.",
                kind="timeseries",
                queries=(
                    Query(
                        f"""SELECT {source.hour} AS time{sums} FROM {source.observations}
                            WHERE {source.key} IS NULL AND $__timeFilter({source.hour}) ORDER BY time"""
                    ),
                ),
                names={"clipped": "negative numbers"},
                custom=BARS,
            )
            for _ in counts[:1]
        ),
        Panel(
            title="Gaps",
            description="Where hours without a reading lie. They are no data: nothing is fitted or scored on them.",
            kind="table",
            queries=(
                Query(
                    f"""SELECT before AS "last reading", hour AS "next reading", (epoch(hour) - epoch(before)) / 3600 - 1 AS missing FROM (
                            SELECT {source.hour} AS hour, LAG({source.hour}) OVER (ORDER BY {source.hour}) AS before
                            FROM {source.observations} WHERE {source.key} IS NULL AND $__timeFilter({source.hour})
                        ) AS hours WHERE epoch(hour) - epoch(before) > 3600 ORDER BY hour DESC""",
                    "table",
                ),
            ),
            names={"missing": "hours missing"},
        ),
        Panel(
            title="Stuck series",
            description=f"Hours since each series last changed: {domain.stuck_hours} and more while others move is stuck. "
            f"If nothing moves in {domain.frozen_hours} hours with a reading, the feed is frozen, and that is no data.",
            kind="table",
            queries=(
                Query(
                    f"""SELECT MAX(label) AS series, MAX(hour) AS newest, {_last_change("hour")} AS changed,
                        (MAX(epoch(hour)) - {_last_change("epoch(hour)")}) / 3600 AS unchanged
                        FROM ({source.steps}) AS steps GROUP BY id ORDER BY unchanged DESC""",
                    "table",
                ),
            ),
            names={"newest": "last reading", "changed": "last change", "unchanged": "hours unchanged"},
            styles={"unchanged": {"cellOptions": {"type": "color-text"}}},
            thresholds=(Threshold(domain.stuck_hours, "orange"),),
            width=24,
        ),
    )


def _last_change(what: str) -> str:
    """Of rows of `steps`; the first one stands for a change that lies before the range."""
    return f"COALESCE(MAX(CASE WHEN observed <> before THEN {what} END), MIN({what}))"


def readings_unchanged(domain: ForecastDomain) -> Query:
    """How many of the newest hours with a reading are all alike, in every series; 0 without any reading."""
    source = Source(domain)
    return Query(
        f"""WITH steps AS ({source.steps})
            SELECT COUNT(DISTINCT hour) AS hours FROM steps
            WHERE id IS NOT NULL AND hour >= (SELECT {_last_change("hour")} FROM steps WHERE id IS NOT NULL)""",
        "table",
    )


def hours_silent(domain: ForecastDomain, range_seconds: int) -> Query:
    """Hours since the newest hour with a reading has ended; at least the range, `range_seconds` long, where it holds no reading."""
    source = Source(domain)
    newest = f"COALESCE(MAX(epoch({source.hour})), epoch(CURRENT_TIMESTAMP) - {range_seconds})"
    return Query(
        f"SELECT (epoch(CURRENT_TIMESTAMP) - {newest}) / 3600 - 1 AS hours FROM {source.observations} WHERE $__timeFilter({source.hour})",
        "table",
    )


def newest_mase() -> Query:
    """The scaled error of what forecast last; no row before the first forecast."""
    return Query('SELECT mase FROM model_metrics WHERE $__timeFilter("run_at") ORDER BY run_at DESC LIMIT 1', "table")
