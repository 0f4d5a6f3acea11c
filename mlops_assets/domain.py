"""What a machine-learning system IS, as frozen values: its data contract, features, split, search, gates and cadence.

Here belong only declarations that every system fills in. No behaviour, no I/O, no third-party import: lineage, serving and
dashboard all read these values, and `ml` interprets them.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

FieldType = Literal["string", "boolean", "long", "double"]
SplitKind = Literal["random", "temporal"]


@dataclass(frozen=True, slots=True)
class RequestField:
    """One column of a raw record as the upstream gives it and as a client sends it.

    `required=False` means that the key may be absent or null; the model then treats the value as missing.
    """

    name: str
    type: FieldType
    description: str
    example: str | bool | int | float
    required: bool = False


@dataclass(frozen=True, slots=True)
class Features:
    """How enriched columns become numbers. Every column named here exists in the enriched frame.

    The groups up to `frequency` are the "plain" encoding; `target` is the "target" encoding, which stands beside it.
    """

    numeric: tuple[str, ...] = ()
    log1p: tuple[str, ...] = ()
    cyclic: Mapping[str, int] = field(default_factory=dict)
    """Column -> period; gives `<column>_sin` and `<column>_cos`."""
    one_hot: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Column -> its categories; gives `<column>_<category>`, all zero for anything else."""
    flags: tuple[str, ...] = ()
    frequency: tuple[str, ...] = ()
    """Share of training rows with the same value, `<column>_freq`; 0 for a value not seen in training."""
    target: tuple[tuple[str, ...], ...] = ()
    """Columns, alone or crossed, encoded by the smoothed mean of the target, `<a>_x_<b>_target`; cross-fitted on training rows."""
    scaled: tuple[str, ...] = ()
    """Encoded columns to standardise with the training mean and standard deviation."""


@dataclass(frozen=True, slots=True)
class Split:
    """Which rows test the model.

    `random`: stratified; a row's side depends on its id and the seed, but for a few rows at the very cut. `temporal`: the last share.
    """

    kind: SplitKind = "random"
    test_share: float = 0.2
    seed: int = 42

    def to_json(self) -> str:
        """Canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Outliers:
    """Training rows whose value lies beyond mean +/- `deviations` standard deviations are left out; test rows never are."""

    columns: tuple[str, ...] = ()
    deviations: float = 3.0


@dataclass(frozen=True, slots=True)
class Balance:
    """Training rows only: SMOTE up to minority/majority = `oversample`, then random under-sampling up to `undersample`."""

    oversample: float = 0.5
    undersample: float = 0.8
    neighbours: int = 5
    seed: int = 17


@dataclass(frozen=True, slots=True)
class Selection:
    """Features whose mutual information with the target (nats, nearest-neighbour estimate) exceeds `threshold`."""

    threshold: float = 0.05
    neighbours: int = 3
    seed: int = 42


@dataclass(frozen=True, slots=True)
class Range:
    """A search interval, both ends included."""

    low: float
    high: float
    log: bool = False
    integer: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to a model that the search may choose: which encodings, whether to balance and select, which estimator.

    `params` is where the search starts; `space` is where it may go.
    """

    name: str
    description: str
    encodings: tuple[Literal["plain", "target"], ...] = ("plain",)
    balance: bool = False
    select: bool = False
    estimator: str = "xgboost"
    params: Mapping[str, Any] = field(default_factory=dict)
    space: Mapping[str, Range] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Search:
    """How many trials, judged by `metric` on a held-back share of the training rows. 0 trials: the first candidate as it stands.

    `candidate` names the only one to consider; empty: all of the Domain's.
    """

    trials: int = 8
    candidate: str = ""
    metric: str = "average_precision"
    validation_share: float = 0.2
    seed: int = 42


@dataclass(frozen=True, slots=True)
class Gates:
    """What a challenger must reach on the test rows before it may become champion, and the metric by which it must be better."""

    metric: str = "average_precision"
    minimum: Mapping[str, float] = field(default_factory=dict)
    min_rows: int = 1000
    """Fewest training rows a window may have."""


@dataclass(frozen=True, slots=True)
class Cadence:
    """Monthly partitions from `start` (YYYY-MM) on; training reads the `window` partitions that end with its own."""

    start: str
    window: int = 12
    schedule: str = "0 6 9 * *"
    """Cron, UTC: when the partition that has just ended is ingested."""
    revision_interval_seconds: int = 3600
    """How often the sensor asks the upstream which partitions changed."""


@dataclass(frozen=True, slots=True)
class Domain:
    """One system. The name is the asset key prefix, the asset group, the job prefix and the registered model's name."""

    name: str
    title: str
    description: str
    id_column: str
    time_column: str
    target: str
    request: tuple[RequestField, ...]
    """The raw record that the registered model takes."""
    features: Features
    candidates: tuple[Candidate, ...]
    cadence: Cadence
    split: Split = field(default_factory=Split)
    outliers: Outliers = field(default_factory=Outliers)
    balance: Balance = field(default_factory=Balance)
    selection: Selection = field(default_factory=Selection)
    search: Search = field(default_factory=Search)
    gates: Gates = field(default_factory=Gates)

    def candidate(self, name: str) -> Candidate:
        """The candidate called `name`; ValueError names the ones there are."""
        for candidate in self.candidates:
            if candidate.name == name:
                return candidate
        known = ", ".join(candidate.name for candidate in self.candidates)
        raise ValueError(f"{self.name} has no candidate {name!r}; it has: {known}")
