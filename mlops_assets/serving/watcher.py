"""Which version each system serves: a thread of its own asks the registry for the champions, loads them, and swaps one reference.

All loading happens in that thread, polls and reloads one after the other. Whoever answers a request takes the reference once, so an
answer comes whole from one version.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_assets.domain import Domain
from mlops_assets.serving.champion import AnyChampion, load, moment

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 300.0
SHOWN_CHARACTERS = 300
SQLITE = "sqlite:///"
ASKED_BRIEFLY = {
    # MLflow's own retries would hide for minutes that the registry is down; the next poll asks again anyhow.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


class ReloadError(RuntimeError):
    """A reload that did not end with a loaded champion; what was served before goes on being served."""


@dataclass(slots=True)
class Slot:
    """One system's place. Only the watcher's thread writes to it; each attribute is replaced as a whole."""

    domain: Domain
    champion: AnyChampion | None = None
    problem: str | None = None
    """Why the registry's champion is not the one served; None if it is."""
    failures: int = 0
    failed_version: tuple[str, int] | None = None
    retry_at: float = 0.0
    """When the failed version is tried again, on the monotonic clock."""


class RegistryWatcher:
    """Keeps the champions of `domains` loaded, as the registry at `tracking_uri` names them."""

    def __init__(self, domains: Iterable[Domain], tracking_uri: str, poll_seconds: float) -> None:
        self.slots = {domain.name: Slot(domain) for domain in domains}
        self.registry_problem: str | None = "the registry has not been asked yet"
        self._tracking_uri = tracking_uri
        self._poll_seconds = poll_seconds
        self._client: MlflowClient | None = None
        self._answered_at: float | None = None
        self._reloads: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._pending: dict[str, Future[AnyChampion]] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="registry-watcher", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        for name, value in ASKED_BRIEFLY.items():
            os.environ.setdefault(name, value)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after what it is doing; waits a while for that. Reloads that are waiting are cancelled."""
        self._reloads.put(None)
        self._thread.join(timeout=10)
        with self._lock:
            pending = list(self._pending.values())
            self._pending.clear()
        for future in pending:
            future.cancel()

    @property
    def seconds_since_answer(self) -> float | None:
        """How long ago the registry last answered a whole poll; None: never."""
        return None if self._answered_at is None else time.monotonic() - self._answered_at

    def reload(self, name: str) -> "Future[AnyChampion]":
        """Asks the registry now, and loads the system's champion whether it is new or not; requests that wait share one loading.

        The future's error is ReloadError.
        """
        with self._lock:
            future = self._pending.get(name)
            if future is None:
                future = self._pending[name] = Future()
                self._reloads.put(name)
        return future

    def client(self) -> "MlflowClient":
        """A client of the registry. FileNotFoundError if that is a database which is not there: this API reads, it makes none."""
        database = Path(self._tracking_uri.removeprefix(SQLITE))
        if self._tracking_uri.startswith(SQLITE) and not database.exists():
            raise FileNotFoundError(f"there is no registry database {database}; the first training makes it")
        if self._client is None:
            from mlops_assets.ml import registry

            self._client = registry.connect(self._tracking_uri)
        return self._client

    def _run(self) -> None:
        self._poll()
        while True:
            try:
                name = self._reloads.get(timeout=self._poll_seconds)
            except queue.Empty:
                self._poll()
                continue
            if name is None:
                return
            self._reload(name)

    def _poll(self) -> None:
        try:
            client = self.client()
            for slot in self.slots.values():
                self._follow(slot, _champion_of(client, slot.domain))
        except Exception as error:  # whatever the registry, its driver or the network raises
            self._registry_failed(error)
        else:
            self._answered_at = time.monotonic()
            self.registry_problem = None

    def _registry_failed(self, error: Exception) -> None:
        problem = brief(error)
        if problem != self.registry_problem:
            logger.warning("the registry does not answer; what is loaded goes on being served: %s", problem)
        self.registry_problem = problem

    def _follow(self, slot: Slot, version: "ModelVersion | None") -> None:
        """Loads the version if it is new, unless it has failed and its pause is not over."""
        if version is None:
            slot.problem = f"the registry has no champion of {slot.domain.model_name}"
            return
        if slot.champion and (slot.champion.version, slot.champion.created_at) == (str(version.version), moment(version)):
            slot.problem = None
            return
        if slot.failed_version == _identity(version) and time.monotonic() < slot.retry_at:
            return
        self._load(slot, version)

    def _load(self, slot: Slot, version: "ModelVersion") -> None:
        try:
            slot.champion = load(slot.domain, version)
        except Exception as error:  # a broken model may raise anything
            slot.failures = slot.failures + 1 if slot.failed_version == _identity(version) else 1
            slot.failed_version = _identity(version)
            pause = min(self._poll_seconds * 2**slot.failures, LONGEST_PAUSE_SECONDS)
            slot.retry_at = time.monotonic() + pause
            slot.problem = f"version {version.version} does not load: {brief(error)}"
            logger.warning("%s %s; next try in %.0f s", version.name, slot.problem, pause, exc_info=error)
        else:
            slot.problem, slot.failures, slot.failed_version = None, 0, None
            logger.info("%s version %s is served", version.name, version.version)

    def _reload(self, name: str) -> None:
        slot = self.slots[name]
        with self._lock:
            future = self._pending.pop(name)
        if not future.set_running_or_notify_cancel():
            return
        try:
            version = _champion_of(self.client(), slot.domain)
        except Exception as error:  # as in a poll
            self._registry_failed(error)
            future.set_exception(ReloadError(f"the registry does not answer: {self.registry_problem}"))
            return
        if version is None:
            self._follow(slot, None)
        else:
            self._load(slot, version)
        if slot.champion is None or slot.problem:
            future.set_exception(ReloadError(slot.problem))
        else:
            future.set_result(slot.champion)


def brief(error: BaseException) -> str:
    """The error in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:SHOWN_CHARACTERS]


def _champion_of(client: "MlflowClient", domain: Domain) -> "ModelVersion | None":
    from mlops_assets.ml import registry

    return registry.by_alias(client, domain.model_name, registry.CHAMPION)


def _identity(version: "ModelVersion") -> tuple[str, int]:
    return str(version.version), version.creation_timestamp
