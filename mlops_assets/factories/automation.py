"""Jobs, schedule and sensors that every domain has. Names: `<domain>_ingest`, `<domain>_training`, `<domain>_schedule`, ..."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.execution.plan.objects import StepFailureData
from tenacity import Retrying, stop_after_attempt, wait_exponential

from mlops_assets.domain import Domain, ForecastDomain, Hourly, Monthly
from mlops_assets.factories.due import Due, due
from mlops_assets.factories.keys import asset_key
from mlops_assets.factories.release import GATE
from mlops_assets.hours import hour_key
from mlops_assets.partitions import month_before
from mlops_assets.settings import Settings
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.warehouse_resource import WarehouseResource

ALERT_ATTEMPTS = 3
SCHEDULE_RETRIES = 2
"""A month or an hour is asked for once, so a run that fails is started again."""
ON_FAILURE = "dagster/retry_on_asset_or_op_failure"
RETRIED = {"dagster/max_retries": str(SCHEDULE_RETRIES), ON_FAILURE: "true"}
"""After a crash, and after a step that failed, which dagster.yaml does not retry by itself."""
RETRIED_CRASH = {**RETRIED, ON_FAILURE: "false"}
"""Not a challenger that does not win."""
REPOSITORY = "__repository__@mlops_assets"
"""The code location of workspace.yaml, as Dagster tags runs with it."""
DOMAIN_TAG = "mlops_assets/domain"
RANGE_TAGS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def domain_job(domain: Domain, stage: str, assets: Sequence[dg.AssetsDefinition], description: str) -> Any:
    """`<domain>_<stage>`, which materializes the assets."""
    return dg.define_asset_job(
        name=f"{domain.name}_{stage}",
        selection=dg.AssetSelection.assets(*assets),
        description=f"{domain.title}: {description}",
        # The UI lists a run under its job by the code location, which dg launch and dagster job execute do not note by themselves.
        tags={DOMAIN_TAG: domain.name, ".dagster/repository": REPOSITORY},
    )


def schedules(domain: Domain, job: Any) -> list[dg.ScheduleDefinition]:
    """The schedule that ingests the month that has just ended, or the hour that is running.

    Batches come when the upstream has them, which a sensor sees.
    """
    if isinstance(domain.cadence, Monthly):
        return [_monthly_schedule(domain, job, domain.cadence.schedule)]
    return [_hourly_schedule(domain, job, domain.cadence.schedule)] if isinstance(domain.cadence, Hourly) else []


def _monthly_schedule(domain: Domain, job: Any, cron: str) -> dg.ScheduleDefinition:

    @dg.schedule(
        name=f"{domain.name}_schedule",
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        description="Ingests the month that has ended.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Asks for the month before the tick."""
        month = month_before(context.scheduled_execution_time.date())
        return dg.RunRequest(run_key=month, partition_key=month, tags=dict(RETRIED))

    return schedule


