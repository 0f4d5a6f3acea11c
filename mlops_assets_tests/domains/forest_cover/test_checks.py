"""Forest cover's schemas and checks: what each finds in a frame, and which of them stop what is downstream."""

import json
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from mlops_assets.domains.forest_cover import checks
from mlops_assets.domains.forest_cover.schema import rejection, validate_enriched, validate_raw, validate_samples
from mlops_assets.domains.forest_cover.transforms import ForestEnricher, parse_batch, raw_batch_frame
from mlops_assets.ml.validation import ValidationError

ROW = ["2596", "51", "3", "258", "-10", "510", "221", "232", "148", "6279", "Rawah", "C7745", "4"]
OTHER = ["2597", *ROW[1:]]


def _raw(*batches: int) -> pd.DataFrame:
    now = datetime(2024, 5, 1, tzinfo=UTC)
    contents = [{"group_number": 1, "batch_number": batch, "data": [ROW, OTHER]} for batch in batches]
    return raw_batch_frame((f"answer-{number}", now, json.dumps(content).encode()) for number, content in enumerate(contents))


def _samples(**first: Any) -> pd.DataFrame:
    samples = parse_batch(_raw(1))[0]
    for column, value in first.items():
        samples.loc[0, column] = value
    return samples


def test_checks_that_stop_what_is_downstream() -> None:
    assert {spec.name: spec.blocking for check in checks.CHECKS for spec in check.check_specs} == dict.fromkeys(
        ("batches_have_the_api_shape", "samples_are_valid", "samples_are_unique", "enriched_match_the_schema"), True
    )


def test_checks_hold_for_what_ingest_makes() -> None:
    samples = _samples()
    enriched = ForestEnricher().transform(samples)

    assert checks.raw_batches_match(_raw(1, 1), "01").holds
    assert checks.samples_match(samples.convert_dtypes(dtype_backend="numpy_nullable").astype(samples.dtypes), "01").holds
    assert checks.samples_are_unique(samples, "01").holds
    assert checks.enriched_match(enriched, "01").holds


def test_a_raw_batch_with_answers_of_another_batch_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"raw batches of 02 .* not of batch 02 \(1 rows, e.g. 1\)"):
        validate_raw(_raw(2, 1), "02")
    finding = checks.raw_batches_match(_raw(2, 1), "02")
    assert (finding.holds, finding.counts) == (False, {"batch_number: not of batch 02": 1})


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("elevation", float("nan"), "elevation: missing value (1 rows"),
        ("elevation", 1e300, "elevation: in_range"),
        ("wilderness_area", "rawah", "wilderness_area: isin"),
        ("soil_type", "C1", "soil_type: isin"),
        ("cover_type", 7, "cover_type: isin"),
        ("first_seen_batch", 11, "first_seen_batch: in_range"),
    ],
)
def test_samples_that_ingest_would_never_make_are_refused(column: str, value: Any, words: str) -> None:
    samples = _samples(**{column: value})

    with pytest.raises(ValidationError) as caught:
        validate_samples(samples)

    assert words in str(caught.value)
    assert not checks.samples_match(samples, "01").holds


def test_an_observation_that_stands_twice_is_counted_whatever_its_id() -> None:
    samples = _samples(elevation=2597.0)

    finding = checks.samples_are_unique(samples, "01")

    assert (finding.holds, finding.counts) == (False, {"sample: duplicate": 1})


def test_enriched_samples_without_a_terrain_feature_are_refused() -> None:
    enriched = ForestEnricher().transform(_samples()).drop(columns="hydrology_plus_roadways")

    with pytest.raises(ValidationError, match="hydrology_plus_roadways: missing column"):
        validate_enriched(enriched)
    assert not checks.enriched_match(enriched, "01").holds


@pytest.mark.parametrize(("bad", "holds"), [(0, True), (20, True), (21, False)])
def test_more_than_a_fifth_of_unusable_rows_is_too_much(bad: int, holds: bool) -> None:
    rejected = pd.DataFrame({"reason": ["short row"] * bad}, dtype="string[pyarrow]")

    assert (rejection(100, rejected) is None) == holds


def test_an_answer_without_rows_is_rejected() -> None:
    assert rejection(0, pd.DataFrame({"reason": []})) == "it holds no rows"
