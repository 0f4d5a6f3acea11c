"""What Donostia's frames must look like before they may be stored. Parsing, and what is set aside, belongs to `transforms`."""

from datetime import timedelta

import pandas as pd
import pandera.pandas as pandera

from mlops_assets.domains.donostia_parking.transforms import LARGEST, LATITUDES, LONGITUDES, TEXT, TIME
from mlops_assets.hours import hour_of
from mlops_assets.ml.validation import Validation, failure, raise_if_any, schema_failures


def _has_content(bodies: pd.Series) -> pd.Series:
    return bodies.str.len() > 0


def _is_whole(hours: pd.Series) -> pd.Series:
    whole: pd.Series = hours == hours.dt.floor("h")
    return whole


COUNT = pandera.Check.in_range(-LARGEST, LARGEST)
HOUR = pandera.Column(TIME, pandera.Check(_is_whole, name="not a whole hour"))

RAW_READINGS = pandera.DataFrameSchema(
    {
        "reading": pandera.Column(TEXT, unique=True),
        "captured_at": pandera.Column(TIME, unique=True),
        "server_date": pandera.Column(TIME, nullable=True),
        "features": pandera.Column("int64", pandera.Check.ge(1)),
        "body": pandera.Column(TEXT, pandera.Check(_has_content, name="empty")),
    },
    strict=True,
    name="readings",
)
RAW_PARKING = pandera.DataFrameSchema(
    {
        "timestamp": pandera.Column(TIME),
        "parking_id": pandera.Column(TEXT),
        "name": pandera.Column(TEXT, nullable=True),
        "free": pandera.Column("Int64", COUNT, nullable=True),
        "total": pandera.Column("Int64", COUNT, nullable=True),
        "lat": pandera.Column(float, pandera.Check.in_range(*LATITUDES), nullable=True),
        "lon": pandera.Column(float, pandera.Check.in_range(*LONGITUDES), nullable=True),
        "hour": HOUR,
    },
    unique=["timestamp", "parking_id"],
    strict=True,
    name="car parks",
)
HOURLY_PARKING = pandera.DataFrameSchema(
    {
        "hour": HOUR,
        "parking_id": pandera.Column(TEXT, nullable=True, unique=True),
        "name": pandera.Column(TEXT, nullable=True),
        "free": pandera.Column("Int64", pandera.Check.ge(0)),
        "total": pandera.Column("Int64", nullable=True),
        "readings": pandera.Column("Int64", pandera.Check.ge(1)),
        "parkings": pandera.Column("Int64", pandera.Check.ge(1)),
        "clipped": pandera.Column("Int64", pandera.Check.ge(0)),
    },
    strict=True,
    name="hourly car parks",
)


def validate_readings(frame: pd.DataFrame, hour: str) -> Validation:
    """The readings of a partition: captured in its hour, each once. ValidationError for any fault."""
    return _validate_hour(RAW_READINGS, frame, hour, "captured_at")


def validate_parking(frame: pd.DataFrame, hour: str) -> Validation:
    """Car parks as the table holds them, each once a reading, all of the partition's hour. ValidationError for any fault."""
    return _validate_hour(RAW_PARKING, frame, hour, "timestamp")


def validate_hourly(frame: pd.DataFrame, hour: str) -> Validation:
    """The partition's hour: each car park once, and the city. ValidationError for any fault."""
    return _validate_hour(HOURLY_PARKING, frame, hour, "hour")


def _validate_hour(schema: pandera.DataFrameSchema, frame: pd.DataFrame, hour: str, column: str) -> Validation:
    faults = schema_failures(schema, frame)
    if not faults:
        first = hour_of(hour)
        elsewhere = frame.loc[(frame[column] < first) | (frame[column] >= first + timedelta(hours=1)), column]
        faults = (failure(column, f"not in hour {hour}", elsewhere),) if len(elsewhere) else ()
    raise_if_any(f"{schema.name} of {hour}", frame, faults)
    return Validation(len(frame))
