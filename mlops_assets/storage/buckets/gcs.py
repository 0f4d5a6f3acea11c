"""Buckets of Google Cloud Storage, by its own client with the credentials that this process has.

Its rules have no ids: which ones are ours says a label of the bucket. Rules, label and public access are set in one request.
"""

import hashlib
import json
from typing import Any

from mlops_assets.storage.buckets.change import Change, Outcome
from mlops_assets.storage.buckets.plan import INCOMPLETE_DAYS, Bucket

LABEL = "mlops-assets-rules"
"""Digests of the rules that are ours, joined by `_`."""
ENFORCED = "enforced"
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
        known = set(labels.get(LABEL, "").split("_"))
        before = {_digest(rule): rule for rule in stored if _digest(rule) in known}
        wanted = {_digest(rule): rule for rule in _rules(self._bucket)}
        others = [rule for rule in stored if _digest(rule) not in known]
        is_open = found.iam_configuration.public_access_prevention != ENFORCED
        if is_open or before.keys() != wanted.keys():
            found.lifecycle_rules = [*others, *wanted.values()]
            found.labels = {**labels, LABEL: "_".join(wanted)}
            found.iam_configuration.public_access_prevention = ENFORCED
            if not self._dry_run:
                # Not over what somebody else has set since it was read.
                found.patch(if_metageneration_match=found.metageneration, **self._patience)
        return [
            self._change("public access", Outcome.CHANGED if is_open else Outcome.UNCHANGED, "prevented"),
            *(self._change("rule", Outcome.UNCHANGED if name in before else Outcome.MADE, _words(rule)) for name, rule in wanted.items()),
            *(self._change("rule", Outcome.REMOVED, _words(rule)) for name, rule in before.items() if name not in wanted),
            *(self._change("rule", Outcome.LEFT, f"not ours: {json.dumps(rule)}") for rule in others),
        ]

    def _change(self, part: str, outcome: Outcome, detail: str = "") -> Change:
        return Change(self._bucket.address, part, outcome, detail)


def _rules(bucket: Bucket) -> list[Rule]:
    """An age counts from when an object was written, so older versions of one go as well, where somebody has turned versioning on."""
    expiring: dict[int, list[str]] = {}
    for expiry in bucket.expiries:
        expiring.setdefault(expiry.days, []).append(expiry.prefix)
    return [
        *({"action": {"type": "Delete"}, "condition": {"age": days, "matchesPrefix": prefixes}} for days, prefixes in expiring.items()),
        {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": INCOMPLETE_DAYS}},
    ]


def _digest(rule: Rule) -> str:
    return hashlib.blake2b(json.dumps(rule, sort_keys=True).encode(), digest_size=8).hexdigest()


def _words(rule: Rule) -> str:
    condition = rule["condition"]
    if "matchesPrefix" in condition:
        return f"expires after {condition['age']} days: {', '.join(condition['matchesPrefix'])}"
    return f"uploads that nobody completes go after {condition['age']} days"


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
