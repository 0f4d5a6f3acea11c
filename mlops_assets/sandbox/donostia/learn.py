"""Learns `city.json`, the tables behind the generated counts, from exports of real ones.

Here belongs only what turns readings into tables; `city` turns the tables into readings. Run it again with
`python -m mlops_assets.sandbox.donostia.learn <donostia_parkings.csv[.gz]>` after a change to what the tables hold.
"""

import json
import sys
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.sandbox.donostia.city import DAY_KINDS, PROFILE, ZONE, day_kind
from mlops_assets.sandbox.donostia.parkings import PARKINGS

FROZEN_READINGS = 5
"""So many readings in a row without any change in the city: the feed stood still."""
NEIGHBOURS = (0.25, 0.5, 0.25)
"""How much the hour before, the hour and the hour after count; a stretch of three weeks has few readings of each."""


def learn_profile(readings: pd.DataFrame) -> dict[str, Any]:
    """The tables of an export with its own titles, from its readings before the feed first stood still.

    `correlation`: of two car parks' departures from their mean week; `memory`: of one's with its own of the day before;
    `parkings`: name -> `top`, the highest count; `mean` [kind of day][local hour] and `spread` [local hour], the departures' standard
    deviation. Zeros tell nothing of a car park that has other counts somewhere, but that its counter stood still.
    """
    wide = readings.pivot_table(index="timestamp", columns="properties.nombre", values="properties.libres", aggfunc="last")
    wide.index = local = pd.DatetimeIndex(wide.index).tz_localize("UTC").tz_convert(ZONE)
    moving = _until_frozen(wide)
    counts = pd.DataFrame({name: _counts(moving[name], wide[name]) for name in wide})
    hours, kinds = local[: len(counts)].hour, local[: len(counts)].map(day_kind)
    means = {name: _means(counts[name], kinds, hours) for name in counts}
    departures = pd.DataFrame({name: counts[name] - means[name][kinds, hours] for name in counts})
    return {
        "correlation": _mean_correlation(departures),
        "memory": _memory(departures),
        "parkings": {
            parking.name: {
                "top": int(counts[parking.name].max()),
                "mean": means[parking.name].round().astype(int).tolist(),
                "spread": _spread(departures[parking.name], hours),
            }
            for parking in PARKINGS
        },
    }


def _until_frozen(wide: pd.DataFrame) -> pd.DataFrame:
    runs = wide.diff().abs().sum(axis=1).gt(0).cumsum()
    frozen = runs.map(runs.value_counts()) > FROZEN_READINGS
    return wide[~frozen.cummax()]


def _counts(moving: "pd.Series[float]", always: "pd.Series[float]") -> "pd.Series[float]":
    """Those to learn from; of a car park that stood at 0 all the while, one that it had at another time."""
    known = moving.where(moving > 0)
    elsewhere = always[always > 0].median() if always.any() else 0.0
    return known if known.notna().any() else known.fillna(elsewhere)


def _means(counts: "pd.Series[float]", kinds: pd.Index, hours: pd.Index) -> Any:
    """float64[kind of day, hour]; hours without a reading lie between their neighbours."""
    table = counts.groupby([kinds, hours]).mean().reindex(pd.MultiIndex.from_product([range(len(DAY_KINDS)), range(24)]))
    return np.array([_smooth(day) for day in table.to_numpy(float).reshape(len(DAY_KINDS), 24)])


def _spread(departures: "pd.Series[float]", hours: pd.Index) -> list[float]:
    variance = departures.pow(2).groupby(hours).mean().reindex(range(24)).to_numpy(float)
    spread: list[float] = np.sqrt(_smooth(variance)).round(1).tolist()
    return spread


def _smooth(day: Any) -> Any:
    known = np.flatnonzero(~np.isnan(day))
    whole = np.interp(np.arange(24), known, day[known], period=24)
    return sum(weight * np.roll(whole, shift) for weight, shift in zip(NEIGHBOURS, (1, 0, -1), strict=True))


def _mean_correlation(departures: pd.DataFrame) -> float:
    varying = departures.loc[:, departures.std() > 1]
    correlation = varying.corr().to_numpy()
    return round(float(correlation[np.triu_indices(len(correlation), 1)].mean()), 3)


def _memory(departures: pd.DataFrame) -> float:
    hourly = departures.loc[:, departures.std() > 1].resample("h").last()
    return round(float(hourly.apply(lambda series: series.autocorr(24)).mean()), 3)


if __name__ == "__main__":
    tables = learn_profile(pd.concat(map(pd.read_csv, sys.argv[1:])))
    parkings = ",\n".join(
        f"{json.dumps(name, ensure_ascii=False)}:{json.dumps(one, separators=(',', ':'))}" for name, one in tables.pop("parkings").items()
    )
    PROFILE.write_text(f'{json.dumps(tables, separators=(",", ":"))[:-1]},\n"parkings":{{\n{parkings}}}}}\n', encoding="utf-8")
