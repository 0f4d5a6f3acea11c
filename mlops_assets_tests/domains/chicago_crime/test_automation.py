"""Chicago's sensors on real runs: the portal is the sandbox over HTTP, the instance remembers what was materialized."""

from typing import Any

import dagster as dg
import pytest

from mlops_assets.domains.chicago_crime.assets import ASSETS
from mlops_assets.domains.chicago_crime.spec import CRIMES_DATASET, STATIONS_DATASET
from mlops_assets.resources.socrata import SocrataResource

ENRICHED = "chicago_crime/enriched"


def _tick(platform: Any, name: str, **resources: Any) -> Any:
    """The requests of one tick as (run key, partition), or what it says when it skips."""
    resources = {**platform.defs.resources, **resources}
    with dg.build_sensor_context(instance=platform.instance, definitions=platform.defs, resources=resources) as context:
        tick = platform.defs.resolve_sensor_def(f"chicago_crime_{name}_sensor").evaluate_tick(context)
    return [(request.run_key, request.partition_key) for request in tick.run_requests or []] or tick.skip_message


def _enriched_version(platform: Any, month: str) -> str:
    return str(platform.lake.stamp(ENRICHED, month).data_version)


def test_new_data_sensor_skips_until_a_month_is_materialized(platform: Any) -> None:
    assert _tick(platform, "new_data") == "no partition of chicago_crime/enriched is materialized yet"


def test_new_data_sensor_waits_for_the_checks_of_the_run(platform: Any) -> None:
    assert dg.materialize(ASSETS, instance=platform.instance, partition_key="2017-12", resources=platform.defs.resources).success

    assert _tick(platform, "new_data") == (
        "2017-12 is materialized, but enriched_crimes_match_the_schema, crimes_have_unique_ids did not pass in that run (yet)"
    )


def test_new_data_sensor_does_not_take_an_older_runs_checks_for_new_data(platform: Any) -> None:
    assert platform.ingest("2017-12").success
    platform.sandbox.revise("2017-12", rows=5)
    assert dg.materialize(ASSETS, instance=platform.instance, partition_key="2017-12", resources=platform.defs.resources).success

    assert "did not pass in that run" in _tick(platform, "new_data")


@pytest.mark.parametrize("first", ["2017-12", "2017-11"])
def test_new_data_sensor_requests_the_newest_month_by_its_data_version(platform: Any, first: str) -> None:
    assert platform.ingest(first, "2017-12").success

    assert _tick(platform, "new_data") == [(f"2017-12:{_enriched_version(platform, '2017-12')}", "2017-12")]


def test_new_data_sensor_keeps_its_run_key_when_an_older_month_is_revised(platform: Any) -> None:
    assert platform.ingest("2017-11", "2017-12").success
    requested = _tick(platform, "new_data")
    platform.sandbox.revise("2017-11", rows=5)

    assert platform.ingest("2017-11").success

    assert _tick(platform, "new_data") == requested


def test_new_data_sensor_asks_anew_when_the_newest_month_is_revised(platform: Any) -> None:
    assert platform.ingest("2017-12").success
    (before,) = _tick(platform, "new_data")
    platform.sandbox.revise("2017-12", rows=5)

    assert platform.ingest("2017-12").success

    assert _tick(platform, "new_data") == [(f"2017-12:{_enriched_version(platform, '2017-12')}", "2017-12")] != [before]


def test_revision_sensor_skips_while_nothing_is_stored(platform: Any) -> None:
    assert "no month is stored yet" in _tick(platform, "revision")
    assert platform.sandbox.stats()[CRIMES_DATASET]["requests"] == 0


def test_revision_sensor_requests_exactly_the_revised_month_until_it_is_stored(platform: Any) -> None:
    assert platform.ingest("2017-02", "2017-04").success
    assert _tick(platform, "revision") == "none of 3 stored months changed"
    platform.sandbox.revise("2017-03", rows=5)
    platform.sandbox.revise("2017-05", rows=5)

    ((run_key, month),) = _tick(platform, "revision")
    assert (month, run_key.split(":")[:2]) == ("2017-03", ["2017-03", "300"])
    assert _tick(platform, "revision") == [(run_key, month)]

    platform.sandbox.reset_stats()
    job = platform.defs.resolve_job_def("chicago_crime_ingest")
    assert job.execute_in_process(instance=platform.instance, partition_key=month).success
    assert platform.rows_served(CRIMES_DATASET) == {"2017-03": 300}
    assert platform.sandbox.stats()[STATIONS_DATASET]["requests"] == 1
    assert _tick(platform, "revision") == "none of 3 stored months changed"


def test_revision_sensor_asks_for_all_stored_months_in_one_request(platform: Any) -> None:
    assert platform.ingest("2017-02", "2017-04").success
    platform.sandbox.reset_stats()

    _tick(platform, "revision")

    assert platform.sandbox.stats()[CRIMES_DATASET] == {**platform.sandbox.stats()[CRIMES_DATASET], "requests": 1, "rows": 3}


def test_revision_sensor_skips_with_the_error_while_the_portal_is_down(platform: Any) -> None:
    assert platform.ingest("2017-03").success

    message = _tick(platform, "revision", socrata=SocrataResource(url="http://127.0.0.1:9", attempts=1))

    assert "127.0.0.1:9" in message
    assert "Check SOCRATA_URL and the network" in message
