"""`mlops-assets lake init` on a folder and on a real S3 server's protocol: what it prints, and how it ends."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from mlops_assets_tests.storage.conftest import s3_environment, s3_server  # noqa: F401  # fixtures

Command = Callable[..., Any]


@pytest.fixture
def s3(s3_environment: str) -> Any:  # noqa: F811  # the fixture's name
    return boto3.client("s3")


def test_folder_is_made_and_keeps_everything(cli: Command, home: Path) -> None:
    ended = cli("lake", "init")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0] == str(home / "lake")
    assert "made         folder: nothing expires in a folder" in ended.out
    assert (home / "lake").is_dir()
    assert "unchanged    folder" in cli("lake", "init").out


def test_buckets_of_every_system_are_prepared_once(cli: Command, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAKE_URI", "s3://lake/assets")

    tried, first, second = cli("lake", "init", "--dry-run"), cli("lake", "init"), cli("lake", "init")

    assert (tried.code, first.code, second.code) == (0, 0, 0)
    assert "would be made    bucket" in tried.out
    assert first.out.startswith("s3://lake\n  made         bucket\n")
    for rule in ("chicago_crime/balanced", "forest_cover/split_test", "donostia_parking/series"):
        assert f"rule mlops-assets/assets/{rule}: assets/{rule}/ expires after 60 days" in first.out
    assert {line.split()[0] for line in second.out.splitlines()} == {"s3://lake", "unchanged"}
    rules = s3.get_bucket_lifecycle_configuration(Bucket="lake")["Rules"]
    prefixes = {rule["Filter"]["Prefix"] for rule in rules if "Expiration" in rule}
    kept = ("raw_", "rejected_", "enriche", "model", "registered_model", "champion", "evaluation", "answers", "readings")
    assert [prefix for prefix in prefixes if prefix.split("/")[2].startswith(kept)] == []


def test_what_fails_is_said_and_ends_the_command_with_1(cli: Command, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAKE_URI", "s3://lake/assets")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")

    ended = cli("lake", "init")

    assert ended.code == 1
    assert "failed       bucket: Could not connect to the endpoint URL" in ended.out
    assert "TheSecretNobodyMaySee" not in ended.out + ended.err


def test_settings_are_checked_first(cli: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAKE_URI", "abfs://lake/assets")
    monkeypatch.setenv("MLOPS_COMPUTE_LOGS_BUCKET", "s3://logs")

    ended = cli("lake", "init")

    assert ended.code == 2
    assert "2 problems" in ended.err
    assert "MLOPS_LAKE_URI: begins with none of s3://, gs://, file://" in ended.err
    assert "MLOPS_COMPUTE_LOGS_BUCKET: is an address" in ended.err


def test_settings_that_would_let_models_expire_touch_no_bucket(cli: Command, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAKE_URI", "s3://foreign/assets")
    monkeypatch.setenv("MLFLOW_ARTIFACTS_DESTINATION", "s3://foreign/assets/forest_cover/split_train")

    ended = cli("lake", "init")

    assert ended.code == 2
    assert "MLOPS_LAKE_URI lets s3://foreign/assets/forest_cover/split_train/ expire, and MLFLOW_ARTIFACTS_DESTINATION" in ended.err
    assert "foreign" not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}


def test_secret_of_an_address_is_not_printed(cli: Command, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAKE_URI", "s3://lake/assets")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://someone:SecretNobodyMaySee@127.0.0.1:9")

    ended = cli("lake", "init")

    assert (ended.code, "someone:***@127.0.0.1:9" in ended.out) == (1, True)
    assert "SecretNobodyMaySee" not in ended.out + ended.err
