"""Checks on forest cover's batches and samples: the contract that was held before storing, shown and held again after it."""

from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.domains.forest_cover.spec import FOREST_COVER
from mlops_assets.factories.checks import Finding, accepted, partition_check

if TYPE_CHECKING:
    from pandas import DataFrame as Frame
else:
    Frame = Any


def raw_batches_match(frame: Frame, batch: str) -> Finding:
    """Columns and types; answers of this batch only, none without rows."""
    from mlops_assets.domains.forest_cover.schema import validate_raw

    return accepted(frame, lambda answers: validate_raw(answers, batch))


def samples_match(frame: Frame, batch: str) -> Finding:  # noqa: ARG001  # every check is asked about a partition
    """Columns, finite numbers, known areas, soils and cover types."""
    from mlops_assets.domains.forest_cover.schema import validate_samples

    return accepted(frame.astype({"cover_type": "int64", "first_seen_batch": "int64"}), validate_samples)


def samples_are_unique(frame: Frame, batch: str) -> Finding:  # noqa: ARG001
    """No observation twice."""
    from mlops_assets.domains.forest_cover.transforms import FIELDS

    duplicates = int(frame.duplicated(list(FIELDS)).sum())
    return Finding(duplicates == 0, len(frame), {"sample: duplicate": duplicates})


def enriched_match(frame: Frame, batch: str) -> Finding:  # noqa: ARG001
    """Columns and types of samples and terrain features."""
    from mlops_assets.domains.forest_cover.schema import validate_enriched

    return accepted(frame, validate_enriched)


_check = partial(
    partition_check,
    FOREST_COVER,
    code=[f"mlops_assets.domains.forest_cover.{module}" for module in ("checks", "schema", "terrain", "transforms")],
)

CHECKS: list[dg.AssetChecksDefinition] = [
    _check("raw_batches", "batches_have_the_api_shape", "The API's answers of this batch, as received, each with rows.", raw_batches_match),
    _check("samples", "samples_are_valid", "Finite numbers; known wilderness areas, soil types and cover types.", samples_match),
    _check("samples", "samples_are_unique", "Each observation, by its 13 values, stands once among the batch's.", samples_are_unique),
    _check("enriched", "enriched_match_the_schema", "Samples with every terrain feature.", enriched_match),
]
