"""Jobs, schedule, training sensor and the failure alert, on a system of its own and a real webhook."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from dagster._utils.error import serializable_error_info_from_exc_info

from mlops_assets.domain import Batches, TabularDomain
from mlops_assets.factories.automation import domain_job, failure_alert_sensor, new_data_sensor, schedules
from mlops_assets.factories.checks import Finding, partition_check
from mlops_assets.factories.keys import frame_asset
from mlops_assets.factories.release import GATE, PARITY
from mlops_assets.partitions import partitions_of
from mlops_assets_tests.factories.conftest import SECRET, Webhook


def _months(toy: TabularDomain) -> dg.PartitionsDefinition:
    return partitions_of(toy.cadence)


def test_jobs_split_the_assets_and_carry_the_domain(toy: TabularDomain, toy_ingest: list[Any], workshop: Any) -> None:
    @dg.asset(key=["toy", "model"], partitions_def=_months(toy), ins={"rows": dg.AssetIn(["toy", "enriched"])}, io_manager_key="frames")
    def model(rows: Any) -> Any:
        return rows

    jobs = [domain_job(toy, "ingest", toy_ingest, "rows."), domain_job(toy, "training", [model], "a model.")]
    defs = dg.Definitions(assets=[*toy_ingest, model], jobs=jobs, resources=workshop.resources)

    keys = {
        job.name: {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
        for job in map(defs.resolve_job_def, ("toy_ingest", "toy_training"))
    }
    assert keys == {"toy_ingest": {"toy/enriched", "toy/enricher"}, "toy_training": {"toy/model"}}
    assert all(defs.resolve_job_def(name).run_tags["mlops_assets/domain"] == "toy" for name in keys)


@pytest.mark.parametrize(
    ("tick", "month"),
    [
        (datetime(2018, 2, 3, 6, tzinfo=UTC), "2018-01"),
        (datetime(2018, 1, 3, 6, tzinfo=UTC), "2017-12"),
        (datetime(2018, 3, 31, 23, 59, tzinfo=UTC), "2018-02"),
    ],
)
def test_schedule_asks_for_the_month_before_the_tick_once(toy: TabularDomain, toy_ingest: list[Any], tick: datetime, month: str) -> None:
    job = domain_job(toy, "ingest", toy_ingest, "rows.")
    repository = dg.Definitions(assets=toy_ingest, jobs=[job], schedules=schedules(toy, job), resources=_no_storage()).get_repository_def()

    for _ in range(2):
        context = dg.build_schedule_context(scheduled_execution_time=tick, repository_def=repository)
        (request,) = repository.get_schedule_def("toy_schedule").evaluate_tick(context).run_requests
        assert (request.run_key, request.partition_key) == (month, month)
        assert request.partition_key in _months(toy).get_partition_keys(current_time=tick)


def _no_storage() -> dict[str, Any]:
    return {"frames": dg.InMemoryIOManager(), "artifacts": dg.InMemoryIOManager()}


class Ingest:
    """The toy system's `enriched` with one check, whose outcome the test sets."""

    def __init__(self, toy: TabularDomain, workshop: Any, enriched: dg.AssetsDefinition) -> None:
        self.holds = True
        self.rows = 3
        self._toy, self._workshop, self._enriched = toy, workshop, enriched
        self._check = partition_check(toy, "enriched", "rows_hold", "They hold.", lambda rows, _: Finding(self.holds, len(rows)))
        job = dg.define_asset_job("toy_training", selection=dg.AssetSelection.assets(enriched))
        self._sensor = new_data_sensor(toy, job, list(self._check.check_keys))
        self._defs = dg.Definitions(assets=[enriched], jobs=[job], sensors=[self._sensor], resources=workshop.resources)

    def run(self, month: str, *, holds: bool = True) -> None:
        """Materializes a month and evaluates the check in one run."""
        self.holds = holds
        self._workshop.materialize([self._enriched, self._check], month)

    def tick(self, cursor: str | None = None) -> Any:
        """The sensor's requests as (run key, partition), or what it says when it skips."""
        with dg.build_sensor_context(instance=self._workshop.instance, definitions=self._defs, cursor=cursor) as context:
            tick = self._sensor.evaluate_tick(context)
        return [(request.run_key, request.partition_key) for request in tick.run_requests or []] or tick.skip_message


