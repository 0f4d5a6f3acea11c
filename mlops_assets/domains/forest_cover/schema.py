"""What forest cover's frames must look like before they may be stored, and how much dirt an answer may hold.

A few unusable rows are normal: they are counted and set aside. Parsing belongs to `transforms`.
"""

import pandas as pd
import pandera.pandas as pandera

from mlops_assets.domains.forest_cover.spec import CADENCE, COVER_TYPES, NUMBERS, SOIL_TYPES, WILDERNESS_AREAS
from mlops_assets.domains.forest_cover.terrain import TERRAIN
from mlops_assets.domains.forest_cover.transforms import LARGEST, TEXT, TIME
from mlops_assets.ml.validation import Validation, failure, raise_if_any, schema_failures, validate

TOLERATED_SHARE = 0.2
"""Largest share of an answer's rows that may be unusable."""


def _has_content(bodies: pd.Series) -> pd.Series:
    return bodies.str.len() > 0


RAW_BATCHES = pandera.DataFrameSchema(
    {
        "answer": pandera.Column(TEXT, unique=True),
        "received_at": pandera.Column(TIME),
        "group_number": pandera.Column("int64"),
        "batch_number": pandera.Column("int64", pandera.Check.in_range(1, CADENCE.count)),
        "rows": pandera.Column("int64", pandera.Check.ge(1)),
        "body": pandera.Column(TEXT, pandera.Check(_has_content, name="empty")),
    },
    strict=True,
    name="raw batches",
)

_SAMPLE = {
    "sample_id": pandera.Column(TEXT, unique=True),
    **{name: pandera.Column(float, pandera.Check.in_range(-LARGEST, LARGEST)) for name in NUMBERS},
    "wilderness_area": pandera.Column(TEXT, pandera.Check.isin(WILDERNESS_AREAS)),
    "soil_type": pandera.Column(TEXT, pandera.Check.isin(SOIL_TYPES)),
    "cover_type": pandera.Column("int64", pandera.Check.isin(tuple(COVER_TYPES))),
    "first_seen_batch": pandera.Column("int64", pandera.Check.in_range(1, CADENCE.count)),
    "first_seen_at": pandera.Column(TIME),
}

SAMPLES = pandera.DataFrameSchema(_SAMPLE, strict=True, name="samples")

ENRICHED = pandera.DataFrameSchema(
    {**_SAMPLE, **{name: pandera.Column(float) for name in TERRAIN}},
    strict=True,
    name="enriched samples",
)


def validate_raw(frame: pd.DataFrame, batch: str) -> Validation:
    """The raw batch of a partition: its answers and no other batch's. ValidationError for any fault."""
    faults = schema_failures(RAW_BATCHES, frame)
    if not faults:
        elsewhere = frame.loc[frame["batch_number"] != int(batch), "batch_number"]
        faults = (failure("batch_number", f"not of batch {batch}", elsewhere),) if len(elsewhere) else ()
    raise_if_any(f"{RAW_BATCHES.name} of {batch}", frame, faults)
    return Validation(len(frame))


def validate_samples(frame: pd.DataFrame) -> Validation:
    """Samples as the table holds them; ValidationError for any fault: what cannot be used was set aside before."""
    return validate(SAMPLES, frame)


def validate_enriched(frame: pd.DataFrame) -> Validation:
    """Samples with their terrain features; ValidationError for any fault."""
    return validate(ENRICHED, frame)


def rejection(rows: int, rejected: pd.DataFrame) -> str | None:
    """Why an answer of `rows` rows with these rejected ones must not be used, with counts; None if it may."""
    if not rows:
        return "it holds no rows"
    if len(rejected) <= TOLERATED_SHARE * rows:
        return None
    counts = rejected["reason"].value_counts()
    reasons = ", ".join(f"{reason} ({count})" for reason, count in counts.items())
    return f"{len(rejected)} of {rows} rows are unusable, more than {TOLERATED_SHARE:.0%}: {reasons}"
