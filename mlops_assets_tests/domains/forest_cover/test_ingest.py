"""Ingest through the real job and HTTP: what is landed, what is merged, what is refused, and what a failure says."""

import json
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from mlops_assets.domains.forest_cover.ingest import collect, partitions_to_ingest
from mlops_assets.domains.forest_cover.spec import REJECTS, SAMPLES
from mlops_assets.storage.landing import Landed

ROW = ["2596", "51", "3", "258", "-10", "510", "221", "232", "148", "6279", "Rawah", "C7745", "4"]
END = {"detail": "Ya se recolectó toda la información minima necesaria"}
KEPT = "What is stored stays as it was."


def _rows(*numbers: int) -> list[list[str]]:
    """For each number an observation that no other has."""
    return [[str(2000 + number), *ROW[1:]] for number in numbers]


def _bodies(platform: Any, folder: str) -> list[bytes]:
    lake = platform.lake.lake
    return [lake.read(key) for key in lake.keys(f"forest_cover/{folder}")]


def _collect(platform: Any, *batches: str) -> dict[str, list[Landed]]:
    """The ingest's own step, without a run."""
    with platform.forest_api.client() as client:
        return collect(client, platform.landing, batches, note=lambda _: None)


def _collect_fails(platform: Any, *batches: str) -> str:
    with pytest.raises(dg.Failure) as caught:
        _collect(platform, *batches)
    return str(caught.value.description)


def test_a_batch_goes_from_the_answer_to_the_table_and_the_enriched_frame(platform: Any) -> None:
    platform.api.serves((1, [*_rows(1, 2, 2, 3), ["x"]]))

    result = platform.ingest("01")

    assert result.success
    (answer,) = _bodies(platform, "answers/01")
    assert platform.frame("raw_batches", "01")["body"].tolist() == [answer.decode()]
    assert platform.elevations("01") == [1, 2, 3]
    assert platform.rows(REJECTS, "01")["reason"].tolist() == ["short row"]
    enriched = platform.frame("enriched", "01")
    assert enriched["sample_id"].tolist() == sorted(platform.rows(SAMPLES, "01")["sample_id"])
    assert (enriched["elevation_plus_vertical_distance"] == enriched["elevation"] - 10).all()
    assert str(enriched["cover_type"].dtype) == "int64"
    assert all(item.passed for item in result.get_asset_check_evaluations())
    assert len(result.get_asset_check_evaluations()) == 4


def test_the_exact_bytes_are_kept(platform: Any) -> None:
    body = b' {"batch_number":1,\n"data":' + json.dumps(_rows(1)).encode() + b',"group_number":1}\n'
    platform.api.fails(200, body)

    _collect(platform, "01")

    assert _bodies(platform, "answers/01") == [body]


def test_an_answer_that_comes_again_changes_no_data_version(platform: Any) -> None:
    platform.api.serves((1, _rows(1, 2)), (1, _rows(1, 2)), (1, _rows(2, 1)))
    assert platform.ingest("01").success
    first = {stage: platform.lake.stamp(f"forest_cover/{stage}", "01").data_version for stage in ("raw_batches", "enriched")}

    assert platform.ingest("01").success

    assert {stage: platform.lake.stamp(f"forest_cover/{stage}", "01").data_version for stage in first} == first
    assert len(_bodies(platform, "answers/01")) == 2
    assert platform.ingest("01").success
    assert len(platform.frame("raw_batches", "01")) == 2, "the same rows in another order are another answer"


def test_an_answer_of_another_batch_is_noted(platform: Any) -> None:
    platform.api.serves((1, _rows(1)), (2, _rows(2)))
    _collect(platform, "01")
    notes: list[str] = []

    with platform.forest_api.client() as client:
        collect(client, platform.landing, ["01"], notes.append)

    assert notes == ["asked for batch 01, but the API hands out 02 now: its answer is kept; materialize 02 to merge it"]


def test_a_repeated_call_adds_the_rows_not_seen_before(platform: Any) -> None:
    platform.api.serves((1, _rows(1, 2)), (1, _rows(2, 3)))
    assert platform.ingest("01").success
    first = platform.rows(SAMPLES, "01").set_index("elevation")["first_seen_at"]

    assert platform.ingest("01").success

    assert platform.elevations("01") == [1, 2, 3]
    after = platform.rows(SAMPLES, "01").set_index("elevation")["first_seen_at"]
    assert after.loc[first.index].equals(first)
    assert platform.frame("raw_batches", "01")["rows"].tolist() == [2, 2]
    assert len(platform.frame("enriched", "01")) == 3


