"""The S3 server refuses, stops and comes back: what is stored is whole, errors say what and where, nobody asks again and again."""

import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets.storage.io_managers import FrameIOManager
from mlops_assets.storage.lake import Lake
from mlops_assets.storage.resource import LakeResource
from mlops_assets_tests.services.ceph import CephGateway
from mlops_assets_tests.services.processes import PATIENCE
from mlops_assets_tests.storage.test_io_managers import failure_of, frame_of, partitioned_asset, run

pytestmark = pytest.mark.services

UPLOADER = Path(__file__).with_name("uploader.py")
SECRET = "TheSecretNobodyMaySee"
PARTS = 16


@pytest.fixture
def wrong_secret(bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The bucket's name, for whom the store does not believe."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return bucket


@pytest.fixture
def unknown_key(bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The bucket's name, for whom the store does not know."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDNOBODY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return bucket


@pytest.mark.parametrize("who", ["wrong_secret", "unknown_key"])
def test_wrong_key_is_told_with_what_and_where_and_not_tried_again(ceph: CephGateway, request: pytest.FixtureRequest, who: str) -> None:
    lake = Lake(f"s3://{request.getfixturevalue(who)}/lake")
    works = {
        "write": lambda: lake.write("asset/object", b"content"),
        "create": lambda: lake.create("asset/object", b"content"),
        "read": lambda: lake.read("asset/object"),
        "size": lambda: lake.size("asset/object"),
        "keys": lambda: list(lake.keys("asset")),
        "delete": lambda: lake.delete("asset/object"),
    }
    for name, work in works.items():
        before = len(ceph.requests())

        with pytest.raises(PermissionError) as caught:
            work()

        told = str(caught.value)
        assert lake.location("asset") in told, name
        assert ceph.url in told, name
        assert SECRET not in "".join([repr(caught.value), *traceback.format_exception(caught.value)]), name
        asked = ceph.requests()[before:]
        assert {one.status for one in asked} == {403}, name
        assert 1 <= len(asked) <= 2, (name, asked)


def test_run_with_a_wrong_key_asks_a_few_times_and_ends(ceph: CephGateway, wrong_secret: str) -> None:
    before = len(ceph.requests())

    result = run([partitioned_asset()], {"frames": FrameIOManager(lake=LakeResource(uri=f"s3://{wrong_secret}"))}, "2024-01", "2024-04")

    assert f"s3://{wrong_secret}/domain/raw" in failure_of(result)
    assert SECRET not in "".join(str(event) for event in result.all_events)
    assert len(ceph.requests()) - before <= 5


def test_store_that_stops_in_the_middle_of_an_upload_shows_nothing_of_it(
    ceph: CephGateway, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(f"s3://{bucket}/lake")
    lake.write("asset/model.skops", b"old")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")  # it gives up sooner
    before = len(ceph.requests())
    with _uploader(lake) as writer:
        _wait_for_parts(ceph, before, writer)
        ceph.stop(at_once=True)
        said = writer.communicate(timeout=PATIENCE)[1]
    ceph.start()

    uploaded = [one for one in ceph.requests()[before:] if "partNumber=" in one.path]
    assert 1 <= len(uploaded) < PARTS
    assert writer.returncode == 1
    assert ceph.url in said
    assert ceph.secret_key not in said
    assert ceph.objects(bucket) == {"lake/asset/model.skops": 3}
    assert lake.read("asset/model.skops") == b"old"
    lake.write("asset/model.skops", b"whole")
    assert Lake(lake.uri).read("asset/model.skops") == b"whole"


def test_store_that_comes_back_in_the_middle_of_an_upload_has_all_of_it(ceph: CephGateway, bucket: str) -> None:
    lake = Lake(f"s3://{bucket}/lake")
    before = len(ceph.requests())
    with _uploader(lake) as writer:
        _wait_for_parts(ceph, before, writer)
        ceph.stop(at_once=True)
        ceph.start()
        said = writer.communicate(timeout=PATIENCE)[1]

    assert writer.returncode == 0, said
    assert set(ceph.objects(bucket).values()) == {PARTS * 5 * (1 << 20)}


def test_run_that_lost_the_store_completes_when_it_is_run_again(ceph: CephGateway, bucket: str) -> None:
    resource = LakeResource(uri=f"s3://{bucket}")
    down: list[Any] = [True]

    def compute(month: str) -> pd.DataFrame:
        if month == "2024-03" and down.pop():
            ceph.stop(at_once=True)
        return frame_of(month)

    try:
        lost = run([partitioned_asset(compute=compute)], {"frames": FrameIOManager(lake=resource)}, "2024-01", "2024-04")
    finally:
        ceph.start()
    assert f'connect to the endpoint URL: "{ceph.url}/{bucket}/domain/raw/2024-03.parquet"' in failure_of(lost)
    assert resource.partitions("domain/raw") == ["2024-01", "2024-02"]

    again = run([partitioned_asset()], {"frames": FrameIOManager(lake=resource)}, "2024-01", "2024-04")

    assert again.success
    assert resource.partitions("domain/raw") == ["2024-01", "2024-02", "2024-03", "2024-04"]


def _uploader(lake: Lake) -> "subprocess.Popen[str]":
    command = [sys.executable, str(UPLOADER), lake.uri, "asset/model.skops", str(PARTS)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def _wait_for_parts(ceph: CephGateway, before: int, writer: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + PATIENCE
    while not any("partNumber=" in one.path for one in ceph.requests()[before:]):
        assert writer.poll() is None, writer.stderr.read() if writer.stderr else ""
        assert time.monotonic() < deadline
        time.sleep(0.005)
