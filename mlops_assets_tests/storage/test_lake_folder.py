"""What a lake in a folder does when its writer is killed."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets.storage import parquet
from mlops_assets.storage.lake import LEFTOVER_SECONDS, Lake
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.stamp import Stamp

KILLS = 3
WRITER = """
import sys
from pathlib import Path
from mlops_assets.storage.lake import Lake

lake, contents = Lake(sys.argv[1]), [Path(path).read_bytes() for path in sys.argv[2:]]
while True:
    for content in contents:
        lake.write("asset/2024-01.parquet", content)
"""


def _kill_a_writer_in_the_middle(lake: Path, contents: list[Path]) -> Path | None:
    """The temporary file that it leaves behind, if the signal comes while there is one."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(lake), *map(str, contents)]) as writer:
        before = set(lake.glob("asset/*.tmp"))
        while not (set(lake.glob("asset/.*.tmp")) - before) and writer.poll() is None:
            pass
        writer.send_signal(signal.SIGKILL)
    assert writer.returncode == -signal.SIGKILL
    return next(iter(set(lake.glob("asset/.*.tmp")) - before), None)


def test_killed_writer_leaves_a_whole_object(tmp_path: Path) -> None:
    frames = [pd.DataFrame({"value": np.random.default_rng(seed).random(1_000_000)}) for seed in (1, 2)]
    versions, contents = [], []
    for number, frame in enumerate(frames):
        table = parquet.to_table(frame)
        versions.append(parquet.data_version(table))
        contents.append(tmp_path / f"content-{number}")
        contents[-1].write_bytes(parquet.encode(table, Stamp(versions[-1])))
    folder = tmp_path / "lake"
    lake = LakeResource(uri=str(folder))
    lake.lake.write("asset/2024-01.parquet", contents[0].read_bytes())

    leftovers = []
    for _ in range(5 * KILLS):
        leftover = _kill_a_writer_in_the_middle(folder, contents)

        frame, stamp = parquet.decode(lake.lake.read("asset/2024-01.parquet"))
        assert parquet.data_version(parquet.to_table(frame)) == stamp.data_version
        assert stamp.data_version in versions
        assert lake.partitions("asset") == ["2024-01"]
        if leftover:
            leftovers.append(leftover)
            leftover.unlink()
        if len(leftovers) == KILLS:
            break

    assert len(leftovers) == KILLS, "no kill came in the middle of a write"


def test_failed_write_leaves_the_old_object_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(str(tmp_path))
    lake.write("asset/object", b"old")

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, "fsync", full_disk)
        lake.write("asset/object", b"new")

    assert lake.read("asset/object") == b"old"
    assert list(lake.keys("asset")) == ["asset/object"]


def test_leftovers_go_with_a_later_write_but_not_those_of_a_running_one(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.write("asset/2024-01.parquet", b"content")
    old, new, other = (tmp_path / "asset" / name for name in (".2023-01.parquet.aa.tmp", ".2023-01.parquet.bb.tmp", "notes.tmp"))
    for path in (old, new, other):
        path.write_bytes(b"half an obj")
        os.utime(path, (time.time() - LEFTOVER_SECONDS - 60,) * 2)
    os.utime(new)

    lake.write("asset/2024-02.parquet", b"content")

    assert not old.exists()
    assert new.exists()
    assert other.exists()
    assert LakeResource(uri=str(tmp_path)).partitions("asset") == ["2024-01", "2024-02"]


def test_create_in_a_folder_without_hard_links_looks_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(str(tmp_path))

    def no_links(source: object, target: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)

    assert [lake.create("asset/object", content) for content in (b"first", b"second")] == [True, False]
    assert lake.read("asset/object") == b"first"
    assert list(lake.keys("asset")) == ["asset/object"]


def test_create_below_a_file_is_an_error(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.write("asset", b"content")

    with pytest.raises(FileExistsError):
        lake.create("asset/object", b"content")