def test_an_observation_belongs_to_the_batch_that_brought_it_first(platform: Any) -> None:
    platform.api.serves((1, _rows(1, 2)), (2, _rows(2, 3)))

    assert platform.ingest("01", "02").success

    assert (platform.elevations("01"), platform.elevations("02")) == ([1, 2], [3])
    assert [int(value) - 2000 for value in platform.frame("enriched", "02")["elevation"]] == [3]
    assert platform.rows(SAMPLES, "02")["first_seen_batch"].tolist() == [2]


def test_metadata_say_what_became_of_the_rows_served(platform: Any) -> None:
    platform.api.serves((1, _rows(1, 2)), (2, [*_rows(2, 3, 4, 4, 5), ["x"]]))

    assert platform.ingest("01", "02").success

    shown = platform.metadata("samples", "02")
    assert {name: shown[name] for name in ("answers", "rows_served", "rejected", "duplicates")} == {
        "answers": 1,
        "rows_served": 6,
        "rejected": 1,
        "duplicates": 1,
    }
    assert "dagster/column_lineage" in shown


def test_an_answer_that_landed_before_the_run_was_killed_is_merged_by_the_next_one(platform: Any, noon: datetime) -> None:
    platform.land("01", noon, *_rows(1, 2))
    platform.api.serves((1, _rows(2, 3)))

    assert platform.ingest("01").success

    assert platform.elevations("01") == [1, 2, 3]
    seen = platform.rows(SAMPLES, "01").sort_values("elevation")["first_seen_at"] == noon
    assert seen.tolist() == [True, True, False]


def test_a_landed_batch_is_merged_though_the_api_has_gone_on(platform: Any, noon: datetime) -> None:
    platform.land("01", noon, *_rows(1, 2))
    platform.api.serves((2, _rows(2, 3)))

    assert platform.ingest("01").success

    assert platform.elevations("01") == [1, 2]
    assert len(_bodies(platform, "answers/02")) == 1


def test_an_answer_of_another_batch_is_kept_under_its_own_and_the_step_says_so(platform: Any) -> None:
    platform.api.serves((1, _rows(1, 2)))

    result = platform.ingest("02")

    assert platform.failures(result) == {
        "raw_batches": "asked for 02, but the API hands out 01 now: its answer is kept, materialize 01 to merge it. " + KEPT
    }
    assert len(_bodies(platform, "answers/01")) == 1
    assert platform.ingest("01").success
    assert platform.elevations("01") == [1, 2]


def test_a_range_ends_well_wherever_the_api_is_in_it(platform: Any, noon: datetime) -> None:
    platform.land("01", noon, *_rows(1))
    platform.api.serves((2, _rows(2)), (3, _rows(3)), (3, _rows(4)))

    assert platform.ingest("01", "03").success

    assert [platform.elevations(batch) for batch in ("01", "02", "03")] == [[1], [2], [3, 4]]


@pytest.mark.parametrize(
    ("content", "folder", "words"),
    [
        ({"group_number": 1, "batch_number": 1, "data": []}, "01", ["batch 01: it holds no rows"]),
        (
            {"group_number": 1, "batch_number": 1, "data": [*_rows(1, 2), ["x"], [*ROW[:10], "Rawa", *ROW[11:]]]},
            "01",
            ["batch 01: 2 of 4 rows are unusable, more than 20%", "short row (1)", "unknown wilderness area (1)"],
        ),
        ({"group_number": 1, "batch_number": 11, "data": _rows(1)}, "unknown", ["batch 11: there are batches 1 to 10 only"]),
        ({"group_number": 1, "batch_number": -1, "data": _rows(1)}, "unknown", ["batch -1: there are batches 1 to 10 only"]),
        ({"group_number": 2, "batch_number": 1, "data": _rows(1)}, "unknown", ["the answer is for group 2"]),
        ({"batch_number": 1, "data": _rows(1)}, "unknown", ["holds no group, batch and rows", "Check FOREST_API_URL"]),
    ],
    ids=["no rows", "too many bad rows", "batch 11", "batch -1", "other group", "other shape"],
)
def test_an_answer_that_must_not_be_used_is_blocked_whole_and_kept(platform: Any, content: Any, folder: str, words: list[str]) -> None:
    platform.api.fails(200, content)

    failure = _collect_fails(platform, "01")

    for word in [*words, f"forest_cover/blocked_answers/{folder}/", KEPT]:
        assert word in failure
    assert _bodies(platform, f"blocked_answers/{folder}") == [json.dumps(content).encode()]
    assert _bodies(platform, "answers") == []


def test_a_blocked_answer_leaves_what_is_stored(platform: Any) -> None:
    platform.api.serves((1, _rows(7)), (1, []))
    assert platform.ingest("01").success

    failures = platform.failures(platform.ingest("01"))

    assert list(failures) == ["raw_batches"]
    assert "it holds no rows" in failures["raw_batches"]
    assert platform.elevations("01") == [7]
    assert len(platform.frame("raw_batches", "01")) == 1


