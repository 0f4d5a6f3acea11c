"""What a lake on S3 does beyond the contract: large objects, other accounts, stores that do not answer. Secrets stay out of every error."""

import logging
import os
import re
import socket
import threading
import traceback

import pytest
from s3fs import S3FileSystem

from mlops_assets.storage.lake import CREATE_ATTEMPTS, Lake
from mlops_assets_tests.storage.gated_store import Asked, Refusal, gate

PART = 5 * (1 << 20)


def _shows_the_secret(error: BaseException) -> bool:
    return os.environ["AWS_SECRET_ACCESS_KEY"] in "".join([str(error), repr(error), *traceback.format_exception(error)])


def test_large_object_appears_only_when_it_is_complete(
    bucket: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Parts of 5 MiB, the least that S3 takes, instead of 50 MiB: the same upload of a smaller object.
    monkeypatch.setattr(S3FileSystem._pipe_file, "__defaults__", (PART, None, "overwrite"))
    lake = Lake(f"s3://{bucket}/lake")
    lake.write("asset/model.skops", b"old")
    writer = threading.Thread(target=lambda: Lake(lake.uri).write("asset/model.skops", bytes(3 * PART)))
    sizes = set()

    with caplog.at_level(logging.INFO, logger="werkzeug"):
        writer.start()
        while writer.is_alive():
            sizes.add(lake.size("asset/model.skops"))
            assert list(lake.keys("asset")) == ["asset/model.skops"]
        writer.join()

    assert sum("partNumber=" in record.getMessage() for record in caplog.records) == 3
    assert sizes <= {3, 3 * PART}
    assert lake.size("asset/model.skops") == 3 * PART


def test_object_is_read_in_one_request(bucket: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    # Two requests could meet two versions of the object.
    monkeypatch.setattr(S3FileSystem, "default_block_size", 1000)
    lake = Lake(f"s3://{bucket}")
    lake.write("asset/object", bytes(5000))

    with caplog.at_level(logging.INFO, logger="werkzeug"):
        caplog.clear()
        assert len(lake.read("asset/object")) == 5000
        assert len(lake.read("asset/object", 2000)) == 2000

    assert [re.findall(r'"(?:\S*\[1m)?(\w+) /', record.getMessage()) for record in caplog.records] == [["GET"], ["GET"]]


def test_missing_bucket_holds_nothing_and_takes_nothing(s3_environment: str) -> None:
    lake = Lake("s3://no-such-bucket/lake")

    assert list(lake.keys("asset")) == []
    with pytest.raises(FileNotFoundError):
        lake.read("asset/object")
    with pytest.raises(FileNotFoundError, match=r"s3://no-such-bucket/lake/asset/object: .*bucket does not exist"):
        lake.write("asset/object", b"content")


def test_wrong_credentials_are_refused_without_showing_the_secret(bucket: str, signatures_checked: None) -> None:
    lake = Lake(f"s3://{bucket}/lake")

    for work in (lambda: lake.write("asset/object", b"content"), lambda: lake.read("asset/object"), lambda: list(lake.keys("asset"))):
        with pytest.raises(PermissionError) as caught:
            work()
        assert not _shows_the_secret(caught.value)


def test_unreachable_store_is_named_without_showing_the_secret(s3_environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{address}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    lake = Lake("s3://bucket/lake")

    with pytest.raises(Exception, match=address) as caught:
        lake.read("asset/object")

    assert not _shows_the_secret(caught.value)


def test_create_where_the_store_knows_no_condition_looks_first(bucket: str, s3_environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(asked: Asked) -> Refusal | None:
        return Refusal(501, "NotImplemented") if "if-none-match" in asked.headers else None

    with gate(s3_environment, judge) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        lake = Lake(f"s3://{bucket}")
        created = [lake.create("asset/object", content) for content in (b"first", b"second")]

        assert (created, lake.read("asset/object")) == ([True, False], b"first")


def test_create_asks_again_where_the_store_cannot_tell_yet(bucket: str, s3_environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: list[str] = []

    def judge(asked: Asked) -> Refusal | None:
        if "if-none-match" not in asked.headers:
            return None
        asked_for.append(asked.path)
        undecided = len([path for path in asked_for if path == asked.path]) < CREATE_ATTEMPTS or asked.path.endswith("never")
        return Refusal(409, "ConditionalRequestConflict") if undecided else None

    with gate(s3_environment, judge) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        lake = Lake(f"s3://{bucket}")

        assert lake.create("asset/object", b"content")
        with pytest.raises(OSError, match="ConditionalRequestConflict"):
            lake.create("asset/never", b"content")

    assert len(asked_for) == 2 * CREATE_ATTEMPTS


def test_connection_is_made_with_the_present_environment(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Lake(f"s3://{bucket}").write("asset/object", b"content")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    with pytest.raises(Exception, match="127.0.0.1:9"):
        Lake(f"s3://{bucket}").read("asset/object")
