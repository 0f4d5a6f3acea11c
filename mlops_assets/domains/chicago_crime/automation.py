"""Chicago's own sensor: which stored months the portal has revised since. Jobs, schedule and training sensor come from the factory."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from mlops_assets.domains.chicago_crime.assets import RAW_CRIMES, stored_state
from mlops_assets.domains.chicago_crime.spec import CADENCE, CHICAGO_CRIME, CRIMES_DATASET
from mlops_assets.partitions import partitions_of
from mlops_assets.resources.socrata import SocrataResource
from mlops_assets.resources.upstream import UpstreamError
from mlops_assets.storage.resource import LakeResource


def revision_sensor(job: Any) -> dg.SensorDefinition:
    """Requests exactly the stored months whose row count or newest change differs from the portal's."""

    @dg.sensor(
        job=job,
        name=f"{CHICAGO_CRIME.name}_revision_sensor",
        minimum_interval_seconds=CADENCE.revision_interval_seconds,
        description="Ingests anew the stored months that the portal has revised.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, socrata: SocrataResource, lake: LakeResource
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """One grouped query for all stored months. A month is asked for once a day at most until its new state is stored."""
        known = set(partitions_of(CADENCE).get_partition_keys())
        months = [month for month in lake.partitions(RAW_CRIMES) if month in known]
        if not months:
            yield dg.SkipReason("no month is stored yet; the first ones come from the ingest job or its schedule")
            return
        try:
            with socrata.client() as client:
                states = client.month_states(CRIMES_DATASET, months[0], months[-1])
        except UpstreamError as error:
            yield dg.SkipReason(str(error))
            return
        changed = [month for month in months if states[month] != stored_state(lake, RAW_CRIMES, month)]
        context.log.info(f"{len(changed)} of {len(months)} stored months changed")
        today = datetime.now(UTC).date()
        for month in changed:
            state = states[month]
            yield dg.RunRequest(run_key=f"{month}:{state.rows}:{state.updated_at}:{today}", partition_key=month)
        if not changed:
            yield dg.SkipReason(f"none of {len(months)} stored months changed")

    return sensor
