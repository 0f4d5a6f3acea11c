"""The lake as a resource: what is stored, and by which address."""

from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.ml.scale import FrameScaler
from mlops_assets.storage import artifact, parquet
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.stamp import Stamp

FRAME = pd.DataFrame({"x": [1.0, 2.0]})


def test_stamp_is_that_of_the_stored_frame_or_artifact(lake_uri: str) -> None:
    resource = LakeResource(uri=lake_uri)
    archive, _ = artifact.to_archive(FrameScaler(["x"]).fit(FRAME))
    resource.lake.write("domain/enriched/2024-01.parquet", parquet.encode(parquet.to_table(FRAME), Stamp("frame")))
    resource.lake.write("domain/enricher/2024-01.skops", artifact.encode(archive, Stamp("artifact")))

    assert resource.stamp("domain/enriched", "2024-01") == Stamp("frame")
    assert resource.stamp("domain/enricher", "2024-01") == Stamp("artifact")
    assert resource.stamp("domain/enriched", "2024-02") is None
    assert resource.stamp("domain/absent", "2024-01") is None


def test_partitions_are_those_stored_and_sorted(lake_uri: str) -> None:
    resource = LakeResource(uri=lake_uri)
    names = ("b.v1.parquet", "a.skops", ".c.parquet.0a.tmp", ".d.parquet", "README.md", "inner/e.parquet")
    for name in names:
        resource.lake.write(f"domain/split/{name}", b"content")

    assert resource.partitions("domain/split") == ["a", "b.v1"]
    assert resource.partitions("domain/split/inner") == ["e"]


def test_missing_folder_holds_nothing_and_is_not_made(tmp_path: Path) -> None:
    resource = LakeResource(uri=str(tmp_path / "nowhere"))

    assert (resource.stamp("domain/enriched", "2024-01"), resource.partitions("domain/enriched")) == (None, [])
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(("scheme", "store"), [("s3", "s3_environment"), ("gs", "gcs_bucket")])
def test_missing_bucket_holds_nothing(request: pytest.FixtureRequest, scheme: str, store: str) -> None:
    request.getfixturevalue(store)
    resource = LakeResource(uri=f"{scheme}://no-such-bucket/lake")

    assert (resource.stamp("domain/enriched", "2024-01"), resource.partitions("domain/enriched")) == (None, [])


def test_address_is_that_of_the_settings_unless_one_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAKE_URI", "s3://bucket/prefix/")

    assert LakeResource().lake.uri == "s3://bucket/prefix"
    assert LakeResource(uri=str(tmp_path)).lake.uri == str(tmp_path)


def test_run_has_one_lake_of_its_own(tmp_path: Path) -> None:
    lakes = []

    @dg.asset
    def look(lake: LakeResource) -> None:
        lakes.extend([lake.lake, lake.lake])

    for _ in range(2):
        assert dg.materialize([look], resources={"lake": LakeResource(uri=str(tmp_path))}).success

    assert lakes[0] is lakes[1]
    assert lakes[2] is lakes[3]
    assert lakes[0] is not lakes[2]
