"""How well each method would have forecast Donostia's real car parks of 2022. Not a comparison of times, so not one of the suite.

    python -m benchmarks.donostia_forecasts --data DIR [--days 120] [--statsmodels 20]

DIR holds `donostia_parkings*.csv.gz` (properties.nombre, properties.libres, timestamp UTC). Two protocols, all methods on the same hours:

as published: an origin at every hour that was live from 11 February on (everything before is what the parameters were chosen on); the
forecast begins two hours after the last known one, as it is published; frozen hours are no data and are not scored.
every midnight: 99 origins, 28 days of history, horizon 1 to 24 right after the last hour, frozen hours counted as data and scored.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mlops_assets.ml.forecast.backtest import apply
from mlops_assets.ml.forecast.methods import METHODS
from mlops_assets.ml.forecast.panel import HOUR, Panel, complete, panel_of

COLUMNS = ("hour", "parking_id", "free")
SCORED_FROM = pd.Timestamp("2022-02-11", tz="UTC")
HORIZON, FROZEN_HOURS, STUCK_HOURS = 24, 6, 24
MIDNIGHTS = 99
NEVER = 10**9
PARAMS: Mapping[str, Mapping[str, str]] = {"weekly_profile": {"time_zone": "Europe/Madrid"}}

Forecaster = Callable[[Panel, int], np.ndarray]


def main() -> None:
    """Prints a table for each protocol."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--days", type=int, nargs="+", default=[28, 120], help="window of history, as published")
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--statsmodels", type=int, default=0, help="so many origins, evenly spread, with statsmodels' SARIMAX too")
    arguments = parser.parse_args()
    history = hourly(next(arguments.data.glob("donostia_parkings*.csv.gz")))
    last = history["hour"].max()
    judged = panel_of(history, last=last, frozen_hours=FROZEN_HOURS, columns=COLUMNS)
    plain = panel_of(history, last=last, frozen_hours=NEVER, columns=COLUMNS)
    ours = {name: forecaster(name) for name in arguments.methods}
    for days in arguments.days:
        origins = live_origins(judged)
        print(f"as published, {days} days of history, {len(origins)} origins")
        report(judged, origins, ours, days=days, lead=1)
        if arguments.statsmodels:
            sample = origins[:: max(1, len(origins) // arguments.statsmodels)]
            print(f"as published, {days} days of history, {len(sample)} of the origins")
            report(judged, sample, ours | {"statsmodels SARIMAX": statsmodels_sarimax}, days=days, lead=1)
    origins = midnights(plain)
    print(f"every midnight, 28 days of history, {len(origins)} origins, frozen hours are data")
    report(plain, origins, ours, days=28, lead=0)


def hourly(file: Path) -> pd.DataFrame:
    """The last reading of each car park in the hour, negatives as 0, and their sum with a null id."""
    readings = pd.read_csv(file, parse_dates=["timestamp"]).sort_values("timestamp", kind="stable")
    readings = readings.rename(columns={"properties.nombre": "parking_id", "properties.libres": "free"})
    readings = readings.assign(hour=readings["timestamp"].dt.tz_localize("UTC").dt.floor("h"), free=readings["free"].clip(lower=0))
    rows = readings.groupby(["hour", "parking_id"], as_index=False)["free"].last()
    total = rows.groupby("hour", as_index=False)["free"].sum().assign(parking_id=None)
    history: pd.DataFrame = pd.concat([rows, total[list(rows.columns)]], ignore_index=True)
    return history


def live_origins(panel: Panel) -> list[int]:
    """Number of known hours at each live origin of the scored period that any live hour of its horizon follows."""
    live = ~np.isnan(panel.values[:, panel.total])
    rows = np.flatnonzero(live & (panel.hours >= SCORED_FROM)) + 1
    return [int(known) for known in rows if live[known + 1 : known + 1 + HORIZON].any()]


def midnights(panel: Panel) -> list[int]:
    """Number of known hours at the last midnights that a whole horizon follows."""
    rows = np.flatnonzero((panel.hours.hour == 0) & (panel.hours <= panel.hours[-1] - HORIZON * HOUR))
    return [int(row) for row in rows[-MIDNIGHTS:]]


def forecaster(name: str) -> Forecaster:
    """A method as the model uses it."""

    def forecast(panel: Panel, steps: int) -> np.ndarray:
        seen = panel if METHODS[name].joint else panel.only(np.array([panel.total]))
        return apply(seen, name, PARAMS.get(name, {}), steps, stuck_hours=STUCK_HOURS).values[:, seen.total]

    return forecast


def statsmodels_sarimax(panel: Panel, steps: int) -> np.ndarray:
    """By maximum likelihood, on at most 28 days; repeats the day before where there are fewer than 5 days."""
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    if panel.observed[panel.total] < METHODS["sarimax"].needs:
        return forecaster("seasonal_naive_day")(panel, steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        series = complete(panel.values[:, panel.total])[-28 * 24 :]
        return np.asarray(SARIMAX(series, order=(1, 1, 1), seasonal_order=(1, 1, 1, 24)).fit(disp=False).forecast(steps))


def report(panel: Panel, origins: Sequence[int], methods: Mapping[str, Forecaster], *, days: int, lead: int) -> None:
    """A line for each method: MAE of the city over all scored hours, and over those of each month."""
    for name, method in methods.items():
        start = time.process_time()
        errors = pd.DataFrame(list(_errors(panel, origins, method, days, lead)), columns=["hour", "error"])
        months = errors.groupby(errors["hour"].dt.strftime("%m"))["error"].mean()
        by_month = "  ".join(f"{month}: {mae:.0f}" for month, mae in months.items())
        seconds = time.process_time() - start
        print(f"  {name:<22}{errors['error'].mean():7.1f}   {len(errors):6} hours   {by_month}   {seconds:.1f} CPU s", flush=True)


def _errors(panel: Panel, origins: Sequence[int], method: Forecaster, days: int, lead: int) -> Iterator[tuple[pd.Timestamp, float]]:
    for known in origins:
        first = max(0, known - days * 24)
        window = Panel(panel.hours[first:known], panel.ids, panel.raw[first:known], panel.frozen_hours)
        made = np.full(HORIZON, np.nan) if not window.observed[window.total] else method(window, HORIZON + lead)[lead:]
        for row in range(known + lead, min(known + lead + HORIZON, len(panel.hours))):
            if not np.isnan(panel.values[row, panel.total]):
                yield panel.hours[row], abs(panel.values[row, panel.total] - made[row - known - lead])


if __name__ == "__main__":
    main()
