"""One system's Dagster definitions: its own ingest assets and checks, and all that follows from its `Domain`."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from mlops_assets.domain import TabularDomain
from mlops_assets.factories.automation import domain_jobs, new_data_sensor, schedules
from mlops_assets.factories.keys import asset_key
from mlops_assets.factories.release import release_assets, release_checks
from mlops_assets.factories.training import training_assets


def system_definitions(
    domain: TabularDomain,
    ingest: Sequence[dg.AssetsDefinition],
    checks: Sequence[dg.AssetChecksDefinition],
    sensors: Sequence[Callable[[Any], dg.SensorDefinition]] = (),
) -> dg.Definitions:
    """`ingest` ends with `enriched` and `enricher`; each of `sensors` makes a sensor for the ingest job."""
    training = [*training_assets(domain), *release_assets(domain)]
    ingest_job, training_job = domain_jobs(domain, ingest, training)
    enriched = asset_key(domain, "enriched")
    holding = [spec.key for check in checks for spec in check.check_specs if spec.blocking and spec.asset_key == enriched]
    return dg.Definitions(
        assets=[*ingest, *training],
        asset_checks=[*checks, *release_checks(domain)],
        jobs=[ingest_job, training_job],
        schedules=schedules(domain, ingest_job),
        sensors=[*(make(ingest_job) for make in sensors), new_data_sensor(domain, training_job, holding)],
    )
