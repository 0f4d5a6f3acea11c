"""Which buckets the settings ask for, each once, and what expires in them."""

import pytest

from mlops_assets.settings import Settings
from mlops_assets.storage.buckets.plan import ARTIFACTS, LAKE, LOGS, STAGE_DEPTH, Area, Bucket, Expiry, buckets_of

INTERMEDIATE = ["toy/scaled_test", "toy/encoded_test"]


def test_every_bucket_has_its_own_expiries() -> None:
    settings = Settings(
        mlops_lake_uri="s3://lake/assets/",
        mlops_lake_retention_days=30,
        mlflow_artifacts_destination="s3://mlflow/artifacts",
        mlops_compute_logs_bucket="logs",
    )

    assert buckets_of(settings, INTERMEDIATE) == [
        Bucket(
            "s3",
            "lake",
            (
                Area(
                    LAKE,
                    "assets/",
                    (Expiry("toy/encoded_test", "assets/toy/encoded_test/", 30), Expiry("toy/scaled_test", "assets/toy/scaled_test/", 30)),
                    STAGE_DEPTH,
                ),
            ),
        ),
        Bucket("s3", "mlflow", (Area(ARTIFACTS, "artifacts/"),)),
        Bucket("s3", "logs", (Area(LOGS, "compute_logs/", (Expiry("compute_logs", "compute_logs/", 30),), 0),)),
    ]


def test_one_bucket_for_everything_is_prepared_once() -> None:
    settings = Settings(mlops_lake_uri="gs://all", mlflow_artifacts_destination="gs://all/mlflow", mlops_compute_logs_bucket="all")

    (bucket,) = buckets_of(settings, INTERMEDIATE)

    assert (bucket.address, bucket.prefix) == ("gs://all", "")
    assert [expiry.prefix for area in bucket.areas for expiry in area.expiries] == [
        "toy/encoded_test/",
        "toy/scaled_test/",
        "compute_logs/",
    ]


def test_folders_are_no_buckets() -> None:
    assert buckets_of(Settings(mlops_lake_uri="/srv/lake", mlflow_artifacts_destination="file:///srv/mlflow"), INTERMEDIATE) == []


@pytest.mark.parametrize(
    ("lake", "artifacts", "logs", "expires", "named"),
    [
        ("s3://b/compute_logs", None, "b", "compute_logs/", {LAKE, LOGS}),
        ("s3://b/compute_logs/mine", None, "b", "compute_logs/", {LAKE, LOGS}),
        ("/srv/lake", "s3://b/compute_logs/models", "b", "compute_logs/", {ARTIFACTS, LOGS}),
        ("s3://b/assets", "s3://b/assets/toy/scaled_test", None, "assets/toy/scaled_test/", {LAKE, ARTIFACTS}),
        ("s3://b/assets", "s3://b/assets/toy/scaled_test/1", None, "assets/toy/scaled_test/", {LAKE, ARTIFACTS}),
        ("s3://b/assets", "s3://b/assets/toy", None, "assets/toy/scaled_test/", {LAKE, ARTIFACTS}),
    ],
)
def test_what_expires_for_one_is_nothing_of_another_ones(
    lake: str, artifacts: str | None, logs: str | None, expires: str, named: set[str]
) -> None:
    settings = Settings(mlops_lake_uri=lake, mlflow_artifacts_destination=artifacts, mlops_compute_logs_bucket=logs)

    with pytest.raises(ValueError, match=f"s3://b/{expires} expire, .* give each of them a bucket or a prefix of its own") as refused:
        buckets_of(settings, INTERMEDIATE)

    assert {name for name in (LAKE, ARTIFACTS, LOGS) if name in str(refused.value)} == named


def test_neighbours_in_one_bucket_are_no_conflict() -> None:
    settings = Settings(
        mlops_lake_uri="s3://b/assets", mlflow_artifacts_destination="s3://b/assets/toy/scaled_test_2", mlops_compute_logs_bucket="b"
    )

    assert [area.prefix for area in buckets_of(settings, INTERMEDIATE)[0].areas] == [
        "assets/",
        "assets/toy/scaled_test_2/",
        "compute_logs/",
    ]


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("abfs://lake/x", "buckets are made in s3:// and gs:// only"),
        ("s3:/lake/x", "a slash is missing: write s3://bucket/prefix"),
        ("gs://key:NobodyMaySee@lake/x", "holds credentials"),
        ("s3://lake//assets", "has nothing between two slashes"),
        ("s3://lake/assets//", "has nothing between two slashes"),
        ("s3:///assets", "has nothing between two slashes"),
    ],
)
def test_malformed_address_is_refused_and_not_repeated(uri: str, says: str) -> None:
    for setting in (LAKE, ARTIFACTS):
        with pytest.raises(ValueError, match=f"^{setting}: {says}") as refused:
            buckets_of(Settings(**{setting.lower(): uri}), [])
        assert uri not in str(refused.value)
        assert "NobodyMaySee" not in str(refused.value)


@pytest.mark.parametrize("name", ["s3://logs", "logs/mine"])
def test_address_is_no_bucket_of_compute_logs(name: str) -> None:
    with pytest.raises(ValueError, match=f"{LOGS}: is an address"):
        buckets_of(Settings(mlops_compute_logs_bucket=name), [])
