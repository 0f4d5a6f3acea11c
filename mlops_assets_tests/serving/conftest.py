"""The small systems as champions, served over HTTP."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.domain import TabularDomain
from mlops_assets.ml.served import ServedModel
from mlops_assets_tests.running_api import Api, running
from mlops_assets_tests.small_systems import FLOWERS, SYSTEMS, Registry


@pytest.fixture(scope="session")
def systems() -> dict[str, TabularDomain]:
    """The systems by name."""
    return {domain.name: domain for domain in SYSTEMS}


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """The registry of all tests: MLflow knows one for a process."""
    return Registry(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="session")
def published(store: Registry) -> dict[str, ServedModel]:
    """Version 1 of both systems as champions; no test adds another."""
    return {domain.name: store.publish(domain)[1] for domain in SYSTEMS}


@pytest.fixture
def flowers(request: pytest.FixtureRequest) -> TabularDomain:
    """The system with a registered model of the test's own, which has no version yet."""
    return replace(FLOWERS, registered_name=request.node.name)


@pytest.fixture(scope="session")
def models(published: dict[str, ServedModel]) -> dict[str, ServedModel]:
    """The champions of `api`, as fitted."""
    return published


@pytest.fixture(scope="session")
def api(store: Registry, published: dict[str, ServedModel], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Both champions, served without keys; nothing is stored, and a body may have 100,000 bytes and 1,000 records."""
    home = tmp_path_factory.mktemp("home")
    with running(store.uri, home, SYSTEMS, mlops_api_max_body_bytes=100_000, mlops_api_max_records=1000) as found:
        yield found.until_ok()


@pytest.fixture
def serve(store: Registry, published: dict[str, ServedModel], tmp_path: Path) -> Iterator[Callable[..., Api]]:
    """Starts an app for some systems, by default both, with settings of the test's choice; it stops after the test."""
    with ExitStack() as stack:
        yield lambda *domains, **changes: stack.enter_context(running(store.uri, tmp_path / "home", domains or SYSTEMS, **changes))
