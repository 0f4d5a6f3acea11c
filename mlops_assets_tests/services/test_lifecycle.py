"""What a bucket forgets by itself: objects under the prefixes of its lifecycle rules, once they are old, and nothing else."""

import time
import uuid
from pathlib import Path

import pytest

from mlops_assets.settings import Settings
from mlops_assets.storage.buckets import prepare
from mlops_assets.storage.lake import Lake
from mlops_assets_tests.services.ceph import LIFECYCLE_DAY, CephGateway
from mlops_assets_tests.services.command import Command
from mlops_assets_tests.services.processes import PATIENCE

pytestmark = pytest.mark.services

DAYS = 3
"""The least that the platform lets expire."""

FORGOTTEN = ("chicago_crime/split_train/2017-12.parquet", "chicago_crime/scaled_train/2017-12.parquet")
PASSING = ("chicago_crime/split_train", "chicago_crime/encoded_test", "chicago_crime/scaled_train", "donostia_parking/series")
STAYING = (
    "chicago_crime/split_train_too",
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


def test_bucket_that_the_platform_sets_up_forgets_intermediate_stages_only(ceph: CephGateway, s3_environment: str, tmp_path: Path) -> None:
    bucket = f"bucket-{uuid.uuid4().hex}"
    lake_uri = f"s3://{bucket}/assets"
    command = Command(tmp_path, "lake", "init", environment={"MLOPS_LAKE_URI": lake_uri, **ceph.environment})
    assert command.wait() == 0, command.output
    expiring = _expiring(ceph, bucket)
    assert {f"assets/{stage}/" for stage in PASSING} <= expiring
    kept = {f"assets/{key}/2017-12.parquet" for key in STAYING}
    assert not [key for key in kept if key.startswith(tuple(expiring))]
    intermediate = {f"assets/{key}/2017-12.parquet" for key in PASSING[:2]}
    for key in kept | intermediate:
        ceph.client().put_object(Bucket=bucket, Key=key, Body=b"content")
    time.sleep(DAYS * LIFECYCLE_DAY)

    # Of two stages only: in a day of seconds the gateway does not get through the rules of all.
    prepare(Settings(_env_file=None, mlops_lake_uri=lake_uri, mlops_lake_retention_days=DAYS), PASSING[:2])

    until_forgotten(ceph, bucket, intermediate)
    assert set(ceph.objects(bucket)) == kept


def _expiring(ceph: CephGateway, bucket: str) -> set[str]:
    rules = ceph.client().get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    return {rule["Filter"]["Prefix"] for rule in rules if "Days" in rule.get("Expiration", {})}


def until_forgotten(ceph: CephGateway, bucket: str, keys: set[str]) -> None:
    """Waits until none of the keys is stored."""
    deadline = time.monotonic() + PATIENCE
    while left := keys & set(ceph.objects(bucket)):
        assert time.monotonic() < deadline, left
        time.sleep(0.5)
