"""The lake's promises, each against a folder and an S3 bucket: whole objects, whatever happens while they are written."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_assets.storage.lake import Lake

MEGABYTE = 1 << 20


def _run_together(*works: Callable[[], None]) -> None:
    errors: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_write_stores_and_replaces(lake_uri: str) -> None:
    lake = Lake(lake_uri)

    lake.write("asset/2024-01.parquet", b"a longer first content")
    lake.write("asset/2024-01.parquet", b"second")

    assert lake.read("asset/2024-01.parquet") == b"second"
    assert lake.size("asset/2024-01.parquet") == 6


def test_read_gives_no_more_than_the_last_bytes(lake_uri: str) -> None:
    lake = Lake(lake_uri)
    lake.write("asset/object", b"abcdef")

    assert [lake.read("asset/object", last) for last in (3, 6, 100, None)] == [b"def", b"abcdef", b"abcdef", b"abcdef"]


def test_read_of_nothing_is_a_file_not_found(lake_uri: str) -> None:
    lake = Lake(lake_uri)
    lake.write("asset/there", b"content")

    for read in (lake.read, lake.size, lambda key: lake.read(key, 4)):
        with pytest.raises(FileNotFoundError):
            read("asset/absent")


def test_delete_removes_one_object_and_does_not_mind_if_there_is_none(lake_uri: str) -> None:
    lake = Lake(lake_uri)
    lake.write("asset/gone", b"content")
    lake.write("asset/kept", b"content")

    for _ in range(2):
        lake.delete("asset/gone")

    assert list(lake.keys("asset")) == ["asset/kept"]


def test_keys_are_those_directly_below_and_sorted(lake_uri: str) -> None:
    lake = Lake(lake_uri)
    for key in ("a/b/2.parquet", "a/b/1.parquet", "a/bc/3.parquet", "a/b/deeper/4.parquet"):
        lake.write(key, b"content")

    assert list(lake.keys("a/b")) == ["a/b/1.parquet", "a/b/2.parquet", "a/b/deeper"]
    assert list(lake.keys("a/nothing")) == []


def test_keys_show_what_another_connection_has_just_written(lake_uri: str) -> None:
    reader, writer = Lake(lake_uri), Lake(lake_uri)
    writer.write("asset/1", b"content")
    assert list(reader.keys("asset")) == ["asset/1"]

    writer.write("asset/2", b"content")

    assert list(reader.keys("asset")) == ["asset/1", "asset/2"]


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # gcsfs hands its HTTP client more than a megabyte at once
def test_two_writers_and_a_reader_see_whole_objects_only(lake_uri: str) -> None:
    contents = [bytes([number]) * (MEGABYTE + number) for number in (1, 2)]
    lakes = [Lake(lake_uri) for _ in contents]
    lakes[0].write("asset/object", contents[0])
    seen: set[bytes] = set()

    def write(lake: Lake, content: bytes) -> None:
        for _ in range(8):
            lake.write("asset/object", content)

    def read() -> None:
        lake = Lake(lake_uri)
        for _ in range(16):
            seen.add(lake.read("asset/object"))
            seen.add(lake.read("asset/object", 2 * MEGABYTE))

    _run_together(*(lambda lake=lake, content=content: write(lake, content) for lake, content in zip(lakes, contents, strict=True)), read)

    assert seen <= set(contents)
    assert lakes[0].read("asset/object") in contents
    assert list(lakes[0].keys("asset")) == ["asset/object"]


def test_create_stores_once_and_keeps_what_is_there(lake_uri: str) -> None:
    lake = Lake(lake_uri)

    assert lake.create("asset/object", b"first")
    assert not lake.create("asset/object", b"second")
    assert lake.read("asset/object") == b"first"
    lake.write("asset/object", b"replaced")
    assert not Lake(lake_uri).create("asset/object", b"third")

    assert lake.read("asset/object") == b"replaced"
    lake.delete("asset/object")
    assert lake.create("asset/object", b"anew")


def test_of_racing_creators_exactly_one_wins(lake_uri: str) -> None:
    contents = [bytes([number]) * 100_000 for number in range(3)]
    lakes = [Lake(lake_uri) for _ in contents]
    together, won = threading.Barrier(len(contents)), set()
    for lake in lakes:
        lake.exists("asset/object")  # connected before the race

    def create(lake: Lake, content: bytes) -> None:
        for number in range(5):
            together.wait()
            if lake.create(f"asset/{number}", content):
                won.add((number, content))

    _run_together(*(lambda lake=lake, content=content: create(lake, content) for lake, content in zip(lakes, contents, strict=True)))

    assert sorted(number for number, _ in won) == [0, 1, 2, 3, 4]
    assert {(number, lakes[0].read(f"asset/{number}")) for number in range(5)} == won
    assert list(lakes[0].keys("asset")) == [f"asset/{number}" for number in range(5)]


def test_uri_with_trailing_slashes_is_the_same_lake(lake_uri: str) -> None:
    lake = Lake(f"{lake_uri}//")
    lake.write("asset/object", b"content")

    assert lake.uri == lake_uri
    assert lake.location("asset/object") == f"{lake_uri}/asset/object"
    assert Lake(lake_uri).read("asset/object") == b"content"


def test_uri_of_a_file_scheme_is_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "100 % of a lake#1"
    lake = Lake(folder.as_uri())

    lake.write("asset/object", b"content")

    assert (folder / "asset" / "object").read_bytes() == b"content"
    assert lake.location("asset/object") == str(folder / "asset" / "object")


def test_uri_of_a_relative_folder_stays_where_the_process_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lake = Lake("lake")
    lake.write("asset/object", b"content")

    monkeypatch.chdir("/")

    assert lake.read("asset/object") == b"content"
    assert (tmp_path / "lake" / "asset" / "object").exists()
