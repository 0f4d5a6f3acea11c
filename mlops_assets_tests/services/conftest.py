"""Real servers for the whole session: each is started when a test first asks for it, and says at the end what it was."""

from collections.abc import Iterator
from typing import Any

import pytest

from mlops_assets.storage.io_managers import ArtifactIOManager, FrameIOManager
from mlops_assets.storage.resource import LakeResource
from mlops_assets_tests.services.ceph import CephGateway
from mlops_assets_tests.services.mlflow_server import MlflowServer
from mlops_assets_tests.services.postgresql import PostgresqlServer
from mlops_assets_tests.storage.conftest import gcs_bucket, gcs_server, lake_uri  # noqa: F401  # fixtures

VERSIONS = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[VERSIONS] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Names the servers that the tests ran against."""
    if config.stash[VERSIONS]:
        terminalreporter.section("real servers")
        for version in config.stash[VERSIONS]:
            terminalreporter.write_line(version)


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[CephGateway]:
    """The S3 server."""
    server = CephGateway(tmp_path_factory.mktemp("ceph"))
    pytestconfig.stash[VERSIONS].append(server.version)
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgresql(pytestconfig: pytest.Config) -> Iterator[PostgresqlServer]:
    """The PostgreSQL server."""
    server = PostgresqlServer()
    pytestconfig.stash[VERSIONS].append(server.version)
    yield server
    server.close()


@pytest.fixture(scope="session")
def mlflow_server(
    ceph: CephGateway, postgresql: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[MlflowServer]:
    """The MLflow server, on the other two."""
    artifacts = f"s3://{ceph.make_bucket('mlflow')}/artifacts"
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"), postgresql.database("mlflow"), artifacts, ceph.environment)
    pytestconfig.stash[VERSIONS].append(server.version)
    yield server
    server.stop()


@pytest.fixture
def postgresql_url(postgresql: PostgresqlServer) -> str:
    """The address of a new, empty database."""
    return postgresql.database()


@pytest.fixture
def s3_environment(ceph: CephGateway, monkeypatch: pytest.MonkeyPatch) -> str:
    """The endpoint URL; whoever connects to S3 connects there, and may do everything."""
    for name, value in ceph.environment.items():
        monkeypatch.setenv(name, value)
    return ceph.url


@pytest.fixture
def bucket(s3_environment: str, ceph: CephGateway) -> str:
    """The name of a new, empty bucket."""
    return ceph.make_bucket()


@pytest.fixture
def lake(lake_uri: str) -> LakeResource:  # noqa: F811  # the fixture's name
    """An empty lake of each kind."""
    return LakeResource(uri=lake_uri)


@pytest.fixture
def resources(lake: LakeResource) -> dict[str, Any]:
    """What assets need to store frames and artifacts in `lake`."""
    return {"lake": lake, "frames": FrameIOManager(lake=lake), "artifacts": ArtifactIOManager(lake=lake)}
