"""Tests of provenance as tags."""

from dataclasses import replace
from importlib.metadata import version

import pytest

from mlops_assets.ml.provenance import Provenance, library_versions

UPSTREAM = {"chicago_crime/raw_crimes": {"2017-11": "v11", "2017-12": "v12"}, "a/dotted.name": {"2017-12": "s"}}


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


def test_library_versions_are_the_installed_ones() -> None:
    versions = library_versions()

    assert {name: versions[name] for name in ("numpy", "onnxruntime")} == {name: version(name) for name in ("numpy", "onnxruntime")}
    assert len({"xgboost", "xgboost-cpu"} & set(versions)) == 1
