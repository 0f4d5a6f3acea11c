"""What a bucket forgets by itself: objects under the prefixes of its lifecycle rules, once they are old, and nothing else."""

import time
import uuid
from pathlib import Path

import pytest

from mlops_assets.storage.lake import Lake
from mlops_assets_tests.services.ceph import CephGateway
from mlops_assets_tests.services.command import Command
from mlops_assets_tests.services.processes import PATIENCE

pytestmark = pytest.mark.services

FORGOTTEN = ("chicago_crime/split_train/2017-12.parquet", "chicago_crime/scaled_train/2017-12.parquet")
PASSING = ("chicago_crime/split_train", "chicago_crime/encoded_test", "chicago_crime/scaled_train", "donostia_parking/series")
STAYING = (
    *(f"chicago_crime/{stage}" for stage in ("raw_crimes", "enriched", "enricher", "model", "evaluation", "registered_model", "champion")),
    "forest_cover/landed",
)
KEPT = ("chicago_crime/raw_crimes/2017-12.parquet", "chicago_crime/model/2017-12.skops", "chicago_crime/split_comparison/2017-12.parquet")


def test_old_objects_of_a_rule_are_forgotten_and_no_others(ceph: CephGateway, bucket: str) -> None:
    lake = Lake(f"s3://{bucket}/assets")
    for key in (*FORGOTTEN, *KEPT):
        lake.write(key, b"content")
    rules = [
        {"ID": stage, "Status": "Enabled", "Filter": {"Prefix": f"assets/chicago_crime/{stage}/"}, "Expiration": {"Days": 1}}
        for stage in ("split_train", "scaled_train")
    ]
    ceph.client().put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})

    until_forgotten(ceph, bucket, {f"assets/{key}" for key in FORGOTTEN})

    assert set(ceph.objects(bucket)) == {f"assets/{key}" for key in KEPT}
    for key in FORGOTTEN:
        with pytest.raises(FileNotFoundError):
            lake.read(key)


def test_bucket_that_the_platform_sets_up_forgets_intermediate_stages_only(ceph: CephGateway, tmp_path: Path) -> None:
    bucket = f"bucket-{uuid.uuid4().hex}"
    settings = {"MLOPS_LAKE_URI": f"s3://{bucket}/assets", "MLOPS_LAKE_RETENTION_DAYS": "1", **ceph.environment}
    command = Command(tmp_path, "lake", "init", environment=settings)
    assert command.wait() == 0, command.output
    kept = {f"assets/{key}/2017-12.parquet" for key in STAYING}
    intermediate = {f"assets/{key}/2017-12.parquet" for key in PASSING}
    for key in kept | intermediate:
        ceph.client().put_object(Bucket=bucket, Key=key, Body=b"content")

    until_forgotten(ceph, bucket, intermediate)

    assert set(ceph.objects(bucket)) == kept


def until_forgotten(ceph: CephGateway, bucket: str, keys: set[str]) -> None:
    """Waits until none of the keys is stored."""
    deadline = time.monotonic() + PATIENCE
    while left := keys & set(ceph.objects(bucket)):
        assert time.monotonic() < deadline, left
        time.sleep(0.5)