@pytest.fixture
def ingest(toy: TabularDomain, toy_ingest: list[Any], workshop: Any) -> Ingest:
    return Ingest(toy, workshop, toy_ingest[0])


@pytest.fixture
def batched(toy: TabularDomain, workshop: Any) -> Ingest:
    """A system whose partitions are batches, of as many rows as the test says."""
    system = replace(toy, cadence=Batches(count=3))

    @frame_asset(system, "enriched", "Rows of a batch.")
    def enriched(context: dg.AssetExecutionContext) -> Any:
        return pd.DataFrame({"size": [float(context.partition_key)] * ingest.rows})

    ingest = Ingest(system, workshop, enriched)
    return ingest


def test_new_data_sensor_skips_where_a_check_failed_and_says_which(ingest: Ingest) -> None:
    ingest.run("2017-02", holds=False)

    assert ingest.tick() == "2017-02 is materialized, but rows_hold did not pass in that run (yet)"


def test_new_data_sensor_takes_each_months_checks_from_its_own_run(ingest: Ingest) -> None:
    ingest.run("2017-02")
    (requested,) = ingest.tick()
    assert requested[1] == "2017-02"

    ingest.run("2017-01", holds=False)
    assert ingest.tick() == [requested]
    ingest.run("2017-03", holds=False)
    assert "2017-03 is materialized, but" in ingest.tick()
    ingest.run("2017-01")
    assert "2017-03 is materialized, but" in ingest.tick()


def test_new_data_sensor_repeats_its_run_key_for_equal_content(ingest: Ingest) -> None:
    ingest.run("2017-02")
    requested = ingest.tick()

    ingest.run("2017-02")

    assert ingest.tick() == requested


def test_new_data_sensor_skips_what_it_has_asked_for_and_says_so(ingest: Ingest) -> None:
    ingest.run("2017-02")
    ((key, _),) = ingest.tick()

    assert ingest.tick(cursor=key) == "nothing new: toy/enriched up to 2017-02 is what the last training was asked for"


def test_new_data_sensor_of_batches_asks_again_when_an_older_batch_grows(batched: Ingest) -> None:
    batched.run("01")
    batched.run("02")
    ((key, partition),) = batched.tick()
    assert partition == "02"

    batched.run("01")
    assert batched.tick() == [(key, "02")]
    batched.rows += 1
    batched.run("01")
    ((grown, partition),) = batched.tick(cursor=key)
    assert partition == "02"
    assert grown != key


def test_new_data_sensor_of_batches_waits_for_the_checks_of_every_batch(batched: Ingest) -> None:
    batched.run("01", holds=False)
    batched.run("02")

    assert batched.tick() == "01 is materialized, but rows_hold did not pass in that run (yet)"


def test_batches_have_no_schedule(toy: TabularDomain) -> None:
    assert schedules(replace(toy, cadence=Batches(count=3)), None) == []


Failed = Callable[..., tuple[str, dg.RunFailureSensorContext]]


@pytest.fixture
def failed_run(toy: TabularDomain) -> Iterator[Failed]:
    """Runs a job whose step `toy__broken` raises; gives the run's id and what the alert sensor is told."""

    @dg.asset(key=["toy", "broken"], partitions_def=_months(toy), backfill_policy=dg.BackfillPolicy.single_run())
    def broken(context: dg.AssetExecutionContext) -> None:
        if context.partition_keys[0] == "2017-01":
            raise dg.Failure("the portal is closed")
        try:
            int("twelve")
        except ValueError as error:
            raise RuntimeError("no number of rows") from error

    job = dg.Definitions(assets=[broken], jobs=[dg.define_asset_job("toy_ingest", selection="*")]).resolve_job_def("toy_ingest")

    with dg.DagsterInstance.ephemeral() as instance:

        def fail(**options: Any) -> tuple[str, dg.RunFailureSensorContext]:
            return _failure(job, instance, **options)

        yield fail


