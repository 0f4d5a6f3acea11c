"""Landed answers: kept byte for byte, found in the order of receipt, and what comes after them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_assets.domains.forest_cover.landing import Landing, Turn, next_turn
from mlops_assets.storage.lake import Lake
from mlops_assets.storage.landing import Landed

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(Lake(str(tmp_path)))


def _landed(*answers: tuple[str, int]) -> list[Landed]:
    return [Landed(batch, NOON + timedelta(minutes=minute), "") for batch, minute in answers]


def test_answers_come_back_as_they_were_in_the_order_of_receipt(landing: Landing) -> None:
    late = landing.accept("02", NOON + timedelta(microseconds=1), b"late")
    early = landing.accept("02", NOON, b"early")
    other = landing.accept("03", NOON, b"early")

    assert landing.answers("02") == [early, late]
    assert [landing.read(answer) for answer in (early, late)] == [b"early", b"late"]
    assert landing.by_partition() == {"02": [early, late], "03": [other]}
    assert landing.answers("04") == []


def test_a_file_that_a_killed_process_left_is_no_answer(landing: Landing, tmp_path: Path) -> None:
    answer = landing.accept("02", NOON, b"body")
    (tmp_path / "forest_cover/answers/02" / f".{Path(answer.key).name}.123.tmp").write_bytes(b"bo")

    assert landing.answers("02") == [answer]


def test_the_same_answer_landed_twice_is_one(landing: Landing) -> None:
    assert landing.accept("02", NOON, b"body") == landing.accept("02", NOON, b"body")
    assert len(landing.answers("02")) == 1


def test_blocked_answers_are_kept_and_are_no_answers(landing: Landing) -> None:
    place = landing.block("02", NOON, b"body")

    assert Path(place).read_bytes() == b"body"
    assert "/forest_cover/blocked_answers/02/20240501T120000000000Z-" in place
    assert landing.by_partition() == {}


def test_a_blocked_answer_that_comes_again_is_kept_once(landing: Landing, tmp_path: Path) -> None:
    first = landing.block("02", NOON, b"body")

    assert landing.block("02", NOON + timedelta(seconds=30), b"body") == first
    others = {landing.block("02", NOON, b"other"), landing.block("03", NOON, b"body")}
    kept = {str(path) for path in (tmp_path / "forest_cover/blocked_answers").rglob("*.json")}
    assert kept == {first, *others}
    assert len(kept) == 3


def test_the_end_is_remembered_until_an_answer_is_accepted(landing: Landing) -> None:
    assert landing.ended() is None
    landing.end("Ya se recolectó todo")
    assert str(landing.ended()).endswith("+00:00: Ya se recolectó todo")

    landing.block("02", NOON, b"body")
    assert landing.ended()
    landing.accept("02", NOON, b"body")
    assert landing.ended() is None


@pytest.mark.parametrize(
    ("answers", "turn"),
    [
        ([("01", 0)], ("01", "02", 5)),
        ([("01", 0), ("01", 3)], ("01", "02", 5)),
        ([("02", 6), ("01", 0)], ("02", "03", 11)),
        ([("01", 0), ("07", 10), ("01", 20), ("01", 22)], ("01", "02", 25)),
        ([("09", 0), ("10", 5), ("10", 10)], ("10", "10", 15)),
    ],
    ids=["first", "repeated", "unordered", "restarted", "last"],
)
def test_next_turn_follows_the_newest_answer(answers: list[tuple[str, int]], turn: tuple[str, str, int]) -> None:
    current, due, minute = turn
    assert next_turn(_landed(*answers), 300) == Turn(current, due, NOON + timedelta(minutes=minute))


def test_next_turn_before_the_first_answer_is_the_first_batch_at_once() -> None:
    turn = next_turn([], 300)

    assert (turn.current, turn.due) == (None, "01")
    assert turn.at < NOON
