"""Buckets of any S3 server, by boto3 with the settings of its own environment variables (AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID, ...).

A rule of ours is known by its id, and whose of several lakes in one bucket it is by its prefix. Older versions of an object, where
somebody has turned versioning on, go with the rule as well.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mlops_assets.storage.buckets.change import Change, Outcome
from mlops_assets.storage.buckets.plan import INCOMPLETE_DAYS, Bucket

OURS = "mlops-assets/"
INCOMPLETE = "incomplete-uploads"
ID_CHARACTERS = 255
"""S3 takes no longer ids."""
BLOCKED = {"IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
"""Public access control lists are ignored, not refused: where they are refused Ceph's gateway refuses every write, the owner's too."""
US_EAST_1 = "us-east-1"
"""The region that has no name where a bucket is made."""
WRONG_REGION = frozenset({"InvalidLocationConstraint", "IllegalLocationConstraintException"})
NOTHING_SET = frozenset({"NoSuchLifecycleConfiguration", "NoSuchPublicAccessBlockConfiguration"})
NOT_KNOWN = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})
DENIED = frozenset({"AccessDenied", "403"})
REMEDIES = {
    "InvalidAccessKeyId": "the store does not know this key: check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret is not this key's: check AWS_SECRET_ACCESS_KEY",
    "InvalidToken": "the session token is not this key's: check AWS_SESSION_TOKEN",
    "ExpiredToken": "the session token has expired: get a new AWS_SESSION_TOKEN",
    "RequestTimeTooSkewed": "this machine's clock is not the store's: set it",
    "BucketAlreadyExists": "the name is taken by another account: choose another one",
    "InvalidBucketName": "a bucket cannot be called this: 3 to 63 lower-case letters, digits and hyphens",
    "PermanentRedirect": "the bucket is in another region: set AWS_DEFAULT_REGION",
}

Rule = dict[str, Any]


def prepare_s3(bucket: Bucket, *, dry_run: bool) -> list[Change]:
    """Brings the bucket to what it is to be, and says what became of each part. Errors of the store are among it, none is raised."""
    from botocore.exceptions import BotoCoreError, ClientError

    changes: list[Change] = []
    try:
        preparation = _Preparation(bucket, dry_run)
        for part, step, denied in preparation.steps():
            try:
                changes += step()
            except ClientError as error:
                changes.append(Change(bucket.address, part, Outcome.FAILED, _explained(error, denied)))
            if part == "bucket" and changes[-1].outcome is Outcome.FAILED:
                break
    except (BotoCoreError, ValueError) as error:  # no credentials, no answer; a malformed address is a ValueError
        changes.append(Change(bucket.address, "bucket", Outcome.FAILED, str(error).partition("?")[0]))
    return changes


class _Preparation:
    """One bucket's parts. What a bucket has that is only to be made counts as nothing."""

    def __init__(self, bucket: Bucket, dry_run: bool) -> None:
        import boto3
        from botocore.config import Config

        self._bucket = bucket
        self._dry_run = dry_run
        self._is_absent = False
        self._client: Any = boto3.client("s3", config=Config(connect_timeout=10, retries={"mode": "standard", "total_max_attempts": 3}))

    def steps(self) -> Iterator[tuple[str, Callable[[], list[Change]], str]]:
        """Each part with what brings it about, and what is missing where these credentials are not enough."""
        yield "bucket", self._make, f"it is another account's, or these credentials may not list {self._bucket.prefix or 'it'} there"
        yield "public access", self._shut, "these credentials may not see or set it: s3:GetBucketPublicAccessBlock, s3:Put..."
        yield "rules", self._set_rules, "these credentials may not see or set them: s3:GetLifecycleConfiguration, s3:Put..."

    def _make(self) -> list[Change]:
        from botocore.exceptions import ClientError

        try:
            self._client.list_objects_v2(Bucket=self._bucket.name, Prefix=self._bucket.prefix, MaxKeys=1)
        except ClientError as error:
            if _code(error) != "NoSuchBucket":
                raise
        else:
            return [self._change("bucket", Outcome.UNCHANGED)]
        region = self._client.meta.region_name or US_EAST_1
        self._is_absent = self._dry_run
        if not self._dry_run:
            try:
                self._create(region)
            except ClientError as error:
                if _code(error) not in DENIED:
                    raise
                text = "there is none, and these credentials may not make one: make it, or allow s3:CreateBucket"
                return [self._change("bucket", Outcome.FAILED, text)]
        return [self._change("bucket", Outcome.MADE)]

    def _create(self, region: str) -> None:
        from botocore.exceptions import ClientError

        if region != US_EAST_1:
            try:
                self._client.create_bucket(Bucket=self._bucket.name, CreateBucketConfiguration={"LocationConstraint": region})
            except ClientError as error:
                if _code(error) not in WRONG_REGION:  # a server that is not Amazon's may know regions of its own, or none
                    raise
            else:
                return
        self._client.create_bucket(Bucket=self._bucket.name)

    def _shut(self) -> list[Change]:
        from botocore.exceptions import ClientError

        try:
            found = self._get(self._client.get_public_access_block).get("PublicAccessBlockConfiguration", {})
            if all(found.get(name) for name in BLOCKED):
                return [self._change("public access", Outcome.UNCHANGED, "blocked")]
            if not self._dry_run:
                self._client.put_public_access_block(Bucket=self._bucket.name, PublicAccessBlockConfiguration={**found, **BLOCKED})
        except ClientError as error:
            if _code(error) in DENIED:
                raise
            return [self._change("public access", Outcome.UNKNOWN, "the store has no such block; it is private unless a policy says else")]
        return [self._change("public access", Outcome.CHANGED, "blocked")]

    def _set_rules(self) -> list[Change]:
        from botocore.exceptions import ClientError

        try:
            found = self._get(self._client.get_bucket_lifecycle_configuration)
            stored = [_modern(rule) for rule in found.pop("Rules", [])]
            wanted = {rule["ID"]: rule for rule in _rules(self._bucket)}
            unknown = [] if self._dry_run else self._put(found, stored, wanted)
        except ClientError as error:
            if _code(error) not in NOT_KNOWN:
                raise
            return [self._change("rules", Outcome.UNKNOWN, "the store has no lifecycle: nothing expires there by itself")]
        return [*self._compared(stored, wanted), *unknown]

    def _put(self, found: Rule, stored: list[Rule], wanted: dict[str, Rule]) -> list[Change]:
        """Stores the rules if they are not there, and takes from `wanted` what the store does not take; `found` is what else is set."""
        from botocore.exceptions import ClientError

        try:
            self._put_rules(found, stored, wanted)
        except ClientError as error:
            if _code(error) in DENIED | NOT_KNOWN:
                raise
            # MinIO refuses this rule, and removes such uploads after a day whatever it is told.
            refused = [name for name, rule in wanted.items() if "AbortIncompleteMultipartUpload" in rule]
            for name in refused:
                del wanted[name]
            self._put_rules(found, stored, wanted)
            return [self._change(f"rule {name}", Outcome.UNKNOWN, f"the store does not take it ({_code(error)})") for name in refused]
        return []

    def _put_rules(self, found: Rule, stored: list[Rule], wanted: Mapping[str, Rule]) -> None:
        ours, others = self._parted(stored, wanted)
        if ours.keys() == wanted.keys() and all(_meaning(ours[name]) == _meaning(rule) for name, rule in wanted.items()):
            return
        rules = [*others, *wanted.values()]
        if rules:
            kept = {"TransitionDefaultMinimumObjectSize": size} if (size := found.get("TransitionDefaultMinimumObjectSize")) else {}
            self._client.put_bucket_lifecycle_configuration(Bucket=self._bucket.name, LifecycleConfiguration={"Rules": rules}, **kept)
        else:
            self._client.delete_bucket_lifecycle(Bucket=self._bucket.name)

    def _compared(self, stored: list[Rule], wanted: Mapping[str, Rule]) -> Iterator[Change]:
        before, others = self._parted(stored, wanted)
        for name, rule in wanted.items():
            outcome = Outcome.MADE
            if name in before:
                outcome = Outcome.UNCHANGED if _meaning(before[name]) == _meaning(rule) else Outcome.CHANGED
            yield self._change(f"rule {name}", outcome, _words(rule))
        for name in sorted(before.keys() - wanted.keys()):
            yield self._change(f"rule {name}", Outcome.REMOVED)
        for rule in others:
            name = rule.get("ID", "without an id")
            yield self._change(f"rule {name}", Outcome.LEFT, "another deployment's" if name.startswith(OURS) else "not ours")

    def _parted(self, stored: list[Rule], wanted: Mapping[str, Rule]) -> tuple[dict[str, Rule], list[Rule]]:
        """The rules of this lake, of its artifacts and logs, by id; and everybody else's, another deployment's among them."""
        ours = {rule["ID"]: rule for rule in stored if rule.get("ID") in wanted or _is_of(self._bucket, rule)}
        return ours, [rule for rule in stored if rule.get("ID") not in ours]

    def _get(self, ask: Callable[..., dict[str, Any]]) -> dict[str, Any]:
        """What is set; {} where nothing is."""
        from botocore.exceptions import ClientError

        if self._is_absent:
            return {}
        try:
            return ask(Bucket=self._bucket.name)
        except ClientError as error:
            if _code(error) in NOTHING_SET:
                return {}
            raise

    def _change(self, part: str, outcome: Outcome, detail: str = "") -> Change:
        return Change(self._bucket.address, part, outcome, detail)


