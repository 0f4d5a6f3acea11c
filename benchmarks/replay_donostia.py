"""The whole pipeline on Donostia's real car parks of 2022: what it published, against what then came. Not one of the suite.

    python -m benchmarks.replay_donostia --data DIR [--every 4] [--statsmodels 12] [--home DIR]

DIR holds `donostia_parkings*.csv.gz`, which the sandbox serves as an archive. All hours are ingested; then time is walked from 11 February
on (everything before is what the parameters were chosen on), in steps of so many hours: whatever is due at the end of an hour runs as the
sensor would run it. What the job published for the city is scored on observed hours, frozen ones are none. The other methods forecast the
same hours from the same stored series; statsmodels does so for a sample of the origins.
"""

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from benchmarks.donostia_forecasts import statsmodels_sarimax
from mlops_assets.cli.outcome import is_broken
from mlops_assets.definitions import build_defs
from mlops_assets.domains.donostia_parking.spec import DONOSTIA_PARKING
from mlops_assets.factories.automation import failure_text
from mlops_assets.factories.due import due, hourly
from mlops_assets.factories.forecasting import columns_of
from mlops_assets.hours import HOUR, hour_key, hour_of
from mlops_assets.ml.forecast.backtest import LEAD
from mlops_assets.ml.forecast.model import ForecastModel
from mlops_assets.ml.forecast.panel import OBSERVED, panel_of, series_of
from mlops_assets.sandbox.donostia import DonostiaSandbox
from mlops_assets.storage.parquet import decode
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.warehouse.frames import to_frame
from mlops_assets.storage.warehouse_resource import WarehouseResource

DOMAIN = DONOSTIA_PARKING
ALONE = replace(DOMAIN, frozen_hours=10**9)
"""For the city's series without the car parks: what is frozen has been told from them."""
COLUMNS = columns_of(DOMAIN)
FIRST, SCORED_FROM, LAST = "2022-01-23T17", "2022-02-11T00", "2022-05-31T23"
RANGE = timedelta(days=30)
RANGE_TAGS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
PUBLISHED, STATSMODELS = "published", "statsmodels SARIMAX"
RIVALS = ("seasonal_naive_day", "seasonal_naive_week", "sarimax")
TIMED = 20
"""Jobs at either end of the record whose times are compared."""


@dataclass(slots=True)
class Walk:
    """What became of the hours: `outcomes` counts them, `seconds` holds hour, job, CPU and wall time of every run."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: list[tuple[datetime, str, float, float]] = field(default_factory=list)


class Pipeline:
    """The platform's jobs in this process, by the settings of the environment."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._defs, self._instance = build_defs(), instance
        self.lake, self.warehouse = LakeResource(), WarehouseResource()

    def run(self, stage: str, **options: Any) -> dg.ExecuteInProcessResult:
        """A job of the system. RuntimeError if it breaks; a challenger that does not win is no break."""
        job = self._defs.resolve_job_def(f"{DOMAIN.name}_{stage}")
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        result = job.execute_in_process(instance=self._instance, run_config=quiet, raise_on_error=False, **options)
        if not result.success and is_broken(DOMAIN, result):
            said = (failure_text(event.step_failure_data) for event in result.all_events if event.is_step_failure)
            raise RuntimeError(f"{stage} failed: {'; '.join(said)}")
        return result

    def ingest(self) -> None:
        """All hours, a month a run."""
        for start in pd.date_range(hour_of(FIRST), hour_of(LAST), freq=RANGE):
            end = min(start + RANGE - HOUR, pd.Timestamp(hour_of(LAST)))
            self.run("ingest", tags=dict(zip(RANGE_TAGS, map(hour_key, (start, end)), strict=True)))

    def is_ingested(self) -> bool:
        """Whether the last hour is there."""
        return self.warehouse.stamp(f"{DOMAIN.name}/enriched", LAST) is not None

    def walk(self, every: int) -> Walk:
        """Runs what is due at the end of every so manieth hour. Of a freeze only the first of these hours is asked for."""
        observations = self.table(DOMAIN.observations)
        panel = panel_of(observations, last=hour_of(LAST), frozen_hours=DOMAIN.frozen_hours, columns=COLUMNS)
        walk, refused = Walk(), set[datetime | None]()
        for row in range(int((panel.hours < pd.Timestamp(hour_of(SCORED_FROM))).sum()), len(panel.hours), every):
            since = panel.until(row + 1).frozen_since
            if not panel.is_read[row]:
                walk.outcomes["without a reading"] += 1
            elif since in refused or not self._forecast(panel.hours[row].to_pydatetime(), walk):
                walk.outcomes["refused as frozen"] += 1
                refused |= {since} - {None}
            else:
                walk.outcomes[PUBLISHED] += 1
        return walk

    def table(self, name: str) -> pd.DataFrame:
        """A table's rows."""
        return to_frame(self.warehouse.warehouse.rows(DOMAIN.table(name)))

    def series(self, hour: str) -> pd.DataFrame:
        """The stage that the hour's forecast was made from. RuntimeError if it reaches beyond the hour."""
        rows = decode(self.lake.lake.read(f"{DOMAIN.name}/series/{hour}.parquet"))[0]
        stamp = self.lake.stamp(f"{DOMAIN.name}/series", hour)
        read = stamp.lineage[f"{DOMAIN.name}/enriched"] if stamp else {}
        if max(read, default="") != hour or rows[DOMAIN.time_column].max() != hour_of(hour):
            raise RuntimeError(f"the series of {hour} reaches from {min(read, default='-')} to {max(read, default='-')}")
        return rows

    def _forecast(self, hour: datetime, walk: Walk) -> bool:
        """Whether the hour is fit for a forecast; what is due for it has run then. RuntimeError if another hour is due."""
        found = due(DOMAIN, self.warehouse, self.lake, hour + HOUR)
        if found is None or found.hour != hour_key(hour):
            raise RuntimeError(f"at the end of {hour_key(hour)} this is due: {found}")
        if found.frozen_since is not None:
            return False
        for stage, is_due in {"training": found.training, "forecast": found.forecast}.items():
            if is_due:
                cpu, wall = time.process_time(), time.monotonic()
                self.run(stage, partition_key=found.hour)
                walk.seconds.append((hour, stage, time.process_time() - cpu, time.monotonic() - wall))
        return True


