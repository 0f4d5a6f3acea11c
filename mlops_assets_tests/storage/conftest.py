"""Lakes in a folder, in an S3 server's bucket and in a Google Cloud Storage server's, so that every promise is held against each."""

import socket
import uuid
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests
from moto.server import ThreadedMotoServer

from mlops_assets.storage.io_managers import ArtifactIOManager, FrameIOManager
from mlops_assets.storage.resource import LakeResource


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The endpoint URL of an S3 server in this process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_environment(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The endpoint URL; whoever connects to S3 connects there."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOFTHETESTS")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "TheSecretNobodyMaySee")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return s3_server


@pytest.fixture
def bucket(s3_environment: str) -> str:
    """The name of a new, empty bucket."""
    name = f"bucket-{uuid.uuid4().hex}"
    requests.put(f"{s3_environment}/{name}", timeout=10).raise_for_status()
    return name


@pytest.fixture
def signatures_checked(s3_environment: str) -> Iterator[None]:
    """The server refuses whom it does not know, and it knows nobody; otherwise it lets everybody in."""

    def let_in(requests_without_check: str) -> None:
        requests.post(f"{s3_environment}/moto-api/reset-auth", data=requests_without_check, timeout=10).raise_for_status()

    let_in("0")
    yield
    let_in("inf")


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[str]:
    """The endpoint URL of a Google Cloud Storage server in this process."""
    with pytest.MonkeyPatch.context() as environment:
        # Read when gcsfs is imported: it would ask another service, which the server does not have, what kind of bucket it is.
        environment.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        import gcsfs  # noqa: F401

    from gcp_storage_emulator.server import create_server

    _know_conditions()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = create_server("127.0.0.1", port, in_memory=True)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


def _know_conditions() -> None:
    """The emulator takes no notice of ifGenerationMatch=0; Google's answer to an object that is there already is a 412."""
    from gcp_storage_emulator.exceptions import NotFound
    from gcp_storage_emulator.handlers import objects

    upload = objects._multipart_upload

    def conditional_upload(request: Any, response: Any, storage: Any) -> None:
        if request.query.get("ifGenerationMatch") == ["0"]:
            with suppress(NotFound):
                storage.get_file_obj(request.params["bucket_name"], request.data["meta"]["name"])
                response.status = HTTPStatus.PRECONDITION_FAILED
                response.json({"error": {"code": 412, "message": "At least one of the pre-conditions you specified did not hold."}})
                return
        upload(request, response, storage)

    objects._multipart_upload = conditional_upload


@pytest.fixture
def gcs_bucket(gcs_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a new, empty bucket; whoever connects to Google Cloud Storage connects to its server."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server)
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # nobody asks a machine of Google's who it is
    name = f"bucket-{uuid.uuid4().hex}"
    requests.post(f"{gcs_server}/storage/v1/b", json={"name": name}, timeout=10).raise_for_status()
    return name


@pytest.fixture(params=["file", "s3", "gs"])
def lake_uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty lake, with a space in it; its folder does not exist yet."""
    if request.param == "file":
        return str(tmp_path / "a lake")
    return f"{request.param}://{request.getfixturevalue('bucket' if request.param == 's3' else 'gcs_bucket')}/a lake"


@pytest.fixture
def lake(tmp_path: Path) -> LakeResource:
    """An empty lake in a folder."""
    return LakeResource(uri=str(tmp_path / "lake"))


@pytest.fixture
def resources(lake: LakeResource) -> dict[str, Any]:
    """What assets need to store frames and artifacts in `lake`."""
    return {"lake": lake, "frames": FrameIOManager(lake=lake), "artifacts": ArtifactIOManager(lake=lake)}
