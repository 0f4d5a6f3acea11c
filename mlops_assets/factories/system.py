"""One system's Dagster definitions: its own ingest assets and checks, and all that follows from its `Domain`."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from mlops_assets.domain import Domain, ForecastDomain, TabularDomain
from mlops_assets.factories.automation import domain_job, new_data_sensor, new_hour_sensor, schedules
from mlops_assets.factories.forecasting import forecast_assets, method_assets, method_checks, series_asset, series_check
from mlops_assets.factories.keys import asset_key
from mlops_assets.factories.release import release_assets, release_checks
from mlops_assets.factories.training import training_assets
from mlops_assets.partitions import window_text


def system_definitions(
    domain: TabularDomain,
    ingest: Sequence[dg.AssetsDefinition],
    checks: Sequence[dg.AssetChecksDefinition],
    sensors: Sequence[Callable[[Any], dg.SensorDefinition]] = (),
) -> dg.Definitions:
    """A system that classifies. `ingest` ends with `enriched` and `enricher`; each of `sensors` makes a sensor for the ingest job."""
    training = [*training_assets(domain), *release_assets(domain)]
    ingest_job, training_job = _ingest_job(domain, ingest), _training_job(domain, training)
    enriched = asset_key(domain, "enriched")
    holding = [spec.key for check in checks for spec in check.check_specs if spec.blocking and spec.asset_key == enriched]
    return dg.Definitions(
        assets=[*ingest, *training],
        asset_checks=[*checks, *release_checks(domain)],
        jobs=[ingest_job, training_job],
        schedules=schedules(domain, ingest_job),
        sensors=[*(make(ingest_job) for make in sensors), new_data_sensor(domain, training_job, holding)],
    )


def forecasting_definitions(
    domain: ForecastDomain, ingest: Sequence[dg.AssetsDefinition], checks: Sequence[dg.AssetChecksDefinition]
) -> dg.Definitions:
    """A system that forecasts. `ingest` ends with `enriched`, stored as a table; `series` is part of both jobs that read it."""
    series, methods, forecasts = series_asset(domain), method_assets(domain), forecast_assets(domain)
    ingest_job, training_job = _ingest_job(domain, ingest), _training_job(domain, [series, *methods])
    forecast_job = domain_job(domain, "forecast", [series, *forecasts], f"the champion, refitted, on the next {domain.horizon} hours.")
    return dg.Definitions(
        assets=[*ingest, series, *methods, *forecasts],
        asset_checks=[*checks, series_check(domain), *method_checks(domain)],
        jobs=[ingest_job, training_job, forecast_job],
        schedules=schedules(domain, ingest_job),
        sensors=[new_hour_sensor(domain, training_job, forecast_job)],
    )


def _ingest_job(domain: Domain, assets: Sequence[dg.AssetsDefinition]) -> Any:
    return domain_job(domain, "ingest", assets, "from the upstream to enriched partitions. Takes a range of them in one run.")


def _training_job(domain: Domain, assets: Sequence[dg.AssetsDefinition]) -> Any:
    return domain_job(domain, "training", assets, f"from {window_text(domain.cadence)} to the champion.")