def main() -> None:
    """Prints how the hours went, how long the jobs took, and a table for all origins and one for the sample."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=4, help="hours between origins")
    parser.add_argument("--statsmodels", type=int, default=12, help="so many origins, evenly spread, with statsmodels' SARIMAX too")
    parser.add_argument("--home", type=Path, help="keep the state there, and go on with what is there")
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="replay-") as folder, dg.DagsterInstance.ephemeral() as instance:
        os.environ.update(_settings((arguments.home or Path(folder)).resolve()))
        pipeline = Pipeline(instance)
        if not pipeline.is_ingested():
            with _replayed(arguments.data):
                pipeline.ingest()
        report_walk(pipeline.walk(arguments.every))
        report(pipeline, arguments.statsmodels)


def report_walk(walk: Walk) -> None:
    """What became of the hours, and the median times of the first and the last runs of each job."""
    print("; ".join(f"{count} hours {outcome}" for outcome, count in walk.outcomes.items()))
    runs = pd.DataFrame(walk.seconds, columns=["hour", "job", "cpu", "wall"])
    for job, rows in runs.groupby("job"):
        ends = {"first": rows.head(TIMED), "last": rows.tail(TIMED)}
        times = ", ".join(
            f"{name} {len(some)}: {some['cpu'].median():.1f} CPU s, {some['wall'].median():.1f} s" for name, some in ends.items()
        )
        print(f"{job}: {len(rows)} runs, median of the {times}", flush=True)


def report(pipeline: Pipeline, sampled: int) -> None:
    """The published forecasts and the others, on the same origins and hours."""
    observations = pipeline.table(DOMAIN.observations)
    series = series_of(observations, last=hour_of(LAST), frozen_hours=DOMAIN.frozen_hours, columns=COLUMNS)
    actual = _city(series).rename(columns={DOMAIN.time_column: "timestamp", DOMAIN.target: "actual"})[["timestamp", "actual"]]
    published = pipeline.table("predictions")
    published = published[published[DOMAIN.id_column].isna()].assign(method=PUBLISHED)
    forecasts = pd.concat([published, *_rivals(pipeline, sorted(published["created_at"].unique()))]).merge(actual, on="timestamp")
    used = pipeline.table("model_metrics")
    print("published by: " + ", ".join(f"{method} {count}" for method, count in used["method"].value_counts().items()))
    print(f"{published['created_at'].nunique()} origins published, {forecasts['created_at'].nunique()} of them with an observed hour ahead")
    _print_table(forecasts)

    origins = np.sort(forecasts["created_at"].unique())
    sample = origins[np.unique(np.linspace(0, len(origins) - 1, sampled).round().astype(int))]
    if len(sample):
        theirs = pd.concat([_statsmodels(pipeline, pd.Timestamp(origin)) for origin in sample]).merge(actual, on="timestamp")
        difference = _largest_difference(observations, published[published["created_at"].isin(sample)], used)
        print(
            f"{len(sample)} of the origins; published and made again of the rows up to the origin alone differ by {difference:.1g} at most"
        )
        _print_table(pd.concat([forecasts[forecasts["created_at"].isin(sample)], theirs]))


def _settings(home: Path) -> dict[str, str]:
    return {
        "MLOPS_HOME": str(home),
        "MLOPS_LAKE_URI": str(home / "lake"),
        "MLOPS_WAREHOUSE_URL": f"duckdb:///{home / 'warehouse.duckdb'}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow' / 'mlflow.db'}",
    }


@contextmanager
def _replayed(data: Path) -> Iterator[None]:
    with DonostiaSandbox(replay=data) as sandbox:
        os.environ["DONOSTIA_API_URL"] = sandbox.url
        yield


def _city(series: pd.DataFrame) -> pd.DataFrame:
    """The city's rows that count as data."""
    return series[series[DOMAIN.id_column].isna() & (series["state"] == OBSERVED)]


