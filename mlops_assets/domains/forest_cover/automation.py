"""Forest cover's own sensor: which batch the API hands out next, and which one has landed but is not merged yet."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

import dagster as dg

from mlops_assets.domains.forest_cover.assets import ENRICHED, RAW_BATCHES
from mlops_assets.domains.forest_cover.landing import Landing, next_turn
from mlops_assets.domains.forest_cover.spec import FOREST_COVER
from mlops_assets.resources.forest_api import ForestApiResource
from mlops_assets.settings import Settings
from mlops_assets.storage.landing import Landed
from mlops_assets.storage.resource import LakeResource

INTERVAL_SECONDS = 30
"""Shorter than the API stays with a batch, so that none passes by."""
LONGEST_RUN = timedelta(hours=1)
"""No ingest of one batch takes this long, with all its retries: an older run that has not ended was killed."""
LONGEST_PAUSE = timedelta(minutes=15)
"""Between runs that fail one after the other: a night of them is some forty."""
COUNTED_RUNS = 10
"""More that failed one after the other make no longer pause."""
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def batch_sensor(job: Any) -> dg.SensorDefinition:
    """Requests the batch that the API is due to hand out; before it, one whose answers have landed but are not merged."""

    @dg.sensor(
        job=job,
        name=f"{FOREST_COVER.name}_batch_sensor",
        minimum_interval_seconds=INTERVAL_SECONDS,
        description="Ingests the next batch when the API is due to hand it out, and again what failed.",
    )
    def sensor(context: dg.SensorEvaluationContext, forest_api: ForestApiResource, lake: LakeResource) -> dg.RunRequest | dg.SkipReason:
        """At most one run at a time: the API advances by being asked. What failed is asked for again, ever less often."""
        if forest_api.address is None:
            return dg.SkipReason("FOREST_API_URL is not set: there is no API to ask")
        now = datetime.now(UTC)
        recent = dg.RunsFilter(job_name=job.name, statuses=UNFINISHED, created_after=now - LONGEST_RUN)
        for run in context.instance.get_runs(recent, limit=1):
            return dg.SkipReason(f"run {run.run_id} of {job.name} has not ended yet")
        due = due_batch(lake, Settings().forest_batch_seconds, now)
        if isinstance(due, dg.SkipReason):
            return due
        runs = context.instance.get_run_records(dg.RunsFilter(job_name=job.name), limit=COUNTED_RUNS)
        failed = list(takewhile(lambda run: run.dagster_run.status is dg.DagsterRunStatus.FAILURE, runs))
        again = asked_again_at(failed)
        if now < again:
            return dg.SkipReason(
                f"the last {len(failed)} runs of {job.name} failed, {failed[0].dagster_run.run_id} most recently; batch {due} is asked for "
                f"again at {again:%Y-%m-%d %H:%M:%S} UTC (materialize {RAW_BATCHES} for it to ask sooner)"
            )
        # Dagster starts one run for a key, so the key changes with each run that has ended since.
        last = runs[0].dagster_run.run_id if runs else "first"
        return dg.RunRequest(run_key=f"{due}:{last}", partition_key=due)

    return sensor


def asked_again_at(failed: Sequence[dg.RunRecord]) -> datetime:
    """When (UTC) something is asked for again after these failed runs in a row, the newest first: the pauses are `pause_after`."""
    if not failed:
        return datetime.min.replace(tzinfo=UTC)
    return datetime.fromtimestamp(failed[0].end_time or 0, UTC) + pause_after(len(failed))


def pause_after(failures: int) -> timedelta:
    """None after one failed run, because the API stays with a batch for minutes only; then 30 s, 90 s, and so on up to `LONGEST_PAUSE`."""
    return min(LONGEST_PAUSE, timedelta(seconds=INTERVAL_SECONDS * (2 ** (failures - 1) - 1)))


def due_batch(lake: LakeResource, batch_seconds: float, now: datetime) -> str | dg.SkipReason:
    """The batch to ingest at `now` (UTC), or why there is none and until when. Reads the lake only."""
    landing = Landing(lake.lake)
    landed = landing.by_partition()
    for batch, answers in landed.items():
        if not is_merged(lake, batch, answers):
            return batch
    ended = landing.ended()
    if ended:
        return dg.SkipReason(f"the API has handed out everything ({ended}); once it is restarted, materialize {RAW_BATCHES} for batch 01")
    turn = next_turn([answer for answers in landed.values() for answer in answers], batch_seconds)
    if now < turn.at:
        return dg.SkipReason(
            f"the newest answer is of batch {turn.current}; batch {turn.due} is asked for at {turn.at:%Y-%m-%d %H:%M:%S} UTC"
        )
    return turn.due


def is_merged(lake: LakeResource, batch: str, answers: list[Landed]) -> bool:
    """Whether the batch's enriched rows are made of all these answers."""
    raw, enriched = lake.stamp(RAW_BATCHES, batch), lake.stamp(ENRICHED, batch)
    return (
        raw is not None
        and enriched is not None
        and raw.note.get("answers") == [answer.key for answer in answers]
        and enriched.lineage.get(RAW_BATCHES, {}).get(batch) == raw.data_version
    )
