"""MLflow: the server that is named, whether it lets this machine in and stores artifacts; or the local SQLite file."""

import os
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlops_assets.doctor import revisions
from mlops_assets.doctor.folder import unwritable
from mlops_assets.doctor.probes import CONTENT, PROBES
from mlops_assets.doctor.problem import Finding, Part, Problem
from mlops_assets.doctor.web import cause
from mlops_assets.settings import Settings

SETTING = "MLFLOW_TRACKING_URI"
SQLITE = "sqlite:///"
TIMEOUT_SECONDS = 5
CREDENTIALS = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, to those of a user of the server"
NOT_SERVED = (404, 405, 501, 503)
"""How a server answers that leaves artifacts to its clients."""


def examine(settings: Settings, thorough: bool) -> list[Finding]:  # noqa: ARG001  # both are cheap
    """What the address asks for."""
    uri = settings.tracking_uri
    if uri.startswith(SQLITE):
        return [_sqlite(Path(uri.removeprefix(SQLITE)))]
    if uri.startswith(("http://", "https://")):
        return [_server(uri.rstrip("/"))]
    return []  # the settings' own problem


def _sqlite(database: Path) -> Finding:
    problems = unwritable(Part.MLFLOW, database.parent, "MLOPS_HOME")
    try:
        revision = revisions.of_sqlite(database)
    except sqlite3.Error as error:
        remedy = f"restore a copy of {database}, or move it away: then every model has to be trained again"
        problems.append(Problem(Part.MLFLOW, f"{database} cannot be read: {error}", remedy))
        revision = None
    if revision and (fault := revisions.fault("mlflow", revision)):
        remedy = f"copy {database}, then `mlflow db upgrade {SQLITE}{database}`"
        if revisions.is_newer("mlflow", revision):
            remedy = "install the release of this platform that was used last, or restore a copy of the database from before it"
        problems.append(Problem(Part.MLFLOW, f"{database}: {fault}", remedy))
    return Finding(Part.MLFLOW, f"{SQLITE}{database}", f"schema {revision}" if revision else "", tuple(problems))


def _server(uri: str) -> Finding:
    import requests

    version = ""
    with requests.Session() as session:
        _prepare(session)
        try:
            answer = session.get(f"{uri}/version", timeout=TIMEOUT_SECONDS)
            version = f"MLflow {answer.text.strip()}" if answer.ok and len(answer.text) < 40 else ""
            problems = list(_api(session, uri)) or list(_artifacts(session, uri))
        except requests.exceptions.SSLError as error:
            remedy = "name the authority that signed it: MLFLOW_TRACKING_SERVER_CERT_PATH=/path/to/ca.pem"
            problems = [Problem(Part.MLFLOW, f"the server's certificate is not accepted: {cause(error)}", remedy)]
        except requests.RequestException as error:
            remedy = f"start the server, or correct {SETTING}"
            problems = [Problem(Part.MLFLOW, f"the server cannot be reached: {cause(error)}", remedy, heals=True)]
    return Finding(Part.MLFLOW, uri, version, tuple(problems))


def _prepare(session: Any) -> None:
    """As MLflow's own client reads the environment."""
    user, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    if user and password:
        session.auth = (user, password)
    elif token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        session.headers["Authorization"] = f"Bearer {token}"
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() == "true":
        session.verify = False
    elif authority := os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH"):
        session.verify = authority


def _api(session: Any, uri: str) -> Iterator[Problem]:
    """That it answers what every client asks."""
    answer = session.post(
        f"{uri}/api/2.0/mlflow/experiments/search", json={"max_results": 1}, timeout=TIMEOUT_SECONDS, allow_redirects=False
    )
    if answer.status_code == 200 and "json" in answer.headers.get("content-type", ""):
        return
    if answer.status_code == 403 and "Invalid Host header" in answer.text:
        host = uri.partition("://")[2].partition("/")[0]
        remedy = f"start it with `mlflow server --allowed-hosts {host},...`, or use an address in {SETTING} that it allows"
        yield Problem(Part.MLFLOW, f"the server does not answer to the name {host}", remedy)
    elif answer.status_code == 401:
        yield Problem(Part.MLFLOW, "the server asks for a user and a password, or refuses those it got", CREDENTIALS)
    elif answer.status_code == 403:
        yield Problem(
            Part.MLFLOW, "the server forbids this user to look at experiments", "give the user the right to, or set another's credentials"
        )
    elif answer.status_code >= 500:
        what = f"the server answers {answer.status_code}: {_first_line(answer.text)}"
        yield Problem(Part.MLFLOW, what, "look into the server's log; its database may be down", heals=True)
    else:
        what = f"what answers there is no MLflow server: {answer.status_code} {answer.headers.get('content-type', '')}".strip()
        yield Problem(Part.MLFLOW, what, f"correct {SETTING}: the address of the server itself, not of a page that asks for a login")


def _artifacts(session: Any, uri: str) -> Iterator[Problem]:
    """That a server which keeps the artifacts itself can store, give and delete one."""
    address = f"{uri}/api/2.0/mlflow-artifacts/artifacts/{PROBES}/{uuid.uuid4().hex}"
    for method, done in {"PUT": "stored", "GET": "read", "DELETE": "deleted"}.items():
        answer = session.request(method, address, data=CONTENT if method == "PUT" else None, timeout=TIMEOUT_SECONDS)
        if method == "PUT" and answer.status_code in NOT_SERVED:
            return
        if answer.ok:
            continue
        what = f"no artifact can be {done} through the server: {answer.status_code} {_first_line(answer.text)}"
        remedy = "look into the server's log; its --artifacts-destination, the bucket behind it, or the key to it does not work"
        if method == "PUT":
            remedy += "; `MLFLOW_ARTIFACTS_DESTINATION=s3://... mlops-assets lake init` makes the server's bucket"
        yield Problem(Part.MLFLOW, what, remedy, heals=answer.status_code >= 500)
        if method == "PUT":
            return


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0][:200]