def _rules(bucket: Bucket) -> Iterator[Rule]:
    for area in bucket.areas:
        for expiry in area.expiries:
            yield {
                "ID": _id(expiry.prefix.rstrip("/")),
                "Filter": {"Prefix": expiry.prefix},
                "Status": "Enabled",
                "Expiration": {"Days": expiry.days},
                "NoncurrentVersionExpiration": {"NoncurrentDays": expiry.days},
            }
        yield {
            "ID": _id(f"{area.prefix}{INCOMPLETE}"),
            "Filter": {"Prefix": area.prefix},
            "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": INCOMPLETE_DAYS},
        }


def _id(name: str) -> str:
    """For people, and unlike that of any other rule."""
    whole = f"{OURS}{name}"
    digest = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
    return whole if len(whole) <= ID_CHARACTERS else f"{whole[: ID_CHARACTERS - len(digest) - 1]}-{digest}"


def _is_of(bucket: Bucket, rule: Rule) -> bool:
    """Whether the platform has set the rule, and for one of the bucket's areas."""
    prefix = rule["Filter"].get("Prefix")
    if prefix is None or not str(rule.get("ID", "")).startswith(OURS):
        return False
    if "AbortIncompleteMultipartUpload" in rule:
        return any(prefix == area.prefix for area in bucket.areas)
    return any(area.has_expiry(prefix) for area in bucket.areas)


