"""Landed answers of any upstream: found by partition in the order of receipt, with their marks; equal bytes are known by name."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_assets.storage.lake import Lake
from mlops_assets.storage.landing import Landing, distinct

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def test_answers_are_told_apart_by_time_and_content_and_keep_their_marks(tmp_path: Path) -> None:
    landing = Landing(Lake(str(tmp_path)), "feed/answers", "feed/blocked")
    late = landing.accept("a", NOON + timedelta(seconds=1), b"one", mark="20240501T120000Z")
    early = landing.accept("a", NOON, b"one")
    other = landing.accept("a", NOON, b"two", mark="x")

    found = landing.answers("a")

    assert set(found) == {early, late, other}
    assert found[-1] == late
    assert [answer.mark for answer in (early, late, other)] == ["", "20240501T120000Z", "x"]
    assert early.content == late.content != other.content
    assert set(distinct([early, other, late])) == {early, other}
    assert landing.read(other) == b"two"
    assert Path(late.key).name.startswith("20240501T120001000000Z-20240501T120000Z-")


def test_files_of_somebody_else_are_no_answers(tmp_path: Path) -> None:
    landing = Landing(Lake(str(tmp_path)), "feed/answers", "feed/blocked")
    answer = landing.accept("a", NOON, b"one")
    for name in ("README.json", "20240501T120000000000Z.json", "yesterday-1.json", f".{Path(answer.key).name}.1.tmp"):
        (tmp_path / "feed/answers/a" / name).write_bytes(b"")

    assert landing.answers("a") == [answer]


def test_answer_that_is_kept_is_not_written_again(tmp_path: Path) -> None:
    landing = Landing(Lake(str(tmp_path)), "feed/answers", "feed/blocked")
    answer = landing.accept("a", NOON, b"one")
    before = (tmp_path / answer.key).stat()

    assert landing.accept("a", NOON, b"one") == answer

    after = (tmp_path / answer.key).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_answer_that_was_changed_is_named_and_not_used(tmp_path: Path) -> None:
    landing = Landing(Lake(str(tmp_path)), "feed/answers", "feed/blocked")
    answer = landing.accept("a", NOON, b"one", mark="x")
    (tmp_path / answer.key).write_bytes(b"two")

    for use in (lambda: landing.read(answer), lambda: landing.accept("a", NOON, b"one", mark="x")):
        with pytest.raises(ValueError, match=f"{answer.key} was changed after it was received: restore it from the backup, or delete it"):
            use()
    assert (tmp_path / answer.key).read_bytes() == b"two"
