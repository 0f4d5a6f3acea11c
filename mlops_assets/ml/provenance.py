"""Where a model comes from, and how that is written as the tags of a registered version. Values only; the registry stores them."""

import hashlib
import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from math import isnan
from typing import Any

METRIC = "metric."
UPSTREAM = "data_version."
RANGE = "data_versions."
MOST_TAGS = 48
"""Partitions of one asset that have a tag each; of an asset with more, one tag names the range."""

LIBRARIES = ("numpy", "onnxruntime", "pandas", "pyarrow", "pyproj", "scikit-learn", "scipy", "skops", "xgboost", "xgboost-cpu")
"""Distributions that prediction of records may need; of the two builds of xgboost one is installed."""
FORECAST_LIBRARIES = ("coreforecast", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "skops", "statsforecast", "statsmodels")
"""Distributions that a forecast may need."""

Upstream = Mapping[str, Mapping[str, str]]
"""Asset (`domain/stage`) -> partition -> data version."""


def library_versions(libraries: Collection[str] = LIBRARIES) -> dict[str, str]:
    """Distribution -> version, of the installed ones."""
    versions = {}
    for library in libraries:
        with suppress(PackageNotFoundError):
            versions[library] = version(library)
    return versions


@dataclass(frozen=True, slots=True)
class PartitionRange:
    """Many partitions of one asset in short: keys that sort as text, and the digest of all of them with their data versions."""

    first: str
    last: str
    count: int
    digest: str

    @classmethod
    def of(cls, partitions: Mapping[str, str]) -> "PartitionRange":
        """The range of partition -> data version, of which there is at least one."""
        return cls(min(partitions), max(partitions), len(partitions), digest_of(partitions))

    @classmethod
    def from_text(cls, text: str) -> "PartitionRange":
        """The inverse of `to_text`. ValueError if it is none."""
        keys, count, digest = text.split(" ")
        first, _, last = keys.partition("..")
        return cls(first, last, int(count), digest)

    def to_text(self) -> str:
        """`first..last count digest`."""
        return f"{self.first}..{self.last} {self.count} {self.digest}"

    def spans(self, partition: str) -> bool:
        """Whether it may be one of them; there may be gaps."""
        return self.first <= partition <= self.last


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a model version comes from; stored as tags of the version."""

    dagster_run_id: str
    partition: str
    code_version: str
    git_commit: str
    fingerprint: str
    """Hash of everything that decides the model: equal fingerprint, equal model."""
    split: str = ""
    """The split under which it was trained, as `Split.to_json` has it."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """NaN is not measured, and is not stored."""
    upstream: Upstream = field(default_factory=dict)
    """Every partition when a version is registered; read from tags, those of assets that have not too many of them."""
    library_versions: Mapping[str, str] = field(default_factory=library_versions)
    candidate: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    """The candidate's parameters; values as JSON has them."""
    threshold: float = 0.0
    features: tuple[str, ...] = ()
    """The encoded columns that the classifier reads, in its order."""
    serving_engine: str = ""
    """`onnx`, or `native: ` and why the fitted model itself answers."""
    ranges: Mapping[str, PartitionRange] = field(default_factory=dict)
    """Read from tags: asset -> its partitions in short, where `upstream` does not have them. `registry.lineage` has them one by one."""

    def to_tags(self) -> dict[str, str]:
        """One tag for each simple field, each metric (`metric.<name>`) and each upstream partition (`data_version.<asset>.<partition>`).

        An asset with more than `MOST_TAGS` partitions has one tag instead, `data_versions.<asset>`.
        """
        many = {asset: PartitionRange.of(keys) for asset, keys in self.upstream.items() if len(keys) > MOST_TAGS}
        return {
            "dagster_run_id": self.dagster_run_id,
            "partition": self.partition,
            "code_version": self.code_version,
            "git_commit": self.git_commit,
            "fingerprint": self.fingerprint,
            "split": self.split,
            "candidate": self.candidate,
            "params": json.dumps(dict(self.params), sort_keys=True),
            "threshold": repr(self.threshold),
            "features": json.dumps(self.features),
            "serving_engine": self.serving_engine,
            "library_versions": json.dumps(dict(self.library_versions), sort_keys=True),
            **{f"{METRIC}{name}": repr(float(value)) for name, value in self.metrics.items() if not isnan(value)},
            **{
                upstream_tag(asset, key): found for asset, keys in self.upstream.items() if asset not in many for key, found in keys.items()
            },
            **{range_tag(asset): found.to_text() for asset, found in {**self.ranges, **many}.items()},
        }

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> "Provenance":
        """The inverse of `to_tags`, but for what that leaves out; a tag that is not there reads as empty."""
        upstream: dict[str, dict[str, str]] = {}
        for tag, value in tags.items():
            if tag.startswith(UPSTREAM):
                asset, _, partition = tag.removeprefix(UPSTREAM).rpartition(".")
                upstream.setdefault(asset, {})[partition] = value
        return cls(
            dagster_run_id=tags.get("dagster_run_id", ""),
            partition=tags.get("partition", ""),
            code_version=tags.get("code_version", ""),
            git_commit=tags.get("git_commit", ""),
            fingerprint=tags.get("fingerprint", ""),
            split=tags.get("split", ""),
            candidate=tags.get("candidate", ""),
            params=json.loads(tags.get("params", "{}")),
            threshold=float(tags.get("threshold", "0")),
            features=tuple(json.loads(tags.get("features", "[]"))),
            serving_engine=tags.get("serving_engine", ""),
            metrics={tag.removeprefix(METRIC): float(value) for tag, value in tags.items() if tag.startswith(METRIC)},
            upstream=upstream,
            library_versions=json.loads(tags.get("library_versions", "{}")),
            ranges={tag.removeprefix(RANGE): PartitionRange.from_text(value) for tag, value in tags.items() if tag.startswith(RANGE)},
        )


def upstream_tag(asset: str, partition: str) -> str:
    """The tag that holds the data version of one partition of an asset. ValueError if the tag could not be read back or searched."""
    if "." in partition or {"`", "'"} & set(asset + partition):
        raise ValueError(f"cannot be part of a tag: asset {asset!r}, partition {partition!r}")
    return f"{UPSTREAM}{asset}.{partition}"


def range_tag(asset: str) -> str:
    """The tag that holds the partitions of an asset in short. ValueError if it could not be searched."""
    if {"`", "'"} & set(asset):
        raise ValueError(f"cannot be part of a tag: asset {asset!r}")
    return f"{RANGE}{asset}"


def digest_of(partitions: Mapping[str, str]) -> str:
    """blake2b, 128 bits, in hexadecimal, of partition -> data version."""
    return hashlib.blake2b(json.dumps(dict(partitions), sort_keys=True).encode(), digest_size=16).hexdigest()
