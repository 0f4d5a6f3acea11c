"""Which buckets the settings ask for, each once, and what expires in them."""

import pytest

from mlops_assets.settings import Settings
from mlops_assets.storage.buckets.plan import Bucket, Expiry, buckets_of

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
            "assets/",
            (Expiry("toy/encoded_test", "assets/toy/encoded_test/", 30), Expiry("toy/scaled_test", "assets/toy/scaled_test/", 30)),
        ),
        Bucket("s3", "mlflow", "artifacts/"),
        Bucket("s3", "logs", "compute_logs/", (Expiry("compute_logs", "compute_logs/", 30),)),
    ]


def test_one_bucket_for_everything_is_prepared_once() -> None:
    settings = Settings(mlops_lake_uri="gs://all", mlflow_artifacts_destination="gs://all/mlflow", mlops_compute_logs_bucket="all")

    (bucket,) = buckets_of(settings, INTERMEDIATE)

    assert (bucket.address, bucket.prefix) == ("gs://all", "")
    assert [expiry.prefix for expiry in bucket.expiries] == ["toy/encoded_test/", "toy/scaled_test/", "compute_logs/"]


def test_folders_are_no_buckets() -> None:
    assert buckets_of(Settings(mlops_lake_uri="/srv/lake", mlflow_artifacts_destination="file:///srv/mlflow"), INTERMEDIATE) == []


def test_store_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"abfs://lake/x: buckets are made in s3:// and gs:// only"):
        buckets_of(Settings(mlops_lake_uri="abfs://lake/x"), [])
