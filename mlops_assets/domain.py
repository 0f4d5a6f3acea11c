"""What a machine-learning system IS, as frozen values: its data contract, features, split, search, gates and cadence.

Here belong only declarations that every system fills in. No behaviour, no I/O, no third-party import: lineage, serving and
dashboard all read these values, and `ml` interprets them.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

FieldType = Literal["string", "boolean", "long", "double"]
ColumnType = Literal["string", "boolean", "long", "double", "date", "timestamp", "decimal"]
SplitKind = Literal["random", "temporal"]
WriteMode = Literal["add", "merge", "replace", "append"]


@dataclass(frozen=True, slots=True)
class RequestField:
    """One column of a raw record as the upstream gives it and as a client sends it.

    `required=False` means that the key may be absent or null; the model then treats the value as missing. A required field that is
    `nullable` has to be there, but may be null.
    """

    name: str
    type: FieldType
    description: str
    example: str | bool | int | float
    required: bool = False
    nullable: bool = False
    categories: tuple[str, ...] = ()
    """All values that there are; empty: any value, and one that training did not have is scored as unseen."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a warehouse table. Timestamps are UTC, to the microsecond; decimals have ten digits, two of them after the point."""

    name: str
    type: ColumnType
    description: str


@dataclass(frozen=True, slots=True)
class Table:
    """A warehouse table, and how partitions are written to it.

    `add`: rows whose key is not there yet; `merge`: rows by key, the new one wins; `replace`: the partition's rows are swapped;
    `append`: rows as they come, which a retry repeats. `partition_column` holds the partition: a number where it is a `long`, the
    partition's first moment where it is a `timestamp`, later by `partition_offset_hours` (1: the table's hour is the one in which the run
    takes place, after the partition's own). `day_column` is the timestamp or date by whose day (UTC) BigQuery lays out the table; where
    another timestamp holds the partition, both are of the same day in every row, so that reading a partition reads one day.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    partition_column: str
    mode: WriteMode
    keys: tuple[str, ...] = ()
    day_column: str = ""
    partition_offset_hours: int = 0


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

    `params` is where the search starts; `space` is where it may go. `max_rows` is for an estimator whose cost explodes with its rows: it is
    fitted on a random stratified sample of so many, and that is recorded.
    """

    name: str
    description: str
    encodings: tuple[Literal["plain", "target"], ...] = ("plain",)
    balance: bool = False
    select: bool = False
    estimator: str = "xgboost"
    params: Mapping[str, Any] = field(default_factory=dict)
    space: Mapping[str, Range] = field(default_factory=dict)
    max_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """How many trials, judged by `metric` on a held-back share of the training rows. 0 trials: the first candidate as it stands.

    The trials are shared out among the candidates, or `each` candidate has so many of its own. `candidate` names the only one to
    consider; empty: all of the Domain's.
    """

    trials: int = 8
    each: bool = False
    candidate: str = ""
    metric: str = "average_precision"
    validation_share: float = 0.2
    seed: int = 42


@dataclass(frozen=True, slots=True)
class Gates:
    """What a challenger must reach on the test rows before it may become champion, and the metric by which it must be better.

    `better` says whether more or less of `metric` is better; `minimum` and `maximum` are limits of any metrics.
    """

    metric: str = "average_precision"
    better: Literal["more", "less"] = "more"
    minimum: Mapping[str, float] = field(default_factory=dict)
    maximum: Mapping[str, float] = field(default_factory=dict)
    min_rows: int = 1000
    """Fewest training rows a window may have."""


@dataclass(frozen=True, slots=True)
class Monthly:
    """Monthly partitions from `start` (YYYY-MM) on; training reads the `window` partitions that end with its own."""

    start: str
    window: int = 12
    schedule: str = "0 6 9 * *"
    """Cron, UTC: when the partition that has just ended is ingested."""
    revision_interval_seconds: int = 3600
    """How often the sensor asks the upstream which partitions changed."""
    training_interval_seconds: int = 60
    """How often the sensor looks whether there is something new to train on."""


@dataclass(frozen=True, slots=True)
class Batches:
    """Partitions `01` to `count`, one for each batch that the upstream hands out; training reads every batch up to its own."""

    count: int
    interval_seconds: int = 300
    """How long the upstream stays with one batch."""
    training_interval_seconds: int = 900
    """How often the sensor looks whether there is something new to train on."""


