"""A bucket on S3 or a server that speaks it: one small object is written, read, listed and deleted. Comes with the `cloud` extra."""

import os
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mlops_assets.doctor.clocks import REMEDY as CLOCK_REMEDY
from mlops_assets.doctor.clocks import skew
from mlops_assets.doctor.probes import CONTENT, PROBES
from mlops_assets.doctor.problem import Finding, Problem

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

TIMEOUT_SECONDS = 4
KEYS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key that the store knows"
MAKE = "`mlops-assets lake init` makes the bucket, if the key may; or correct {setting}"
REGION = "set AWS_DEFAULT_REGION to the bucket's region"
REFUSALS = {
    "InvalidAccessKeyId": ("the store does not know the key AWS_ACCESS_KEY_ID", KEYS),
    "SignatureDoesNotMatch": ("AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID", KEYS),
    "AuthFailure": ("the store refuses the key", KEYS),
    "InvalidToken": ("the store refuses AWS_SESSION_TOKEN", "renew the session, or unset AWS_SESSION_TOKEN"),
    "ExpiredToken": ("AWS_SESSION_TOKEN has expired", "renew the session"),
    "NoSuchBucket": ("there is no bucket {bucket}", MAKE),
    "RequestTimeTooSkewed": ("the store refuses this machine's clock, which is more than 15 minutes off", CLOCK_REMEDY),
    "PermanentRedirect": ("the bucket {bucket} is in another region", REGION),
    "AuthorizationHeaderMalformed": ("the bucket {bucket} is in another region", REGION),
    "IllegalLocationConstraintException": ("the bucket {bucket} is in another region", REGION),
    "QuotaExceeded": ("the store's quota is full", "raise the quota, or delete what is not needed"),
    "XMinioStorageFull": ("the store's disk is full", "give the store a larger disk, or delete what is not needed"),
    "InsufficientStorage": ("the store is full", "give the store more room, or delete what is not needed"),
}
"""By the store's error code, what it means and what to do."""
ACTIONS = {
    "put_object": ("written", "s3:PutObject"),
    "get_object": ("read", "s3:GetObject"),
    "list_objects_v2": ("listed", "s3:ListBucket"),
    "delete_object": ("deleted", "s3:DeleteObject"),
}


def finding(part: str, uri: str, setting: str) -> Finding:
    """That this machine's key may do with the bucket what the platform does. Every request is sent once."""
    name, _, prefix = uri.removeprefix("s3://").partition("/")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    address = f"{uri} at {endpoint}" if endpoint else uri
    try:
        import boto3  # noqa: F401
    except ImportError:
        return Finding(part, address, "", (Problem(part, "S3's client is not installed", "pip install 'mlops-assets[cloud]'"),))
    headers: dict[str, str] = {}
    key = "/".join(filter(None, [prefix.strip("/"), PROBES, uuid.uuid4().hex]))
    problems = list(_probe(part, name, key, setting, headers))
    if not any(problem.remedy == CLOCK_REMEDY for problem in problems):
        problems += skew(part, headers)
    return Finding(part, address, headers.get("server", "") or "S3", tuple(problems))


def _probe(part: str, name: str, key: str, setting: str, headers: dict[str, str]) -> Iterator[Problem]:
    """The problems, one for each refused action, unless one says that nothing else can be learned. Fills in the answers' `headers`."""
    from boto3.session import Session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    config = Config(connect_timeout=TIMEOUT_SECONDS, read_timeout=TIMEOUT_SECONDS, retries={"total_max_attempts": 1, "mode": "standard"})
    requests: dict[str, dict[str, Any]] = {
        "put_object": {"Key": key, "Body": CONTENT},
        "get_object": {"Key": key},
        "list_objects_v2": {"Prefix": key, "MaxKeys": 1},
        "delete_object": {"Key": key},
    }
    try:
        client = Session().client("s3", config=config)
        client.meta.events.register("after-call.s3", lambda http_response, **_: headers.update(_lower(http_response.headers)))
        for action, request in requests.items():
            try:
                answer = getattr(client, action)(Bucket=name, **request)
            except ClientError as error:
                yield (problem := _refused(part, name, action, error, setting))
                if action == "put_object" or problem.heals:
                    return
                continue
            if action == "get_object":
                answer["Body"].close()
    except RecursionError:  # the client follows from region to region for ever
        yield Problem(
            part, "the store redirects in a circle", "correct AWS_ENDPOINT_URL_S3, AWS_DEFAULT_REGION, or the proxy before the store"
        )
    except (BotoCoreError, ValueError) as error:
        yield _unreached(part, error)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _refused(part: str, name: str, action: str, error: "ClientError", setting: str) -> Problem:
    told, status = error.response.get("Error", {}), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(told.get("Code", ""))
    if code in REFUSALS:
        what, remedy = REFUSALS[code]
        return Problem(part, what.format(bucket=name), remedy.format(setting=setting))
    done, permission = ACTIONS[action]
    if status in (401, 403):
        remedy = f"allow this key {permission} on the bucket {name}; deploy/iam has the whole policy"
        return Problem(part, f"nothing in the bucket {name} may be {done} with this key: {code}", remedy)
    what = f"the store answers {status} {code}: {told.get('Message', '')}"
    return Problem(part, what, "look into the store's own log, then ask again", heals=status >= 500)


def _unreached(part: str, error: Exception) -> Problem:
    from botocore import exceptions

    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError | exceptions.CredentialRetrievalError):
        return Problem(part, f"there is no key for the store: {error}", KEYS)
    if isinstance(error, exceptions.SSLError):
        remedy = "name the authority that signed it: AWS_CA_BUNDLE=/path/to/ca.pem; or write http:// in AWS_ENDPOINT_URL_S3"
        return Problem(part, f"the store's certificate is not accepted: {error}", remedy)
    if isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError):
        return Problem(part, f"the store cannot be reached: {error}", "start it, or correct AWS_ENDPOINT_URL_S3", heals=True)
    return Problem(part, f"the store cannot be asked: {error}", "correct the bucket's name, AWS_ENDPOINT_URL_S3 and AWS_DEFAULT_REGION")
