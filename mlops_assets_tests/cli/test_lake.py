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
        assert f"rule mlops-assets/{rule}: assets/{rule}/ expires after 60 days" in first.out
    assert {line.split()[0] for line in second.out.splitlines()} == {"s3://lake", "unchanged"}
    prefixes = {rule["Filter"]["Prefix"] for rule in s3.get_bucket_lifecycle_configuration(Bucket="lake")["Rules"]}
    kept = ("raw_", "rejected_", "enriche", "model", "registered_model", "champion", "evaluation", "answers", "readings")
    assert [prefix for prefix in prefixes if prefix and prefix.split("/")[2].startswith(kept)] == []


def test_what_fails_is_said_and_ends_the_command_with_1(cli: Command, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAKE_URI", "s3://lake/assets")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")

    ended = cli("lake", "init")

    assert ended.code == 1
    assert "failed       bucket: Could not connect to the endpoint URL" in ended.out
    assert "TheSecretNobodyMaySee" not in ended.out + ended.err


def test_store_that_has_no_buckets_of_ours_is_refused(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAKE_URI", "abfs://lake/assets")

    ended = cli("lake", "init")

    assert ended.code == 2
    assert "buckets are made in s3:// and gs:// only" in ended.err
