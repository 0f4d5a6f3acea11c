"""The example policies, enforced by an S3 server: what each identity needs works, and all else is refused."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
import yaml
from botocore.exceptions import ClientError

from mlops_assets.settings import Settings
from mlops_assets.storage.buckets.change import Outcome
from mlops_assets.storage.buckets.prepare import prepare
from mlops_assets.storage.lake import Lake

# A fixture belongs to the folder that declares it.
from mlops_assets_tests.storage.conftest import s3_environment, s3_server

__all__ = ["s3_environment", "s3_server"]

IAM = Path(__file__).resolve().parents[2] / "deploy/iam"
POLICIES = sorted((IAM / "s3").glob("*.json"))
LAKE, MLFLOW, OTHER = "lake", "mlflow", "somebody-elses"
LARGE = bytes(6 << 20)

Identity = Callable[[str], None]


@pytest.fixture
def become(s3_environment: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Identity]:
    """Takes on an identity with one of the policies: the server allows it what that says. Before the first, everybody may everything."""
    iam, made = boto3.client("iam", endpoint_url=s3_environment), []
    keys = {}
    for policy in POLICIES:
        iam.create_user(UserName=policy.stem)
        iam.put_user_policy(UserName=policy.stem, PolicyName="example", PolicyDocument=policy.read_text())
        keys[policy.stem] = iam.create_access_key(UserName=policy.stem)["AccessKey"]
        made.append(policy.stem)

    def let_in(requests_without_check: str) -> None:
        requests.post(f"{s3_environment}/moto-api/reset-auth", data=requests_without_check, timeout=10).raise_for_status()

    def take_on(name: str) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys[name]["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys[name]["SecretAccessKey"])
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the keys that it found first
        let_in("0")

    yield take_on
    let_in("inf")
    for name in made:
        iam.delete_access_key(UserName=name, AccessKeyId=keys[name]["AccessKeyId"])
        iam.delete_user_policy(UserName=name, PolicyName="example")
        iam.delete_user(UserName=name)


@pytest.fixture
def buckets(s3_environment: str) -> Iterator[Any]:
    """The platform's buckets and another one, each with objects; gives a client that may everything as long as nobody is checked."""
    client = boto3.client("s3")
    for name in (LAKE, MLFLOW, OTHER):
        client.create_bucket(Bucket=name)
        for key in ("assets/domain/raw/2017-01.parquet", "artifacts/1/model", "compute_logs/run/out", "private/object"):
            client.put_object(Bucket=name, Key=key, Body=b"there")
    yield client
    requests.post(f"{s3_environment}/moto-api/reset-auth", data="inf", timeout=10).raise_for_status()
    for name in (LAKE, MLFLOW, OTHER):
        for item in client.list_objects_v2(Bucket=name).get("Contents", []):
            client.delete_object(Bucket=name, Key=item["Key"])
        client.delete_bucket(Bucket=name)


def _refused(work: Callable[[], Any]) -> bool:
    try:
        work()
    except PermissionError:
        return True
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise  # a wrong signature would be refused as well
        return True
    return False


def _may(bucket: str, key: str) -> set[str]:
    """What the present identity may do with the object."""
    client = boto3.client("s3")
    work = {
        "get": lambda: client.get_object(Bucket=bucket, Key=key),
        "put": lambda: client.put_object(Bucket=bucket, Key=key, Body=b"new"),
        "delete": lambda: client.delete_object(Bucket=bucket, Key=key),
    }
    return {name for name, call in work.items() if not _refused(call)}


def test_lake_works_with_the_policy_of_the_lineage(buckets: Any, become: Identity) -> None:
    become("lineage")
    lake = Lake(f"s3://{LAKE}/assets")

    lake.write("domain/raw/2017-02.parquet", b"content")
    assert lake.create("domain/landed/one", b"once")
    assert not lake.create("domain/landed/one", b"twice")
    lake.write("domain/model/large.skops", LARGE)
    assert lake.read("domain/raw/2017-02.parquet") == b"content"
    assert lake.size("domain/model/large.skops") == len(LARGE)
    assert not lake.exists("domain/raw/2017-03.parquet")
    assert list(lake.keys("domain/raw")) == ["domain/raw/2017-01.parquet", "domain/raw/2017-02.parquet"]
    lake.delete("domain/raw/2017-02.parquet")
    assert not lake.exists("domain/raw/2017-02.parquet")


