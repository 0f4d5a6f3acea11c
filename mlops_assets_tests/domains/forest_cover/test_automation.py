"""The sensor's decisions on a real lake and instance: which batch it asks for, when it is quiet, and what it says then."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from mlops_assets.domains.forest_cover import automation
from mlops_assets.domains.forest_cover.automation import pause_after
from mlops_assets.resources.forest_api import ForestApiResource
from mlops_assets.settings import Settings

ROW = ["2596", "51", "3", "258", "-10", "510", "221", "232", "148", "6279", "Rawah", "C7745", "4"]
JOB = "forest_cover_ingest"


def _tick(platform: Any, **resources: Any) -> Any:
    """The request of one tick as (run key, partition), or what it says when it skips."""
    resources = {**platform.defs.resources, **resources}
    with dg.build_sensor_context(instance=platform.instance, definitions=platform.defs, resources=resources) as context:
        tick = platform.defs.resolve_sensor_def("forest_cover_batch_sensor").evaluate_tick(context)
    requests = [(request.run_key, request.partition_key) for request in tick.run_requests or []]
    return requests[0] if requests else tick.skip_message


def _asked(platform: Any) -> str:
    run_key, partition = _tick(platform)
    assert run_key.startswith(f"{partition}:")
    return str(partition)


def _ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def _merge_only(platform: Any, batch: str) -> None:
    """Merges what has landed: the API has nothing more to give."""
    platform.api.fails(400, {"detail": "Ya se recolectó toda la información minima necesaria"})
    assert platform.ingest(batch).success
    platform.lake.lake.delete("forest_cover/collected.json")


def test_the_first_batch_is_asked_for_at_once(platform: Any) -> None:
    assert _tick(platform) == ("01:first", "01")
    assert _tick(platform) == ("01:first", "01")
    assert platform.api.calls == 0


def test_a_merged_batch_is_left_alone_until_the_api_goes_on(platform: Any) -> None:
    platform.api.serves((1, [ROW]))
    assert platform.ingest("01").success
    due = platform.landing.answers("01")[0].received_at + timedelta(seconds=300)

    assert _tick(platform) == f"the newest answer is of batch 01; batch 02 is asked for at {due:%Y-%m-%d %H:%M:%S} UTC"


def test_the_next_batch_is_asked_for_once_the_api_goes_on(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.land("01", _ago(301), ROW)
    platform.api.serves((1, [ROW]))
    assert platform.ingest("01").success

    assert _asked(platform) == "02"
    monkeypatch.setenv("FOREST_BATCH_SECONDS", "400")
    assert "the newest answer is of batch 01" in _tick(platform)


def test_a_batch_whose_run_failed_is_asked_for_again_under_a_new_key(platform: Any) -> None:
    first, _ = _tick(platform)
    platform.api.fails(500, b"oops")
    failed = platform.ingest("01")

    second, partition = _tick(platform)

    assert not failed.success
    assert (second, partition) == (f"01:{failed.run_id}", "01")
    assert second != first
    assert _tick(platform) == (second, partition)


def test_runs_that_fail_one_after_the_other_are_followed_by_a_pause(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.api.fails(500, b"oops")
    for _ in range(2):
        failed = platform.ingest("01")
    ended = datetime.fromtimestamp(platform.instance.get_run_record_by_id(failed.run_id).end_time, UTC)

    message = _tick(platform)

    assert message.startswith(f"the last 2 runs of {JOB} failed, {failed.run_id} most recently; batch 01 is asked for again at")
    assert f"{ended + timedelta(seconds=30):%H:%M:%S} UTC" in message
    monkeypatch.setattr(automation, "LONGEST_PAUSE", timedelta(0))
    assert _tick(platform) == (f"01:{failed.run_id}", "01")


def test_a_run_that_succeeds_ends_the_pauses(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREST_BATCH_SECONDS", "0")
    platform.api.fails(500, b"oops")
    for _ in range(2):
        assert not platform.ingest("01").success
    platform.api.serves((1, [ROW]))
    assert platform.ingest("01").success
    assert _asked(platform) == "02"

    platform.api.fails(500, b"oops")
    assert not platform.ingest("02").success

    assert _asked(platform) == "02"


def test_pauses_grow_up_to_a_quarter_of_an_hour() -> None:
    assert [pause_after(failures).total_seconds() for failures in range(1, 8)] == [0, 30, 90, 210, 450, 900, 900]
    assert pause_after(automation.COUNTED_RUNS) == timedelta(minutes=15)


def test_a_landed_batch_is_asked_for_until_it_is_merged(platform: Any) -> None:
    platform.land("03", _ago(10), ROW)
    assert _asked(platform) == "03"
    platform.api.serves((3, [ROW]))

    assert platform.ingest("03").success

    assert "the newest answer is of batch 03" in _tick(platform)


def test_a_merged_batch_is_asked_for_when_another_answer_of_it_has_landed(platform: Any) -> None:
    platform.api.serves((1, [ROW]))
    assert platform.ingest("01").success
    platform.land("01", _ago(5), ["2597", *ROW[1:]])

    assert _asked(platform) == "01"


def test_a_batch_that_is_only_half_way_is_asked_for_again(platform: Any) -> None:
    platform.api.serves((1, [ROW]), (1, [["2597", *ROW[1:]]]))
    assert platform.ingest("01").success
    job = platform.defs.resolve_job_def(JOB)
    raw = dg.AssetKey(["forest_cover", "raw_batches"])

    assert job.execute_in_process(instance=platform.instance, partition_key="01", asset_selection=[raw]).success

    assert _asked(platform) == "01"


def test_a_repeated_answer_without_new_rows_counts_as_merged(platform: Any) -> None:
    platform.api.serves((1, [ROW]))
    for _ in range(2):
        assert platform.ingest("01").success

    assert "the newest answer is of batch 01" in _tick(platform)


def test_a_landed_batch_comes_before_the_next_one(platform: Any) -> None:
    platform.land("02", _ago(1000), ROW)

    assert _asked(platform) == "02"


def test_an_api_that_was_restarted_is_followed_from_its_new_beginning(platform: Any) -> None:
    for batch, seconds in [("01", 2000), ("07", 1000), ("01", 301)]:
        platform.land(batch, _ago(seconds), ROW)
    for batch in ("01", "07"):
        _merge_only(platform, batch)

    assert _asked(platform) == "02"


def test_the_last_batch_is_asked_for_again_so_that_the_api_can_say_that_it_was_the_last(platform: Any) -> None:
    platform.land("10", _ago(301), ROW)
    _merge_only(platform, "10")
    assert _asked(platform) == "10"

    platform.land("10", _ago(100), ROW)
    _merge_only(platform, "10")
    assert "the newest answer is of batch 10; batch 10 is asked for at" in _tick(platform)


def test_the_end_of_the_data_makes_it_quiet_and_it_says_so(platform: Any) -> None:
    platform.api.fails(400, {"detail": "Ya se recolectó toda la información minima necesaria"})
    assert platform.ingest("10").success

    message = _tick(platform)

    assert "the API has handed out everything" in message
    assert "Ya se recolectó" in message
    assert platform.api.calls == 1


def test_after_the_end_a_landed_batch_is_still_merged(platform: Any) -> None:
    platform.land("04", _ago(5), ROW)
    platform.landing.end("all is handed out")

    assert _asked(platform) == "04"


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_while_a_run_is_going_no_other_is_asked_for(platform: Any, status: dg.DagsterRunStatus) -> None:
    run = create_run_for_test(platform.instance, job_name=JOB, status=status)

    assert _tick(platform) == f"run {run.run_id} of {JOB} has not ended yet"


def test_a_run_that_was_killed_does_not_hold_it_up_for_ever(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automation, "LONGEST_RUN", timedelta(0))
    killed = create_run_for_test(platform.instance, job_name=JOB, status=dg.DagsterRunStatus.STARTED)

    assert _tick(platform) == (f"01:{killed.run_id}", "01")


def test_runs_of_other_jobs_do_not_hold_it_up(platform: Any) -> None:
    create_run_for_test(platform.instance, job_name="forest_cover_training", status=dg.DagsterRunStatus.STARTED)

    assert _asked(platform) == "01"


def test_without_an_address_there_is_nothing_to_ask(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOREST_API_URL", raising=False)
    monkeypatch.setitem(Settings.model_config, "env_file", None)

    assert _tick(platform, forest_api=ForestApiResource()) == "FOREST_API_URL is not set: there is no API to ask"


def test_where_every_call_gets_the_next_batch_none_is_waited_for(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREST_BATCH_SECONDS", "0")
    platform.api.serves((1, [ROW]))
    assert platform.ingest("01").success

    assert _asked(platform) == "02"
