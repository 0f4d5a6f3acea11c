"""Buckets of an S3 server: what is made, that doing it again changes nothing, and what stores and credentials cannot do."""

import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest

from mlops_assets.settings import Settings
from mlops_assets.storage.buckets import Change, Outcome, prepare
from mlops_assets_tests.storage.gated_store import Asked, Refusal, gate

INTERMEDIATE = ["toy/split_train"]
EXPIRY = "rule mlops-assets/assets/toy/split_train"
UPLOADS = "rule mlops-assets/assets/incomplete-uploads"


@pytest.fixture
def name(s3_environment: str) -> str:
    return f"lake-{uuid.uuid4().hex}"


@pytest.fixture
def client(s3_environment: str) -> Any:
    return boto3.client("s3")


def _settings(name: str, **values: Any) -> Settings:
    return Settings(mlops_lake_uri=f"s3://{name}/assets", **values)


def _outcomes(changes: list[Change]) -> dict[str, Outcome]:
    return {change.part: change.outcome for change in changes}


def _rules(client: Any, bucket: str) -> dict[str, Any]:
    return {rule["ID"]: rule for rule in client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]}


def test_buckets_are_made_with_their_rules_and_shut(name: str, client: Any) -> None:
    artifacts, logs = f"{name}-mlflow", f"{name}-logs"
    settings = _settings(name, mlflow_artifacts_destination=f"s3://{artifacts}/x", mlops_compute_logs_bucket=logs)

    changes = prepare(settings, INTERMEDIATE)

    assert {(change.place, change.outcome) for change in changes if change.part == "bucket"} == {
        (f"s3://{bucket}", Outcome.MADE) for bucket in (name, artifacts, logs)
    }
    expiring = {
        bucket: {rule["Filter"]["Prefix"]: rule["Expiration"] for rule in _rules(client, bucket).values() if "Expiration" in rule}
        for bucket in (name, artifacts, logs)
    }
    assert expiring == {name: {"assets/toy/split_train/": {"Days": 60}}, artifacts: {}, logs: {"compute_logs/": {"Days": 60}}}
    for bucket, prefix in ((name, "assets/"), (artifacts, "x/"), (logs, "compute_logs/")):
        (uploads,) = [rule for rule in _rules(client, bucket).values() if "Expiration" not in rule]
        assert uploads["Filter"] == {"Prefix": prefix}
        assert uploads["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
        blocked = client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        assert {part for part, is_set in blocked.items() if is_set} == {"IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"}


def test_doing_it_again_changes_nothing(name: str, s3_environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(_settings(name), INTERMEDIATE)
    written: list[Asked] = []

    def judge(asked: Asked) -> None:
        if asked.method not in ("GET", "HEAD"):
            written.append(asked)

    with gate(s3_environment, judge) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        changes = prepare(_settings(name), INTERMEDIATE)

    assert set(_outcomes(changes).values()) == {Outcome.UNCHANGED}
    assert written == []


def test_own_rules_follow_the_settings_and_others_stay(name: str, client: Any) -> None:
    prepare(_settings(name, mlops_lake_retention_days=30), [*INTERMEDIATE, "toy/gone"])
    others = [
        {"ID": "old-fashioned", "Prefix": "tmp/", "Status": "Enabled", "Expiration": {"Days": 3}},
        {
            "ID": "tagged",
            "Filter": {"And": {"Prefix": "t/", "Tags": [{"Key": "a", "Value": "b"}]}},
            "Status": "Disabled",
            "Expiration": {"Days": 3},
        },
    ]
    both = [*client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"], *others]
    client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": both})

    changes = prepare(_settings(name), INTERMEDIATE)

    assert _outcomes(changes) == {
        "bucket": Outcome.UNCHANGED,
        "public access": Outcome.UNCHANGED,
        EXPIRY: Outcome.CHANGED,
        UPLOADS: Outcome.UNCHANGED,
        "rule mlops-assets/assets/toy/gone": Outcome.REMOVED,
        "rule old-fashioned": Outcome.LEFT,
        "rule tagged": Outcome.LEFT,
    }
    rules = _rules(client, name)
    assert set(rules) == {"mlops-assets/assets/toy/split_train", "mlops-assets/assets/incomplete-uploads", "old-fashioned", "tagged"}
    assert rules["mlops-assets/assets/toy/split_train"]["Expiration"] == {"Days": 60}
    assert rules["tagged"] == others[1]
    assert (rules["old-fashioned"]["Filter"], rules["old-fashioned"]["Expiration"]) == ({"Prefix": "tmp/"}, {"Days": 3})


def test_lakes_in_one_bucket_leave_each_others_rules(name: str, client: Any) -> None:
    deployment = _settings(name, mlops_compute_logs_bucket=name, mlflow_artifacts_destination=f"s3://{name}/mlflow")
    others = [Settings(mlops_lake_uri=uri) for uri in (f"s3://{name}", f"s3://{name}/assets/toy", f"s3://{name}/mlflow")]
    prepare(deployment, INTERMEDIATE)
    before = _rules(client, name)

    for lake in others:
        changes = prepare(lake, INTERMEDIATE)
        left = {change.part for change in changes if (change.outcome, change.detail) == (Outcome.LEFT, "another deployment's")}
        assert left >= {EXPIRY, UPLOADS, "rule mlops-assets/compute_logs", "rule mlops-assets/compute_logs/incomplete-uploads"}
        both = _rules(client, name)
        prepare(deployment, INTERMEDIATE)
        assert _rules(client, name) == both
        prepare(lake, [])

    after = _rules(client, name)
    assert {rule: after[rule] for rule in before} == before
    assert set(after) - set(before) == {"mlops-assets/incomplete-uploads", "mlops-assets/assets/toy/incomplete-uploads"}


def test_long_prefix_still_has_rules_of_its_own(name: str, client: Any) -> None:
    long = "p" * 300

    for _ in range(2):
        changes = prepare(Settings(mlops_lake_uri=f"s3://{name}/{long}"), ["toy/split_test", "toy/split_train"])

    assert {change.outcome for change in changes} == {Outcome.UNCHANGED}
    assert {rule["Filter"]["Prefix"] for rule in _rules(client, name).values()} == {
        f"{long}/{part}" for part in ("", "toy/split_test/", "toy/split_train/")
    }
    assert max(map(len, _rules(client, name))) == 255


def test_dry_run_says_the_same_and_touches_nothing(name: str, client: Any) -> None:
    tried = prepare(_settings(name), INTERMEDIATE, dry_run=True)

    assert name not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    assert prepare(_settings(name), INTERMEDIATE) == tried
    before = _rules(client, name)
    assert _outcomes(prepare(_settings(name), ["toy/other"], dry_run=True))[EXPIRY] is Outcome.REMOVED
    assert _rules(client, name) == before


def test_bucket_is_made_in_the_region_of_the_environment(name: str, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    prepare(_settings(name), INTERMEDIATE)

    assert client.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"


def test_settings_that_are_refused_touch_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="MLFLOW_ARTIFACTS_DESTINATION"):
        prepare(Settings(mlops_lake_uri=str(tmp_path / "lake"), mlflow_artifacts_destination="s3://b//x"), INTERMEDIATE)

    assert list(tmp_path.iterdir()) == []


def _is_upload_rule(asked: Asked) -> Refusal | None:
    return Refusal(400, "MalformedXML") if b"<AbortIncompleteMultipartUpload>" in asked.body else None


def _has(query: str) -> Any:
    return lambda asked: Refusal(501, "NotImplemented") if query in asked.path else None


@pytest.mark.parametrize(
    ("judge", "unknown", "made"),
    [
        (_has("lifecycle"), {"rules"}, {"bucket"}),
        (_has("publicAccessBlock"), {"public access"}, {"bucket", EXPIRY, UPLOADS}),
        (_is_upload_rule, {UPLOADS}, {"bucket", EXPIRY}),
    ],
)
def test_what_a_store_does_not_know_is_said_and_fails_nothing(
    name: str, s3_environment: str, monkeypatch: pytest.MonkeyPatch, judge: Any, unknown: set[str], made: set[str]
) -> None:
    with gate(s3_environment, judge) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        first, second = (_outcomes(prepare(_settings(name), INTERMEDIATE)) for _ in range(2))

    assert {part for part, outcome in first.items() if outcome is Outcome.UNKNOWN} == unknown
    assert {part for part, outcome in first.items() if outcome is Outcome.MADE} == made
    assert Outcome.FAILED not in first.values()
    assert {part for part, outcome in second.items() if outcome is not Outcome.UNCHANGED} == unknown


def test_credentials_that_may_not_make_buckets_are_enough_where_they_are_there(
    name: str, client: Any, s3_environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.create_bucket(Bucket=name)
    absent = f"{name}-absent"

    def judge(asked: Asked) -> Refusal | None:
        may_not = asked.method == "PUT" and "?" not in asked.path
        may_not_list = (
            asked.method == "GET" and "list-type" in asked.path and "prefix=assets" not in asked.path and "absent" not in asked.path
        )
        return Refusal(403, "AccessDenied") if may_not or may_not_list else None

    with gate(s3_environment, judge) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        changes = prepare(_settings(name, mlops_compute_logs_bucket=absent), INTERMEDIATE)

    failed = [change for change in changes if change.outcome is Outcome.FAILED]
    assert [(change.place, change.part) for change in failed] == [(f"s3://{absent}", "bucket")]
    assert "make it, or allow s3:CreateBucket" in failed[0].detail
    assert _outcomes([change for change in changes if change.place == f"s3://{name}"])[EXPIRY] is Outcome.MADE


@pytest.mark.parametrize(
    ("query", "part", "says"), [("list-type", "bucket", "another account's"), ("lifecycle", "rules", "s3:GetLifecycleConfiguration")]
)
def test_what_is_denied_is_said_with_what_it_takes(
    bucket: str, s3_environment: str, monkeypatch: pytest.MonkeyPatch, query: str, part: str, says: str
) -> None:
    with gate(s3_environment, lambda asked: Refusal(403, "AccessDenied") if query in asked.path else None) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        changes = prepare(_settings(bucket), INTERMEDIATE)

    (failed,) = [change for change in changes if change.outcome is Outcome.FAILED]
    assert (failed.part, says in failed.detail) == (part, True)


def test_wrong_key_is_said_without_the_secret(bucket: str, signatures_checked: None) -> None:
    (failed,) = prepare(_settings(bucket), INTERMEDIATE)

    assert (failed.outcome, failed.detail) == (Outcome.FAILED, "the store does not know this key: check AWS_ACCESS_KEY_ID")


def test_store_that_does_not_answer_is_named(s3_environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")

    (failed,) = prepare(_settings("lake"), INTERMEDIATE)

    assert (failed.outcome, "http://127.0.0.1:9/lake" in failed.detail) == (Outcome.FAILED, True)