@dataclass(frozen=True, slots=True)
class Hourly:
    """Hourly partitions `YYYY-MM-DDTHH` (UTC) from `start` on; training reads the `window` hours that end with its own."""

    start: str
    window: int
    schedule: str = "50 * * * *"
    """Cron, UTC: when the hour that is running is ingested. Late in it, because its last reading is what counts."""
    training_hours: int = 6
    """So many hours after the last training the candidates are compared again; the champion forecasts every hour."""
    training_interval_seconds: int = 60
    """How often the sensor looks whether an hour is complete."""


Cadence = Monthly | Batches | Hourly


@dataclass(frozen=True, slots=True)
class CompatibleApi:
    """The replaced system's own prediction API, served at the root: `records` is the key of the list in its request."""

    records: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """One system, whatever it learns. The name is the asset key prefix, the asset group, the job prefix and the API's name of its model."""

    name: str
    title: str
    description: str
    cadence: Cadence
    request: tuple[RequestField, ...]
    """The raw record that the registered model takes."""
    gates: Gates = field(default_factory=Gates)
    registered_name: str = ""
    """The registered model's name, if it is not the system's."""
    tables: tuple[Table, ...] = ()
    """The warehouse tables that the system writes."""
    observations: str = ""
    """The one of `tables` that holds the observations; empty: they are in the lake, as `enriched`."""

    @property
    def model_name(self) -> str:
        """The registered model's name."""
        return self.registered_name or self.name

    def table(self, name: str) -> Table:
        """The table called `name`; ValueError names the ones there are."""
        for table in self.tables:
            if table.name == name:
                return table
        raise ValueError(f"{self.name} has no table {name!r}; it has: {', '.join(table.name for table in self.tables) or 'none'}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TabularDomain(Domain):
    """A system that classifies records. The target is a boolean or, where there are `classes`, a code of one of them."""

    id_column: str
    time_column: str
    target: str
    features: Features
    candidates: tuple[Candidate, ...]
    classes: Mapping[int, str] = field(default_factory=dict)
    """Codes 0, 1, ... of the target and their names; empty: the target is a boolean."""
    split: Split = field(default_factory=Split)
    outliers: Outliers = field(default_factory=Outliers)
    """Without columns there is no such stage."""
    balance: Balance = field(default_factory=Balance)
    selection: Selection = field(default_factory=Selection)
    search: Search = field(default_factory=Search)
    compatible_api: CompatibleApi | None = None

    @property
    def resamples(self) -> bool:
        """Whether any candidate balances or selects; otherwise the stages for that are not there."""
        return any(candidate.balance or candidate.select for candidate in self.candidates)

    def candidate(self, name: str) -> Candidate:
        """The candidate called `name`; ValueError names the ones there are."""
        for candidate in self.candidates:
            if candidate.name == name:
                return candidate
        known = ", ".join(candidate.name for candidate in self.candidates)
        raise ValueError(f"{self.name} has no candidate {name!r}; it has: {known}")


@dataclass(frozen=True, slots=True)
class Method:
    """One way to a forecast that the back-test may choose: a name in `ml/forecast/methods.py`, and its parameters."""

    name: str
    description: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Backtest:
    """Rolling origins: `cutoffs` of them, `step` hours apart, the last one where a whole horizon of data follows it."""

    cutoffs: int = 8
    step: int = 24
    min_cutoffs: int = 4
    """With fewer the methods are not compared, and the first one of the Domain that the data can carry forecasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastDomain(Domain):
    """A system that forecasts hourly series, one for each id and their total, from `Hourly` partitions.

    `enriched` has a row for each hour and id, and one with a null id for the total of the hour.
    """

    id_column: str
    time_column: str
    target: str
    methods: tuple[Method, ...]
    """The candidates, the one that needs the least history last."""
    total: str
    """What people call the series that has no id."""
    unit: str = ""
    """What is counted, in words; empty: the description of the target."""
    horizon: int = 24
    """Hours that are forecast and published."""
    max_horizon: int = 168
    """The most that the API may be asked for."""
    season: int = 24
    """Hours of the period by which MASE is scaled."""
    coverage: float = 0.8
    """Share of values that the published interval is to hold."""
    frozen_hours: int = 6
    """So many hours in which no series moves mean that the feed is frozen, and that what it says is no data."""
    silent_hours: int = 48
    """After so many hours without a reading nothing is forecast."""
    stuck_hours: int = 24
    """So many hours in which one series does not move while others do are reported."""
    backtest: Backtest = field(default_factory=Backtest)