def test_lineage_is_refused_beside_its_prefixes(buckets: Any, become: Identity) -> None:
    become("lineage")

    assert _may(LAKE, "private/object") == set()
    assert _may(LAKE, "compute_logs/run/out") == {"get", "put"}
    assert _may(MLFLOW, "artifacts/1/model") == set()
    assert _may(OTHER, "assets/domain/raw/2017-01.parquet") == set()
    for bucket, prefix in ((LAKE, "private"), (OTHER, "assets")):
        lake = Lake(f"s3://{bucket}/{prefix}")
        with pytest.raises(PermissionError):
            lake.write("object", b"content")
        with pytest.raises(PermissionError):
            lake.read("object")


def test_lineage_changes_no_bucket(buckets: Any, become: Identity) -> None:
    become("lineage")
    client = boto3.client("s3")
    rules = {"Rules": [{"ID": "all", "Filter": {"Prefix": ""}, "Status": "Enabled", "Expiration": {"Days": 1}}]}

    assert _refused(lambda: client.put_bucket_lifecycle_configuration(Bucket=LAKE, LifecycleConfiguration=rules))
    assert _refused(lambda: client.put_bucket_policy(Bucket=LAKE, Policy="{}"))
    assert _refused(lambda: client.delete_bucket(Bucket=LAKE))
    assert _refused(lambda: client.create_bucket(Bucket="another"))


def test_webserver_and_mlflow_have_their_own_prefixes_only(buckets: Any, become: Identity) -> None:
    become("logs")
    assert _may(LAKE, "compute_logs/run/out") == {"get", "put"}
    assert _may(LAKE, "assets/domain/raw/2017-01.parquet") == set()
    assert _may(MLFLOW, "artifacts/1/model") == set()

    become("mlflow")
    assert _may(MLFLOW, "artifacts/1/model") == {"get", "put", "delete"}
    assert _may(MLFLOW, "private/object") == set()
    assert _may(LAKE, "assets/domain/raw/2017-01.parquet") == set()


def test_administrator_prepares_the_buckets_and_reads_nothing(buckets: Any, become: Identity) -> None:
    settings = Settings(
        _env_file=None,
        mlops_lake_uri=f"s3://{LAKE}/assets",
        mlops_compute_logs_bucket=LAKE,
        mlflow_artifacts_destination=f"s3://{MLFLOW}/artifacts",
    )
    become("administrator")

    changes = prepare(settings, ["domain/split"])

    assert {change.outcome for change in changes} <= {Outcome.MADE, Outcome.CHANGED, Outcome.UNCHANGED}, changes
    assert [change for change in prepare(settings, ["domain/split"]) if change.outcome is not Outcome.UNCHANGED] == []
    assert _may(LAKE, "assets/domain/raw/2017-01.parquet") == set()
    become("lineage")
    assert {change.outcome for change in prepare(settings, ["domain/scaled"])} & {Outcome.FAILED}


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.stem)
def test_policies_name_actions_and_places_one_by_one(policy: Path) -> None:
    for statement in json.loads(policy.read_text())["Statement"]:
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        resources = [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
        assert statement["Effect"] == "Allow"
        assert all(re.fullmatch(r"s3:[A-Z][A-Za-z]+", action) for action in actions)
        assert all(re.fullmatch(r"arn:aws:s3:::[a-z]+(/[a-z_]+/\*)?", resource) for resource in resources)


@pytest.mark.parametrize("role", sorted((IAM / "gcp").glob("*.yaml")), ids=lambda role: role.stem)
def test_roles_name_permissions_one_by_one(role: Path) -> None:
    permissions = yaml.safe_load(role.read_text())["includedPermissions"]

    assert permissions == sorted(set(permissions))
    assert all(re.fullmatch(r"storage\.(objects|buckets)\.(create|delete|get|list|update)", permission) for permission in permissions)
    assert not any("Policy" in permission or "Iam" in permission for permission in permissions)