def test_a_blocked_answer_is_counted_by_reason_in_the_failures_metadata(platform: Any) -> None:
    platform.api.serves((1, [*_rows(1), ["x"], [*ROW, "y"]]))

    result = platform.ingest("01")

    (event,) = [event for event in result.all_events if event.is_step_failure]
    metadata = event.step_failure_data.user_failure_data.metadata
    assert {name: value.value for name, value in metadata.items()} == {"rows": 3, "unusable": 2, "short row": 1, "too many columns": 1}


def test_a_fifth_of_bad_rows_is_tolerated(platform: Any) -> None:
    platform.api.serves((1, [*_rows(1, 2, 3, 4), ["x"]]))

    assert len(_collect(platform, "01")["01"]) == 1


@pytest.mark.parametrize(
    ("status", "content", "words"),
    [
        (500, b"oops", ["HTTP 500", "run this again later"]),
        (200, b"<html>", ["cut short or not JSON"]),
        (422, {"detail": "no such group"}, ["HTTP 422", "FOREST_GROUP_NUMBER"]),
    ],
)
def test_an_api_in_trouble_is_one_clear_failure_and_nothing_changes(
    platform: Any, noon: datetime, status: int, content: Any, words: list[str]
) -> None:
    platform.land("01", noon, *_rows(1))
    platform.api.fails(status, content)

    failure = _collect_fails(platform, "01")

    for word in ["batch 01", *words, KEPT]:
        assert word in failure
    assert len(platform.landing.answers("01")) == 1


def test_the_end_of_the_data_is_green_and_leaves_what_is_stored(platform: Any) -> None:
    platform.api.serves((10, _rows(1)))
    assert platform.ingest("10").success
    platform.api.fails(400, END)

    assert platform.ingest("10").success

    assert platform.elevations("10") == [1]
    assert END["detail"] in platform.landing.ended()


def test_the_end_of_the_data_with_nothing_stored_is_green_and_stores_nothing(platform: Any) -> None:
    platform.api.fails(400, END)

    result = platform.ingest("10")

    assert result.success
    assert result.get_asset_materialization_events() == []
    assert platform.landing.ended()
    assert platform.api.calls == 1


def test_a_range_beyond_the_end_of_the_data_says_what_to_leave_out(platform: Any, noon: datetime) -> None:
    platform.land("01", noon, *_rows(1))
    platform.api.fails(400, END)

    assert "of 02, 03 nothing is stored: leave them out of the range" in _collect_fails(platform, "01", "02", "03")


def test_an_answer_after_the_end_takes_the_end_back(platform: Any) -> None:
    platform.landing.end("all is handed out")
    platform.api.serves((1, _rows(1)))

    assert _collect(platform, "01")

    assert platform.landing.ended() is None


def test_one_partition_asks_once_and_reads_no_other_batch(platform: Any, noon: datetime) -> None:
    for batch in ("01", "02", "03"):
        platform.land(batch, noon, *_rows(int(batch)))
        platform.lake.lake.write(f"forest_cover/answers/{batch}/20240501T130000000000Z-damaged.json", b"not JSON")
    platform.api.serves((4, _rows(4)))

    assert platform.ingest("04").success

    assert platform.api.calls == 1


def test_a_damaged_answer_in_the_lake_is_named(platform: Any) -> None:
    platform.lake.lake.write("forest_cover/answers/01/20240501T130000000000Z-damaged.json", b"not JSON")
    platform.api.serves((1, _rows(1)))

    failures = platform.failures(platform.ingest("01"))

    assert "forest_cover/answers/01/20240501T130000000000Z-damaged.json" in failures["raw_batches"]


def test_partitions_to_ingest_are_all_batches_where_every_call_gets_the_next(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREST_BATCH_SECONDS", "0")

    assert partitions_to_ingest({"lake": platform.lake}, None) == [f"{number:02d}" for number in range(1, 11)]
    assert partitions_to_ingest({"lake": platform.lake}, "03") == ["01", "02", "03"]


def test_partitions_to_ingest_are_the_batch_that_the_api_hands_out_now(platform: Any, noon: datetime) -> None:
    resources = {"lake": platform.lake}
    assert partitions_to_ingest(resources, None) == ["01"]
    platform.land("03", noon, *_rows(1))
    assert partitions_to_ingest(resources, None) == ["04"]
    platform.land("04", datetime.now(noon.tzinfo) - timedelta(seconds=100), *_rows(1))
    assert partitions_to_ingest(resources, None) == ["04"]
    assert partitions_to_ingest(resources, "07") == ["07"]
    with pytest.raises(ValueError, match="there is no partition '11'"):
        partitions_to_ingest(resources, "11")