def _modern(rule: Rule) -> Rule:
    """The rule as a store takes it back: some give the prefix in the old place, or several conditions without saying that all must hold."""
    rule = dict(rule)
    filter_ = dict(rule.pop("Filter", None) or {})
    if "Prefix" in rule:
        filter_.setdefault("Prefix", rule.pop("Prefix"))
    if len(filter_) > 1 and "And" not in filter_:
        tag = filter_.pop("Tag", None)
        filter_ = {"And": {**filter_, **({"Tags": [tag]} if tag else {})}}
    return {**rule, "Filter": filter_ or {"Prefix": ""}}


def _meaning(rule: Rule) -> tuple[Any, ...]:
    """What a rule of ours says, however the store writes it down."""
    return (
        rule["Status"],
        rule["Filter"],
        rule.get("Expiration", {}).get("Days"),
        rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays"),
        rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation"),
    )


def _words(rule: Rule) -> str:
    if "Expiration" in rule:
        return f"{rule['Filter']['Prefix']} expires after {rule['Expiration']['Days']} days"
    return f"uploads to {rule['Filter']['Prefix'] or 'the bucket'} that nobody completes go after {INCOMPLETE_DAYS} days"


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _explained(error: Any, denied: str) -> str:
    code = _code(error)
    return denied if code in DENIED else REMEDIES.get(code, str(error))
