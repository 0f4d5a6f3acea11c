"""Tests of provenance as tags."""

import math
from dataclasses import replace
from importlib.metadata import version

import pytest

from mlops_assets.ml.provenance import FORECAST_LIBRARIES, MOST_TAGS, PartitionRange, Provenance, library_versions

UPSTREAM = {"chicago_crime/raw_crimes": {"2017-11": "v11", "2017-12": "v12"}, "a/dotted.name": {"2017-12": "s"}}


HOURS = {f"2022-05-{day:02d}T{hour:02d}": f"v{day}-{hour}" for day in (1, 2, 3) for hour in range(24)}


def _provenance(upstream: dict[str, dict[str, str]]) -> Provenance:
    return Provenance("d-1", "2017-12", "c-1", "abc123", "f-1", "{}", {"average_precision": 0.1 + 0.2, "mcc": -0.5}, upstream)


def test_provenance_survives_as_tags() -> None:
    provenance = _provenance(UPSTREAM)

    tags = provenance.to_tags()

    assert Provenance.from_tags(tags) == provenance
    assert tags["data_version.chicago_crime/raw_crimes.2017-12"] == "v12"
    assert tags["metric.mcc"] == "-0.5"


def test_provenance_says_what_the_model_is() -> None:
    provenance = replace(
        _provenance(UPSTREAM),
        candidate="forest",
        params={"n": 3, "p": None},
        threshold=0.1 + 0.2,
        features=("x", "y"),
        serving_engine="onnx",
    )

    assert Provenance.from_tags(provenance.to_tags()) == provenance
    assert provenance.to_tags()["serving_engine"] == "onnx"


def test_provenance_of_a_version_without_tags_is_empty() -> None:
    assert Provenance.from_tags({"else": "x"}) == Provenance("", "", "", "", "", "", {}, {}, {})


@pytest.mark.parametrize(("asset", "partition"), [("a/b", "1.5"), ("a/`b", "2017-12"), ("a/b", "o'clock")])
def test_provenance_refuses_what_a_tag_cannot_hold(asset: str, partition: str) -> None:
    with pytest.raises(ValueError, match="cannot be part of a tag"):
        _provenance({asset: {partition: "v"}}).to_tags()
    with pytest.raises(ValueError, match="cannot be part of a tag"):
        _provenance({"a/`b": HOURS}).to_tags()


def test_asset_with_many_partitions_has_one_tag() -> None:
    most = dict(list(HOURS.items())[:MOST_TAGS])
    provenance = _provenance({"donostia_parking/enriched": HOURS, "donostia_parking/raw_parking": most})

    tags = provenance.to_tags()
    found = Provenance.from_tags(tags)

    assert sum(tag.startswith("data_version.") for tag in tags) == MOST_TAGS
    assert found.upstream == {"donostia_parking/raw_parking": most}
    assert found.ranges == {"donostia_parking/enriched": PartitionRange.of(HOURS)}
    assert (found.ranges["donostia_parking/enriched"].first, found.ranges["donostia_parking/enriched"].last) == (min(HOURS), max(HOURS))
    assert tags["data_versions.donostia_parking/enriched"] == (
        f"2022-05-01T00..2022-05-03T23 72 {found.ranges['donostia_parking/enriched'].digest}"
    )
    assert found.to_tags() == tags


def test_range_is_of_its_partitions_and_their_data_versions_in_any_order() -> None:
    found = PartitionRange.of(HOURS)

    assert PartitionRange.of(dict(reversed(HOURS.items()))) == found
    assert PartitionRange.of({**HOURS, "2022-05-02T10": "another"}).digest != found.digest
    assert (found.spans("2022-05-01T00"), found.spans("2022-05-03T23")) == (True, True)
    assert (found.spans("2022-04-30T23"), found.spans("2022-05-04T00")) == (False, False)


def test_metric_that_is_not_measured_has_no_tag() -> None:
    tags = replace(_provenance({}), metrics={"mase": math.nan, "mae": 3.0}).to_tags()

    assert Provenance.from_tags(tags).metrics == {"mae": 3.0}


def test_library_versions_are_the_installed_ones() -> None:
    versions = library_versions()

    assert {name: versions[name] for name in ("numpy", "onnxruntime")} == {name: version(name) for name in ("numpy", "onnxruntime")}
    assert len({"xgboost", "xgboost-cpu"} & set(versions)) == 1
    assert "statsforecast" not in versions
    assert library_versions(FORECAST_LIBRARIES) == {name: version(name) for name in FORECAST_LIBRARIES}
    assert library_versions(("no such thing",)) == {}
