"""A bucket on Google Cloud Storage: one small object is written, read, listed and deleted. Comes with the `cloud` extra."""

import os
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from mlops_assets.doctor.clocks import skew
from mlops_assets.doctor.probes import CONTENT, PROBES
from mlops_assets.doctor.problem import Finding, Problem
from mlops_assets.doctor.web import cause

TIMEOUT_SECONDS = 5
PUBLIC = "https://storage.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
CREDENTIALS = "set GOOGLE_APPLICATION_CREDENTIALS to a service account's key file, or run `gcloud auth application-default login`"
ACTIONS = {
    "POST": ("written", "storage.objects.create"),
    "GET": ("read", "storage.objects.get"),
    "DELETE": ("deleted", "storage.objects.delete"),
}


def finding(part: str, uri: str, setting: str) -> Finding:
    """That this machine's identity may do with the bucket what the platform does. Every request is sent once."""
    name, _, prefix = uri.removeprefix("gs://").partition("/")
    emulator = os.environ.get("STORAGE_EMULATOR_HOST", "")
    address = f"{uri} at {emulator}" if emulator else uri
    try:
        import google.auth
        import requests
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import AuthorizedSession
    except ImportError:
        return Finding(part, address, "", (Problem(part, "Google's client is not installed", "pip install 'mlops-assets[cloud]'"),))
    key = "/".join(filter(None, [prefix.strip("/"), PROBES, uuid.uuid4().hex]))
    try:
        authorized: Any = AuthorizedSession
        session = requests.Session() if emulator else authorized(google.auth.default(scopes=[SCOPE])[0])
        problems = tuple(_probe(session, part, emulator.rstrip("/") or PUBLIC, name, key, setting))
    except GoogleAuthError as error:
        problems = (Problem(part, f"Google takes no credentials: {error}", CREDENTIALS),)
    except requests.RequestException as error:
        remedy = "look whether this machine reaches the address, and ask again"
        problems = (Problem(part, f"the store cannot be reached: {cause(error)}", remedy, heals=True),)
    return Finding(part, address, "Google Cloud Storage", problems)


def _probe(session: Any, part: str, endpoint: str, name: str, key: str, setting: str) -> Iterator[Problem]:
    stored = f"{endpoint}/storage/v1/b/{quote(name)}/o/{quote(key, safe='')}"
    addresses = {
        "POST": f"{endpoint}/upload/storage/v1/b/{quote(name)}/o?uploadType=media&name={quote(key, safe='')}",
        "GET": f"{stored}?alt=media",
        "DELETE": stored,
    }
    for method, address in addresses.items():
        answer = session.request(method, address, data=CONTENT if method == "POST" else None, timeout=TIMEOUT_SECONDS)
        if method == "POST":
            yield from skew(part, answer.headers)
        if answer.ok:
            continue
        done, permission = ACTIONS[method]
        if answer.status_code == 404 and method == "POST":
            yield Problem(part, f"there is no bucket {name}", f"`mlops-assets lake init` makes the bucket, if it may; or correct {setting}")
        elif answer.status_code == 401:
            yield Problem(part, "the store refuses the credentials", CREDENTIALS)
        elif answer.status_code == 403:
            remedy = f"give the account {permission} on the bucket {name}, as roles/storage.objectUser has it"
            yield Problem(part, f"nothing in the bucket {name} may be {done}", remedy)
        else:
            what = f"the store answers {answer.status_code} {answer.reason}"
            yield Problem(part, what, "ask again later", heals=answer.status_code >= 500)
        if method == "POST":
            return
