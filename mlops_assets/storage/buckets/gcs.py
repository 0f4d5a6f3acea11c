"""Buckets of Google Cloud Storage, by its own client with the credentials that this process has.

Its rules have no ids: which ones are ours say labels of the bucket, one for each lake, artifacts and logs in it, so that lakes of one
bucket leave each other's rules alone. Rules, labels and public access are set in one request.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from mlops_assets.storage.buckets.change import Change, Outcome
from mlops_assets.storage.buckets.plan import ARTIFACTS, INCOMPLETE_DAYS, LAKE, LOGS, Area, Bucket

LABEL = "mlops-assets-"
"""How a label's name begins; its value is the digests of an area's rules, joined by `_`."""
AREAS = {LAKE: "lake", ARTIFACTS: "artifacts", LOGS: "logs"}
ENFORCED = "enforced"
ABORT = "AbortIncompleteMultipartUpload"
DEADLINE_SECONDS = 30.0
"""For a question with all its repetitions; the client's own patience is two minutes."""

Rule = dict[str, Any]


def prepare_gcs(bucket: Bucket, *, location: str, dry_run: bool) -> list[Change]:
    """Brings the bucket to what it is to be, and says what became of each part. Errors of the store are among it, none is raised."""
    import requests
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        return _Preparation(bucket, location, dry_run).changes()
    except (GoogleAPIError, GoogleAuthError, requests.RequestException, OSError, ValueError) as error:
        return [Change(bucket.address, "bucket", Outcome.FAILED, _explained(error))]


class _Preparation:
    def __init__(self, bucket: Bucket, location: str, dry_run: bool) -> None:
        from google.cloud import storage
        from google.cloud.storage.retry import DEFAULT_RETRY

        self._bucket = bucket
        self._location = location
        self._dry_run = dry_run
        self._client: Any = storage.Client()
        self._patience: Any = {"timeout": DEADLINE_SECONDS, "retry": DEFAULT_RETRY.with_timeout(DEADLINE_SECONDS)}

    def changes(self) -> list[Change]:
        found = self._client.lookup_bucket(self._bucket.name, **self._patience)
        made = Outcome.UNCHANGED if found else Outcome.MADE
        if found is None:
            found = self._client.bucket(self._bucket.name)
            found.iam_configuration.uniform_bucket_level_access_enabled = True
            if not self._dry_run:
                found = self._client.create_bucket(found, location=self._location or None, **self._patience)
        return [self._change("bucket", made), *self._set(found)]

    def _set(self, found: Any) -> list[Change]:
        stored, labels = [dict(rule) for rule in found.lifecycle_rules], dict(found.labels)
        wanted = {_digest(rule): rule for area in self._bucket.areas for rule in _rules(area)}
        own = {_label(area): "_".join(map(_digest, _rules(area))) for area in self._bucket.areas}
        elsewhere = _digests(value for name, value in labels.items() if name.startswith(LABEL) and name not in own)
        known = _digests(labels.get(name, "") for name in own) | (elsewhere & wanted.keys())
        before = {_digest(rule): rule for rule in stored if _digest(rule) in known}
        others = [rule for rule in stored if _digest(rule) not in known]
        is_open = found.iam_configuration.public_access_prevention != ENFORCED
        if is_open or before.keys() != wanted.keys() or not own.items() <= labels.items():
            found.lifecycle_rules = [*others, *wanted.values()]
            found.labels = {**labels, **own}
            found.iam_configuration.public_access_prevention = ENFORCED
            if not self._dry_run:
                # Not over what somebody else has set since it was read.
                found.patch(if_metageneration_match=found.metageneration, **self._patience)
        return [
            self._change("public access", Outcome.CHANGED if is_open else Outcome.UNCHANGED, "prevented"),
            *(self._change("rule", Outcome.UNCHANGED if name in before else Outcome.MADE, _words(rule)) for name, rule in wanted.items()),
            *(self._change("rule", Outcome.REMOVED, _words(rule)) for name, rule in before.items() if name not in wanted),
            *(self._change("rule", Outcome.LEFT, f"{_whose(rule, elsewhere)}: {json.dumps(rule)}") for rule in others),
        ]

    def _change(self, part: str, outcome: Outcome, detail: str = "") -> Change:
        return Change(self._bucket.address, part, outcome, detail)


def _rules(area: Area) -> list[Rule]:
    """An age counts from when an object was written, so older versions of one go as well, where somebody has turned versioning on."""
    expiring: dict[int, list[str]] = {}
    for expiry in area.expiries:
        expiring.setdefault(expiry.days, []).append(expiry.prefix)
    under = {"matchesPrefix": [area.prefix]} if area.prefix else {}
    return [
        *({"action": {"type": "Delete"}, "condition": {"age": days, "matchesPrefix": prefixes}} for days, prefixes in expiring.items()),
        {"action": {"type": ABORT}, "condition": {"age": INCOMPLETE_DAYS, **under}},
    ]


def _label(area: Area) -> str:
    """A label's name takes no slash."""
    return f"{LABEL}{AREAS[area.setting]}-{hashlib.blake2b(area.prefix.encode(), digest_size=8).hexdigest()}"


def _digest(rule: Rule) -> str:
    return hashlib.blake2b(json.dumps(rule, sort_keys=True).encode(), digest_size=8).hexdigest()


def _digests(values: Iterable[str]) -> set[str]:
    return {digest for value in values for digest in value.split("_")}


def _whose(rule: Rule, elsewhere: set[str]) -> str:
    return "another deployment's" if _digest(rule) in elsewhere else "not ours"


def _words(rule: Rule) -> str:
    condition = rule["condition"]
    prefixes = ", ".join(condition.get("matchesPrefix", ["the bucket"]))
    if rule["action"]["type"] == ABORT:
        return f"uploads to {prefixes} that nobody completes go after {condition['age']} days"
    return f"expires after {condition['age']} days: {prefixes}"


def _explained(error: Exception) -> str:
    from google.api_core.exceptions import Conflict, Forbidden, PreconditionFailed, Unauthorized
    from google.auth.exceptions import DefaultCredentialsError

    remedies: dict[type[Exception], str] = {
        DefaultCredentialsError: "there are no credentials: set GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth application-default login`",
        Unauthorized: "the credentials are refused: get new ones",
        Forbidden: "it is somebody else's, or these credentials may not see, make or set it: storage.buckets.get, .create, .update",
        Conflict: "the name is taken: choose another one",
        PreconditionFailed: "somebody else has changed it at the same moment: do it again",
    }
    return next((text for kind, text in remedies.items() if isinstance(error, kind)), f"{type(error).__name__}: {error}")
