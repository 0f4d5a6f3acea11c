"""Stores: a folder, an S3 server that checks signatures and rights, a Google Cloud Storage server."""

import json
import uuid
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from time import time

import boto3
import pytest
import requests

from mlops_assets.doctor import Finding, Part, folder
from mlops_assets_tests.doctor.conftest import SECRETS, Examine, answering, closed, in_the_way, only


def test_folders_that_do_not_exist_yet_are_sound_and_stay_so(problems: Examine, home: Path) -> None:
    assert problems(Part.DISK, Part.LAKE, Part.WAREHOUSE, Part.MLFLOW, Part.DAGSTER) == []
    assert not home.exists()


def test_a_folder_that_cannot_be_written_is_every_parts_own_problem(problems: Examine, home: Path) -> None:
    in_the_way(home)

    found = problems(Part.DISK, Part.LAKE, Part.WAREHOUSE, Part.MLFLOW, Part.DAGSTER, thorough=False)

    assert [problem.part for problem in found] == [Part.DISK, Part.LAKE, Part.WAREHOUSE, Part.MLFLOW, Part.DAGSTER]
    assert {problem.what.partition(": ")[2] for problem in found} == {"Not a directory"}
    assert "MLOPS_LAKE_URI" in found[1].remedy


def test_a_disk_that_is_nearly_full_is_named(problems: Examine, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "LEAST_FREE_BYTES", 1 << 62)

    assert [problem.part for problem in problems(Part.DISK, Part.LAKE, Part.WAREHOUSE)] == [Part.DISK, Part.LAKE, Part.WAREHOUSE]


@pytest.fixture
def s3_lake(bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The bucket of the lake; whoever has a key may do everything."""
    monkeypatch.setenv("MLOPS_LAKE_URI", f"s3://{bucket}/my assets")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRETS["AWS_SECRET_ACCESS_KEY"])
    return bucket


def test_a_bucket_that_works_is_left_as_it_was(
    s3_lake: str, s3_server: str, findings: Callable[..., list[Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_COMPUTE_LOGS_BUCKET", s3_lake)

    lake, logs = findings(Part.LAKE, Part.COMPUTE_LOGS)

    assert (lake.problems, logs.problems) == ((), ())
    assert lake.address == f"s3://{s3_lake}/my assets at {s3_server}"
    assert logs.address.startswith(f"s3://{s3_lake}/compute_logs")
    assert lake.version
    assert boto3.client("s3").list_objects_v2(Bucket=s3_lake)["KeyCount"] == 0


def test_a_bucket_that_is_missing_can_be_made(s3_lake: str, problems: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAKE_URI", "s3://no-such-bucket/assets")

    problem = only(problems(Part.LAKE))

    assert problem.what == "there is no bucket no-such-bucket"
    assert "`mlops-assets lake init`" in problem.remedy
    assert not problem.heals


def test_a_key_that_the_store_does_not_know_is_named(s3_lake: str, signatures_checked: None, problems: Examine) -> None:
    problem = only(problems(Part.LAKE))

    assert "does not know the key AWS_ACCESS_KEY_ID" in problem.what
    assert not problem.heals


@pytest.fixture
def allow(s3_lake: str, s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Makes the environment's key one that may do these actions and nothing else."""

    def make(*actions: str) -> None:
        iam, name = boto3.client("iam", endpoint_url=s3_server), f"user-{uuid.uuid4().hex}"
        iam.create_user(UserName=name)
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
        iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        requests.post(f"{s3_server}/moto-api/reset-auth", data="0", timeout=10).raise_for_status()

    yield make
    requests.post(f"{s3_server}/moto-api/reset-auth", data="inf", timeout=10).raise_for_status()


def test_a_secret_that_belongs_to_another_key_is_named(
    allow: Callable[..., None], problems: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow("s3:*")
    assert problems(Part.LAKE) == []

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRETS["AWS_SECRET_ACCESS_KEY"])

    assert "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID" in only(problems(Part.LAKE)).what


def test_each_right_that_is_missing_is_named(allow: Callable[..., None], problems: Examine) -> None:
    allow("s3:PutObject")

    found = problems(Part.LAKE)

    assert [problem.remedy.split()[3] for problem in found] == ["s3:GetObject", "s3:ListBucket", "s3:DeleteObject"]


def test_a_key_that_may_only_read_may_not_write(allow: Callable[..., None], problems: Examine) -> None:
    allow("s3:GetObject", "s3:ListBucket")

    assert "s3:PutObject" in only(problems(Part.LAKE)).remedy


def test_a_store_that_does_not_answer_may_come_back(s3_lake: str, problems: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{closed()}")

    problem = only(problems(Part.LAKE))

    assert "cannot be reached" in problem.what
    assert problem.heals


def test_without_a_key_there_is_nothing_to_ask(s3_lake: str, problems: Examine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    assert "set AWS_ACCESS_KEY_ID" in only(problems(Part.LAKE)).remedy


@pytest.mark.parametrize(("minutes", "word"), [(-14, "14 minutes ahead of"), (60, "60 minutes behind")])
def test_a_clock_that_is_off_is_told_before_the_store_refuses_it(
    s3_lake: str, problems: Examine, monkeypatch: pytest.MonkeyPatch, minutes: int, word: str
) -> None:
    with answering(200, date=formatdate(time() + 60 * minutes, usegmt=True)) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)

        problem = only(problems(Part.LAKE))

    assert f"this machine's clock is {word}" in problem.what
    assert "timedatectl" in problem.remedy


def test_a_clock_that_the_store_refuses_is_one_problem(s3_lake: str, problems: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = b"<Error><Code>RequestTimeTooSkewed</Code><Message>off</Message></Error>"
    with answering(403, refusal, content_type="application/xml", date=formatdate(time() + 3600, usegmt=True)) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)

        assert "refuses this machine's clock" in only(problems(Part.LAKE)).what


def test_each_request_is_sent_once(s3_lake: str, problems: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(503, b"<Error><Code>SlowDown</Code><Message>aws-secret-0815</Message></Error>") as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)

        problem = only(problems(Part.LAKE))

    assert "the store answers 503" in problem.what
    assert problem.heals


def test_a_store_that_redirects_in_a_circle_is_named(s3_lake: str, problems: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(301, location="/elsewhere") as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)

        assert only(problems(Part.LAKE)).what == "the store redirects in a circle"


def test_a_google_bucket_that_works_is_left_as_it_was(
    gcs_bucket: str, gcs_server: str, problems: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_LAKE_URI", f"gs://{gcs_bucket}/my assets")

    assert problems(Part.LAKE) == []

    assert not requests.get(f"{gcs_server}/storage/v1/b/{gcs_bucket}/o", timeout=10).json().get("items")


def test_a_google_bucket_that_is_missing_can_be_made(gcs_bucket: str, problems: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAKE_URI", "gs://no-such-bucket/assets")

    problem = only(problems(Part.LAKE))

    assert problem.what == "there is no bucket no-such-bucket"
    assert "`mlops-assets lake init`" in problem.remedy


@pytest.mark.parametrize(("status", "says"), [(401, "refuses the credentials"), (403, "may be written"), (503, "answers 503")])
def test_what_google_refuses_is_named(gcs_bucket: str, problems: Examine, monkeypatch: pytest.MonkeyPatch, status: int, says: str) -> None:
    with answering(status) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        monkeypatch.setenv("MLOPS_LAKE_URI", "gs://lake")

        problem = only(problems(Part.LAKE))

    assert says in problem.what
    assert problem.heals is (status == 503)