def _hourly_schedule(domain: Domain, job: Any, cron: str) -> dg.ScheduleDefinition:

    @dg.schedule(
        name=f"{domain.name}_schedule",
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        description="Ingests the hour that is running.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Asks for the hour of the tick. One that passes while nothing runs stays a gap: the feed has no history."""
        hour = hour_key(context.scheduled_execution_time)
        return dg.RunRequest(run_key=hour, partition_key=hour, tags=dict(RETRIED))

    return schedule


def new_hour_sensor(domain: ForecastDomain, training_job: Any, forecast_job: Any) -> dg.SensorDefinition:
    """Starts the forecast of each hour that has ended and, every few hours, the comparison of the candidates."""

    @dg.sensor(
        jobs=[training_job, forecast_job],
        name=f"{domain.name}_new_data_sensor",
        minimum_interval_seconds=domain.cadence.training_interval_seconds,
        description="Forecasts once an hour has ended, compares the candidates when that is due, and tells once that the feed is frozen.",
    )
    def sensor(context: dg.SensorEvaluationContext, warehouse: WarehouseResource, lake: LakeResource) -> dg.SensorResult | dg.SkipReason:
        """Each is asked for once for each content of an hour. The very first forecast waits for a champion."""
        found = due(domain, warehouse, lake, datetime.now(UTC))
        if found is None:
            return dg.SkipReason(f"no hour of {domain.name} that has ended in the last {domain.silent_hours} hours is stored")
        if found.frozen_since is not None:
            return _frozen(context, domain, found)
        jobs = [
            (training_job, found.training, RETRIED_CRASH),
            (forecast_job, found.forecast and _has_champion(context.instance, domain), RETRIED),
        ]
        requests = [
            dg.RunRequest(run_key=f"{job.name}:{found.hour}:{found.version}", job_name=job.name, partition_key=found.hour, tags=dict(tags))
            for job, is_due, tags in jobs
            if is_due
        ]
        return dg.SensorResult(run_requests=requests, cursor="") if requests else dg.SkipReason(f"nothing is due for {found.hour}")

    return sensor


def _has_champion(instance: dg.DagsterInstance, domain: Domain) -> bool:
    return instance.get_latest_materialization_event(asset_key(domain, "champion")) is not None


def _frozen(context: dg.SensorEvaluationContext, domain: Domain, found: Due) -> dg.SkipReason:
    since = f"{found.frozen_since:%Y-%m-%d %H:%M} UTC"
    text = f"{domain.name}: no series has moved since {since}. Nothing is forecast until one does"
    address = Settings().mlops_alert_webhook_url
    if address is not None and context.cursor != since:
        tell(address.get_secret_value(), {"text": text, "system": domain.name, "frozen_since": since})
    context.update_cursor(since)
    return dg.SkipReason(text)


def new_data_sensor(domain: Domain, job: Any, checks: Sequence[dg.AssetCheckKey]) -> dg.SensorDefinition:
    """Starts training when there is new enriched content and the blocking `checks` of the runs that stored it have passed."""
    enriched = asset_key(domain, "enriched")

    @dg.sensor(
        job=job,
        name=f"{domain.name}_new_data_sensor",
        minimum_interval_seconds=domain.cadence.training_interval_seconds,
        description="Trains for the newest partition once it is enriched and its checks have passed.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """One run for each new content of what is watched: the newest month, or all batches."""
        stored = sorted(context.instance.get_materialized_partitions(enriched))
        if not stored:
            return dg.SkipReason(f"no partition of {enriched.to_user_string()} is materialized yet")
        newest = stored[-1]
        versions = []
        # A revised older month waits for the next training; rows that come late to an older batch are as new as any.
        for partition in [newest] if isinstance(domain.cadence, Monthly) else stored:
            run_id, version = _content(context.instance, enriched, partition)
            passed = _passed_in(context.instance, run_id, partition)
            if open_checks := [key.name for key in checks if key not in passed]:
                return dg.SkipReason(f"{partition} is materialized, but {', '.join(open_checks)} did not pass in that run (yet)")
            versions.append(version)
        key = f"{newest}:{versions[0] if len(versions) == 1 else _digest(versions)}"
        if key == context.cursor:
            return dg.SkipReason(f"nothing new: {enriched.to_user_string()} up to {newest} is what the last training was asked for")
        context.update_cursor(key)
        return dg.RunRequest(run_key=key, partition_key=newest)

    return sensor


def _content(instance: dg.DagsterInstance, asset: dg.AssetKey, partition: str) -> tuple[str, str]:
    """The run that stored the partition last, and the data version that it stored."""
    latest = dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[partition])
    event = instance.fetch_materializations(latest, limit=1).records[0]
    tags = (event.asset_materialization and event.asset_materialization.tags) or {}
    return event.run_id, tags.get(DATA_VERSION_TAG, event.run_id)


def _digest(versions: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(versions).encode(), digest_size=16).hexdigest()


def _passed_in(instance: dg.DagsterInstance, run_id: str, partition: str) -> set[dg.AssetCheckKey]:
    """The run's own evaluations of the partition: a check's latest one may belong to a later run for another month."""
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = [entry.dagster_event.asset_check_evaluation_data for entry in entries if entry.dagster_event]
    return {found.asset_check_key for found in evaluations if found.passed and found.partition == partition}


def failure_alert_sensor() -> dg.SensorDefinition:
    """Tells a webhook about every failed run; does nothing where no webhook is set."""

    @dg.run_failure_sensor(
        name="failure_alert",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells the webhook MLOPS_ALERT_WEBHOOK_URL about failed runs, but not about a challenger that did not win.",
    )
    def failure_alert(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        """Posts run, job, partition, the failed steps with their errors, and a link. A challenger that does not win wakes nobody."""
        settings = Settings()
        if settings.mlops_alert_webhook_url is None:
            return dg.SkipReason("MLOPS_ALERT_WEBHOOK_URL is not set")
        steps = {str(event.step_key) for event in context.get_step_failure_events()}
        if steps and all(step.endswith(f"__registered_model_{GATE}") for step in steps):
            return dg.SkipReason(f"{context.dagster_run.job_name} ended at {GATE}: the champion stays, nothing is broken")
        tell(settings.mlops_alert_webhook_url.get_secret_value(), failure_message(context, settings.dagster_ui_url))
        return None

    return failure_alert


def tell(address: str, message: dict[str, Any]) -> None:
    """Posts the message to the webhook; Failure, which does not show the address, if it is not taken."""
    import requests

    # Dagster asks once for each event, so a webhook that is down for a moment is asked again here.
    patient = Retrying(stop=stop_after_attempt(ALERT_ATTEMPTS), wait=wait_exponential(max=10), reraise=True)
    try:
        patient(lambda: requests.post(address, json=message, timeout=10).raise_for_status())
    except Exception as error:
        # The address is a secret and stands in the text of nearly every one of these errors.
        raise dg.Failure(f"the alert webhook did not take the message: {type(error).__name__}") from None


def failure_message(context: dg.RunFailureSensorContext, ui_url: str) -> dict[str, Any]:
    """The webhook's JSON: `text` for chat services, the parts beside it for others."""
    run = context.dagster_run
    partition = run.tags.get("dagster/partition") or "...".join(run.tags[tag] for tag in RANGE_TAGS if tag in run.tags)
    errors = {str(event.step_key): failure_text(event.step_failure_data) for event in context.get_step_failure_events()}
    errors |= failed_checks(context.instance, run.run_id)
    what = "; ".join(f"{step}: {error}" for step, error in errors.items()) or context.failure_event.message
    return {
        "text": f"{run.job_name} {partition} failed: {what}",
        "job": run.job_name,
        "partition": partition,
        "run_id": run.run_id,
        "errors": errors,
        "url": f"{ui_url.rstrip('/')}/runs/{run.run_id}",
    }


def failed_checks(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    """Step of each blocking check that failed in the run -> what the check says."""
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    events = [entry.dagster_event for entry in entries if entry.dagster_event]
    failed = [(str(event.step_key), event.asset_check_evaluation_data) for event in events]
    return {step: found.description for step, found in failed if found.blocking and not found.passed and found.description}


def failure_text(failure: StepFailureData) -> str:
    """Why a step failed: what the asset says, or its error; not the one that Dagster puts around it."""
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    error = failure.error
    while error and error.cause and str(error.cls_name).startswith("Dagster"):
        error = error.cause
    return error.message.strip() if error else "no error was recorded"