def _failure(job: dg.JobDefinition, instance: dg.DagsterInstance, **options: Any) -> tuple[str, dg.RunFailureSensorContext]:
    """Runs the job; the run's id and what the alert sensor is told of its failure."""
    result = job.execute_in_process(instance=instance, raise_on_error=False, **options)
    (event,) = [event for event in result.all_events if event.event_type is dg.DagsterEventType.RUN_FAILURE]
    context = dg.build_run_status_sensor_context(
        sensor_name="failure_alert", dagster_event=event, dagster_instance=instance, dagster_run=result.dagster_run
    )
    return result.run_id, context.for_run_failure()


@pytest.mark.parametrize(("check", "messages"), [(GATE, 0), (PARITY, 1)])
def test_failure_alert_is_silent_about_a_challenger_that_did_not_win(
    toy: TabularDomain, webhook: Webhook, check: str, messages: int
) -> None:
    @dg.asset(key=["toy", "registered_model"])
    def registered_model() -> None:
        """A version."""

    @dg.asset_check(asset=registered_model, name=check, blocking=True)
    def judged() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, description="it lost")

    defs = dg.Definitions(assets=[registered_model], asset_checks=[judged], jobs=[dg.define_asset_job("toy_training", selection="*")])
    with dg.DagsterInstance.ephemeral() as instance:
        answer = failure_alert_sensor()(_failure(defs.resolve_job_def("toy_training"), instance)[1])

    assert len(webhook.messages) == messages
    assert isinstance(answer, dg.SkipReason) == (messages == 0)


def test_failure_alert_does_nothing_where_no_webhook_is_set(failed_run: Failed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_ALERT_WEBHOOK_URL", "")

    answer = failure_alert_sensor()(failed_run(partition_key="2017-01")[1])

    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == "MLOPS_ALERT_WEBHOOK_URL is not set"


def test_failure_alert_is_on_by_default() -> None:
    assert failure_alert_sensor().default_status is dg.DefaultSensorStatus.RUNNING


def test_failure_alert_tells_the_webhook_what_failed(failed_run: Failed, webhook: Webhook) -> None:
    run_id, context = failed_run(partition_key="2017-01")

    assert failure_alert_sensor()(context) is None

    assert webhook.messages == [
        {
            "text": "toy_ingest 2017-01 failed: toy__broken: the portal is closed",
            "job": "toy_ingest",
            "partition": "2017-01",
            "run_id": run_id,
            "errors": {"toy__broken": "the portal is closed"},
            "url": f"http://dagster.example/runs/{run_id}",
        }
    ]


def test_failure_alert_gives_the_assets_own_error_and_the_range(failed_run: Failed, webhook: Webhook) -> None:
    tags = {"dagster/asset_partition_range_start": "2017-02", "dagster/asset_partition_range_end": "2017-04"}

    failure_alert_sensor()(failed_run(tags=tags)[1])

    (message,) = webhook.messages
    assert message["partition"] == "2017-02...2017-04"
    assert message["errors"] == {"toy__broken": "RuntimeError: no number of rows"}


@pytest.mark.parametrize("trouble", ["500", "down", "no address"])
def test_failure_alert_that_is_not_taken_says_so_without_the_address(
    failed_run: Failed, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    _, context = failed_run(partition_key="2017-01")
    webhook.status = 500
    if trouble == "down":
        monkeypatch.setenv("MLOPS_ALERT_WEBHOOK_URL", f"http://127.0.0.1:9/{SECRET}")
    if trouble == "no address":
        monkeypatch.setenv("MLOPS_ALERT_WEBHOOK_URL", SECRET)

    with pytest.raises(dg.Failure, match="the alert webhook did not take the message") as caught:
        failure_alert_sensor()(context)

    shown = serializable_error_info_from_exc_info((caught.type, caught.value, caught.tb)).to_string()
    assert SECRET not in shown
    assert "127.0.0.1" not in shown