def _rivals(pipeline: Pipeline, origins: list[pd.Timestamp]) -> Iterator[pd.DataFrame]:
    models = [ForecastModel.of(ALONE, method) for method in DOMAIN.methods if method.name in RIVALS]
    for created_at in origins:
        history = _city(pipeline.series(hour_key(created_at - HOUR)))
        for model in models:
            rows = model.forecast(history, created_at=created_at.to_pydatetime()).rows
            yield rows.assign(created_at=created_at, method=model.method)


def _largest_difference(observations: pd.DataFrame, published: pd.DataFrame, used: pd.DataFrame) -> float:
    """Of published forecasts from those of the same method that is given nothing but the window's rows up to the origin."""
    methods = {method.name: method for method in DOMAIN.methods}
    window = hourly(DOMAIN).window * HOUR
    differences = []
    for created_at in sorted(published["created_at"].unique()):
        rows = published[published["created_at"] == created_at]
        method = methods[used.loc[used["run_at"] == created_at, "method"].iloc[0]]
        known = observations[observations[DOMAIN.time_column].between(created_at - window, created_at - HOUR)]
        made = ForecastModel.of(DOMAIN, method).forecast(known, created_at=created_at.to_pydatetime(), ids=[None]).rows
        both = rows.merge(made, on="timestamp", suffixes=("", "_again"), validate="one_to_one")
        differences.append((both["yhat"] - both["yhat_again"]).abs().max() if len(both) == DOMAIN.horizon else np.inf)
    return float(max(differences))


def _statsmodels(pipeline: Pipeline, created_at: pd.Timestamp) -> pd.DataFrame:
    """Its forecast has no interval here."""
    last = created_at - HOUR
    panel = panel_of(_city(pipeline.series(hour_key(last))), last=last, frozen_hours=ALONE.frozen_hours, columns=COLUMNS)
    made = np.maximum(0, statsmodels_sarimax(panel, DOMAIN.horizon + LEAD)[LEAD:])
    ahead = pd.date_range(created_at + HOUR, periods=DOMAIN.horizon, freq=HOUR, unit="us")
    return pd.DataFrame({"timestamp": ahead, "yhat": made, "created_at": created_at, "method": STATSMODELS})


def _print_table(forecasts: pd.DataFrame) -> None:
    """A line for each method: MAE of all hours and of each month, share of hours in the interval, share of origins with the least MAE."""
    scored = forecasts.assign(
        error=(forecasts["yhat"] - forecasts["actual"]).abs(),
        within=forecasts["actual"].between(forecasts["yhat_lower"], forecasts["yhat_upper"]).where(forecasts["yhat_lower"].notna()),
        month=forecasts["timestamp"].dt.strftime("%m"),
    )
    hours = scored.groupby("method", sort=False).size()
    if hours.nunique() > 1:
        raise RuntimeError(f"the methods are not scored on the same hours: {hours.to_dict()}")
    best = scored.groupby(["created_at", "method"])["error"].mean().unstack().idxmin(axis=1)
    for name, rows in scored.groupby("method", sort=False):
        by_month = "  ".join(f"{month}: {mae:5.1f}" for month, mae in rows.groupby("month")["error"].mean().items())
        within = f"{rows['within'].astype(float).mean():.2f}" if rows["within"].notna().any() else "-"
        line = f"  {name:<22}{rows['error'].mean():7.1f}   {len(rows):6} hours   {by_month}   in the interval {within:>4}"
        print(f"{line}   best at {(best == name).mean():4.0%} of the origins", flush=True)


if __name__ == "__main__":
    main()
