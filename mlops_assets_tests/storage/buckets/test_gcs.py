"""Buckets of a Google Cloud Storage server: its rules have no ids, and still none but ours is touched."""

import uuid
from pathlib import Path
from typing import Any

import pytest
import requests

from mlops_assets.settings import Settings
from mlops_assets.storage.buckets import Change, Outcome, prepare

FOREIGN = {"action": {"type": "Delete"}, "condition": {"age": 60, "matchesPrefix": ["assets/toy/raw/"]}}
UPLOADS = {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 7, "matchesPrefix": ["assets/"]}}


@pytest.fixture
def name(gcs_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "the-project")
    return f"lake-{uuid.uuid4().hex}"


def _prepare(name: str, intermediate: list[str], **options: Any) -> list[Change]:
    days = options.pop("days", 60)
    return prepare(Settings(mlops_lake_uri=f"gs://{name}/assets", mlops_lake_retention_days=days), intermediate, **options)


def _stored(server: str, name: str) -> dict[str, Any]:
    answer = requests.get(f"{server}/storage/v1/b/{name}", timeout=10)
    return answer.json() if answer.ok else {}


def _expiry(days: int, *stages: str) -> dict[str, Any]:
    return {"action": {"type": "Delete"}, "condition": {"age": days, "matchesPrefix": [f"assets/toy/{stage}/" for stage in stages]}}


def test_bucket_is_made_shut_and_given_its_rules(name: str, gcs_server: str) -> None:
    tried = _prepare(name, ["toy/split_test", "toy/scaled_test"], location="EU", dry_run=True)
    assert _stored(gcs_server, name) == {}

    changes = _prepare(name, ["toy/split_test", "toy/scaled_test"], location="EU")

    assert changes == tried
    assert [change.outcome for change in changes] == [Outcome.MADE, Outcome.CHANGED, Outcome.MADE, Outcome.MADE]
    bucket = _stored(gcs_server, name)
    assert bucket["lifecycle"]["rule"] == [_expiry(60, "scaled_test", "split_test"), UPLOADS]
    assert bucket["iamConfiguration"]["publicAccessPrevention"] == "enforced"


def test_doing_it_again_changes_nothing(name: str, gcs_server: str) -> None:
    _prepare(name, ["toy/split_test"])
    before = _stored(gcs_server, name)

    changes = _prepare(name, ["toy/split_test"])

    assert {change.outcome for change in changes} == {Outcome.UNCHANGED}
    assert _stored(gcs_server, name) == before


def test_own_rules_follow_the_settings_and_others_stay(name: str, gcs_server: str) -> None:
    _prepare(name, ["toy/split_test"], days=30)
    rules = [FOREIGN, *_stored(gcs_server, name)["lifecycle"]["rule"]]
    labels = {**_stored(gcs_server, name)["labels"], "team": "data"}
    requests.patch(
        f"{gcs_server}/storage/v1/b/{name}", json={"lifecycle": {"rule": rules}, "labels": labels}, timeout=10
    ).raise_for_status()

    changes = _prepare(name, ["toy/split_test"])

    assert [change.outcome for change in changes if change.part == "rule"] == [
        Outcome.MADE,
        Outcome.UNCHANGED,
        Outcome.REMOVED,
        Outcome.LEFT,
    ]
    bucket = _stored(gcs_server, name)
    assert bucket["lifecycle"]["rule"] == [FOREIGN, _expiry(60, "split_test"), UPLOADS]
    assert bucket["labels"]["team"] == "data"


def test_lakes_in_one_bucket_leave_each_others_rules(name: str, gcs_server: str) -> None:
    whole = Settings(mlops_lake_uri=f"gs://{name}")
    prepare(Settings(mlops_lake_uri=f"gs://{name}/assets", mlops_compute_logs_bucket=name), ["toy/split_test"])
    before = _stored(gcs_server, name)

    changes = prepare(whole, ["toy/split_test"])

    left = [change.detail for change in changes if change.outcome is Outcome.LEFT]
    assert (len(left), {detail.partition(":")[0] for detail in left}) == (4, {"another deployment's"})
    prepare(whole, [])
    after = _stored(gcs_server, name)
    assert after["lifecycle"]["rule"] == [
        *before["lifecycle"]["rule"],
        {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 7}},
    ]
    assert {label: after["labels"][label] for label in before["labels"]} == before["labels"]
    assert all(len(text) <= 63 for label in after["labels"].items() for text in label), "Google takes no longer ones"


def test_rule_that_another_area_has_as_well_is_there_once_and_is_both_ones(name: str, gcs_server: str, tmp_path: Path) -> None:
    prepare(Settings(mlops_lake_uri=f"gs://{name}"), ["toy/split_test"])
    before = _stored(gcs_server, name)

    artifacts = Settings(mlops_lake_uri=str(tmp_path), mlflow_artifacts_destination=f"gs://{name}")
    changes = prepare(artifacts, [], dry_run=True)
    prepare(artifacts, [])

    assert [change.outcome for change in changes if change.part == "rule"] == [Outcome.UNCHANGED, Outcome.LEFT]
    after = _stored(gcs_server, name)
    expiry, uploads = before["lifecycle"]["rule"]
    assert sorted(after["lifecycle"]["rule"], key=str) == sorted([expiry, uploads], key=str)
    assert [label.rpartition("-")[0] for label in sorted(after["labels"])] == ["mlops-assets-artifacts", "mlops-assets-lake"]


def test_store_that_does_not_answer_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_assets.storage.buckets.gcs.DEADLINE_SECONDS", 0.1)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")

    (failed,) = _prepare(name, [])

    assert (failed.part, failed.outcome) == ("bucket", Outcome.FAILED)


def test_missing_credentials_are_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file.json")

    (failed,) = _prepare(name, [])

    assert (failed.outcome, "GOOGLE_APPLICATION_CREDENTIALS" in failed.detail) == (Outcome.FAILED, True)
