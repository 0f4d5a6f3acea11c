"""Chicago's schedule and sensors on real runs: the portal is the sandbox over HTTP, the instance remembers what was materialized."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from mlops_assets.domains.chicago_crime.spec import CRIMES_DATASET

NEW_DATA, REVISIONS = "chicago_crime_new_data_sensor", "chicago_crime_revision_sensor"


def _tick(platform: Any, sensor: str) -> Any:
    """The requests of one tick as (run key, partition), or its skip message."""
    context = dg.build_sensor_context(instance=platform.instance, definitions=platform.defs)
    tick = platform.defs.resolve_sensor_def(sensor).evaluate_tick(context) if hasattr(platform.defs, "resolve_sensor_def") else None
    return [(request.run_key, request.partition_key) for request in tick.run_requests or []] or tick.skip_message
