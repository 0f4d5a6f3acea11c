"""The small systems as champions, served over HTTP."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.domain import TabularDomain
from mlops_assets.ml.served import ServedModel
from mlops_assets.settings import Settings
from mlops_assets_tests.running_api import Api, running
from mlops_assets_tests.small_systems import FLOWERS, HOURLY_VISITORS, NOW, SYSTEMS, TABULAR, VISITORS, Registry, make_visitors, store_rows


@pytest.fixture(scope="session")
def systems() -> dict[str, TabularDomain]:
    """The systems that predict records, by name."""
    return {domain.name: domain for domain in TABULAR}


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """The registry of all tests: MLflow knows one for a process."""
    return Registry(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="session")
def published(store: Registry) -> dict[str, ServedModel]:
    """Version 1 of every system as champion; no test adds another. The models that predict records, by system."""
    store.publish_method(VISITORS)
    return {domain.name: store.publish(domain)[1] for domain in TABULAR}


@pytest.fixture
def flowers(request: pytest.FixtureRequest) -> TabularDomain:
    """The system with a registered model of the test's own, which has no version yet."""
    return replace(FLOWERS, registered_name=request.node.name)


@pytest.fixture(scope="session")
def models(published: dict[str, ServedModel]) -> dict[str, ServedModel]:
    """The champions of `api` that predict records, as fitted."""
    return published


@pytest.fixture(scope="session")
def api(store: Registry, published: dict[str, ServedModel], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """All champions, served without keys at `NOW`. Only visitors are stored; a body may have 100,000 bytes and 1,000 records."""
    home = tmp_path_factory.mktemp("home")
    warehouse = Settings(_env_file=None, mlops_home=home).warehouse_url.get_secret_value()
    store_rows(warehouse, HOURLY_VISITORS, make_visitors())
    with running(store.uri, home, SYSTEMS, lambda: NOW, mlops_api_max_body_bytes=100_000, mlops_api_max_records=1000) as found:
        yield found.until_ok()


@pytest.fixture
def serve(store: Registry, published: dict[str, ServedModel], tmp_path: Path) -> Iterator[Callable[..., Api]]:
    """Starts an app for some systems, by default all, with settings of the test's choice; it stops after the test."""
    with ExitStack() as stack:
        yield lambda *domains, **changes: stack.enter_context(running(store.uri, tmp_path / "home", domains or SYSTEMS, **changes))
