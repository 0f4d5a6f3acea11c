"""Learns `chicago.json`, the frequency tables behind the generated crimes, from one year of the portal's CSV export.

Here belongs only what turns an export into tables; `chicago` turns the tables into rows. Run it again with
`python -m mlops_assets.sandbox.socrata.learn <crimes.csv[.gz]>` after a change to what the tables hold.
"""

import json
import sys
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.sandbox.socrata.city import PROFILE

RARE = 3
"""A code at a location needs this many rows a year to be kept."""
RARE_STREET = 40
RARE_AREA = 5
SHRINKAGE = 5.0
"""Rows of prior, drawn to the code's own rate, that a code at a location starts with."""


def learn_profile(crimes: pd.DataFrame) -> dict[str, Any]:
    """The tables of one year; `crimes` holds the export's columns as strings, by their portal names.

    Counts are rows a year, coordinates EPSG:3435 US survey feet, effects are differences of log-odds.
    """
    rows = crimes.assign(
        when=pd.to_datetime(crimes["date"], format="%m/%d/%Y %I:%M:%S %p"),
        arrest=crimes["arrest"].eq("true"),
        domestic=crimes["domestic"].eq("true"),
        x=crimes["x_coordinate"].astype(float),
        y=crimes["y_coordinate"].astype(float),
    )
    code = rows.groupby("iucr")
    codes = code[["primary_type", "description", "fbi_code"]].agg(_most_frequent)
    codes = codes.assign(rows=code.size(), arrests=code["arrest"].sum(), domestic=code["domestic"].sum())
    types = sorted(codes["primary_type"].unique())
    locations = rows["location_description"].value_counts()
    pairs = rows.groupby(["iucr", "location_description"])["arrest"].agg(["size", "sum"]).reset_index()
    pairs = pairs[pairs["size"] >= RARE]
    code_position = {name: position for position, name in enumerate(codes.index)}
    location_position = {name: position for position, name in enumerate(locations.index)}
    expected = _expected_rate(rows)
    return {
        "months": rows.groupby(rows["when"].dt.month).size().tolist(),
        "weekdays": rows.groupby(rows["when"].dt.weekday).size().tolist(),
        "types": types,
        "codes": [[iucr, types.index(row.primary_type), *row[1:]] for iucr, row in zip(codes.index, _tuples(codes), strict=True)],
        "locations": list(locations.index),
        "pairs": [
            [code_position[iucr], location_position[place], int(size), int(arrests)]
            for iucr, place, size, arrests in pairs.itertuples(index=False)
        ],
        "hours": _cross(rows["primary_type"], rows["when"].dt.hour, types, range(24)),
        "districts": _districts(rows),
        "type_districts": _cross(rows["primary_type"], rows["district"], types, _districts(rows)),
        "areas": _areas(rows),
        "streets": _streets(rows),
        "minutes": rows.groupby(rows["when"].dt.minute).size().reindex(range(60), fill_value=0).tolist(),
        "hour_effects": _effects(rows["arrest"], expected, rows["when"].dt.hour).round(2).tolist(),
        "minute_effects": _effects(rows["arrest"], expected, rows["when"].dt.minute).round(2).tolist(),
        "beat_effects": _effects(rows["arrest"], expected, rows["beat"]).round(2).to_dict(),
    }


def _most_frequent(values: "pd.Series[str]") -> str:
    return str(values.mode().iat[0])


def _tuples(frame: pd.DataFrame) -> Any:
    return frame.astype({"rows": int, "arrests": int, "domestic": int}).itertuples(index=False)


def _districts(rows: pd.DataFrame) -> list[str]:
    counts = rows["district"].value_counts()
    return sorted(counts.index[counts >= 100])


def _cross(left: "pd.Series[Any]", right: "pd.Series[Any]", names: list[str], columns: Any) -> list[list[int]]:
    table: list[list[int]] = pd.crosstab(left, right).reindex(index=names, columns=list(columns), fill_value=0).to_numpy().tolist()
    return table


def _expected_rate(rows: pd.DataFrame) -> "pd.Series[float]":
    by_code = rows.groupby("iucr")["arrest"].transform("mean")
    pair = rows.groupby(["iucr", "location_description"], dropna=False)["arrest"]
    return (pair.transform("sum") + SHRINKAGE * by_code) / (pair.transform("size") + SHRINKAGE)


def _effects(arrest: "pd.Series[bool]", expected: "pd.Series[float]", by: "pd.Series[Any]") -> "pd.Series[float]":
    odds_weight = (expected * (1 - expected)).groupby(by).sum() + 10.0
    return (arrest.astype(float) - expected).groupby(by).sum() / odds_weight


def _areas(rows: pd.DataFrame) -> list[list[Any]]:
    """Beat, ward and community area that occur together: [beat, ward, community area, x, y, rows]."""
    areas = rows.groupby(["beat", "ward", "community_area"])[["x", "y"]].median()
    areas["rows"] = rows.groupby(["beat", "ward", "community_area"]).size()
    areas = areas[areas["rows"] >= RARE_AREA].dropna().round().astype(int)
    return [
        [beat, int(ward), int(area), *values] for (beat, ward, area), values in zip(areas.index, areas.to_numpy().tolist(), strict=True)
    ]


def _streets(rows: pd.DataFrame) -> list[list[Any]]:
    """Streets as straight lines: [name, first and last hundred, x and y at the first, x and y past the last, rows]."""
    place = rows.assign(hundred=pd.to_numeric(rows["block"].str[:3], errors="coerce"), street=rows["block"].str[6:]).dropna(
        subset=["x", "hundred"]
    )
    place = place[place.groupby("street")["x"].transform("size") >= RARE_STREET]
    streets = []
    for name, street in place.groupby("street"):
        corners = street.groupby("hundred")[["x", "y"]].median()
        if len(corners) < 2:
            continue
        hundreds = corners.index.to_numpy(dtype=float)
        ends = np.array([hundreds[0], hundreds[-1] + 1])
        x, y = (np.polyval(np.polyfit(hundreds, corners[axis], 1), ends).round().astype(int).tolist() for axis in ("x", "y"))
        streets.append([name, int(hundreds[0]), int(hundreds[-1]), x[0], y[0], x[1], y[1], len(street)])
    return streets


if __name__ == "__main__":
    export = pd.read_csv(sys.argv[1], dtype=str).rename(columns=lambda title: title.lower().replace(" ", "_"))
    tables = (f'"{name}":{json.dumps(table, separators=(",", ":"))}' for name, table in learn_profile(export).items())
    PROFILE.write_text("{" + ",\n".join(tables) + "}\n")
