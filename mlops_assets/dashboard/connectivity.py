"""Whether the services that the dashboard shows or links to answer, how fast, and what they say of themselves. No Streamlit."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import requests

SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Service:
    """A service, the path where it tells about itself, and how to read that."""

    name: str
    address: str
    path: str
    report: Callable[[requests.Response], str]
    start: str
    """The command that starts it."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What one request to a service brought; `milliseconds` is None and `report` empty where it did not answer as itself."""

    service: Service
    answers: bool
    milliseconds: float | None
    report: str
    detail: str


def services(api_url: str, mlflow_url: str, dagster_url: str) -> tuple[Service, ...]:
    """The three services at their addresses."""
    return (
        Service("Prediction API", api_url, "/health", lambda response: f"status {response.json()['status']}", "make serve"),
        Service("MLflow", mlflow_url, "/version", lambda response: f"version {_release(response.text)}", "make mlflow"),
        Service("Dagster", dagster_url, "/server_info", lambda response: f"version {response.json()['dagster_version']}", "make dev"),
    )


def probe(service: Service) -> Probe:
    """Asks once. Never raises: what goes wrong is the answer."""
    started = time.perf_counter()
    try:
        response = requests.get(service.address.rstrip("/") + service.path, timeout=SECONDS)
    except (requests.RequestException, UnicodeError, ValueError):
        return Probe(service, False, None, "", f"no answer; start it with `{service.start}`")
    milliseconds = (time.perf_counter() - started) * 1000
    try:
        report = service.report(response)
    except (requests.JSONDecodeError, KeyError, TypeError, ValueError):
        return Probe(service, False, milliseconds, "", f"answers {response.status_code}, but not as {service.name}")
    if not response.ok:
        return Probe(service, False, milliseconds, report, f"answers {response.status_code}")
    return Probe(service, True, milliseconds, report, "connected")


def _release(text: str) -> str:
    if not text.strip()[:1].isdigit():
        raise ValueError("no release")
    return text.strip()
