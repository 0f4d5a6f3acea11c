"""What the prediction API answers, as checked values. Shapes only: no HTTP, no Streamlit."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from mlops_assets.domain import FieldType


class Answer(BaseModel):
    """An answer or a part of one; what the dashboard does not use is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Model(Answer):
    """One system and, where it is `ready`, its champion."""

    name: str
    title: str
    description: str
    task: str
    ready: bool
    registered_model: str = ""
    version: str | None = None
    metrics: dict[str, float | None] = Field(default_factory=dict)
    trained_at: datetime | None = None

    @property
    def forecasts(self) -> bool:
        """Whether it forecasts series; the other systems classify records."""
        return self.task == "forecast"


class Models(Answer):
    """All systems."""

    models: list[Model]


class RequestField(Answer):
    """One field of the record that a model takes."""

    name: str
    type: FieldType
    required: bool = False
    nullable: bool = False
    categories: list[str] = Field(default_factory=list)
    description: str = ""
    example: str | bool | int | float | None = None

    @property
    def may_be_missing(self) -> bool:
        """Whether the model takes a record without a value here."""
        return self.nullable or not self.required


class UpstreamRange(Answer):
    """Many partitions of one asset, with the digest of their data versions."""

    first: str
    last: str
    count: int
    digest: str


class Lineage(Answer):
    """Where a version comes from; `upstream` is asset -> partition -> data version, `ranges` has the assets with too many partitions."""

    partition: str | None = None
    dagster_run_id: str | None = None
    git_commit: str | None = None
    code_version: str | None = None
    upstream: dict[str, dict[str, str]] = Field(default_factory=dict)
    ranges: dict[str, UpstreamRange] = Field(default_factory=dict)


class Links(Answer):
    """Pages about a version in other tools."""

    mlflow: str | None = None
    dagster: str | None = None


class Forecasting(Answer):
    """How a system forecasts: the key of a series' id in requests and answers, what the values are, and how far ahead one may ask."""

    id_column: str
    unit: str
    horizon: int
    max_horizon: int
    methods: dict[str, str] = Field(default_factory=dict)
    """Name -> what it does."""


class ModelDetail(Model):
    """One system with its champion's contract, parameters and lineage."""

    request: list[RequestField] = Field(default_factory=list)
    forecasting: Forecasting | None = None
    features: list[str] = Field(default_factory=list)
    classes: dict[int, str] | None = None
    candidate: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    threshold: float | None = None
    engine: str | None = None
    engine_note: str | None = None
    lineage: Lineage | None = None
    links: Links = Field(default_factory=Links)


class Version(Answer):
    """One registered version."""

    version: str
    aliases: list[str] = Field(default_factory=list)
    metrics: dict[str, float | None] = Field(default_factory=dict)
    created_at: datetime | None = None
    candidate: str | None = None
    partition: str | None = None
    run_id: str | None = None


class Versions(Answer):
    """All versions, newest first."""

    versions: list[Version]

    def with_alias(self, alias: str) -> Version | None:
        """The version that bears the alias."""
        return next((version for version in self.versions if alias in version.aliases), None)

    @property
    def newest(self) -> Version | None:
        """The one registered last."""
        return max(self.versions, key=lambda version: int(version.version), default=None)


class Sample(Answer):
    """A sample of a system's observations, column by column; `partitions` is partition -> rows."""

    rows: int
    partitions: dict[str, int] = Field(default_factory=dict)
    columns: dict[str, list[Any]] = Field(default_factory=dict)


class Predictions(Answer):
    """Predictions for a list of records, in its order.

    `probabilities` are those of the positive class, or of every class in the order of their codes.
    """

    model_version: str
    predictions: list[bool | int]
    probabilities: list[float | list[float]]


class ForecastHour(Answer):
    """The forecast of one hour, `horizon` hours after the run; no bounds where the history cannot carry an interval."""

    timestamp: datetime
    horizon: int
    yhat: float
    yhat_lower: float | None = None
    yhat_upper: float | None = None


class Forecast(Answer):
    """The forecast of one series, computed on its history up to the hour `as_of`.

    `reason` says why the method is not the model's own one; empty: it is.
    """

    model_version: str
    method: str
    reason: str = ""
    as_of: datetime
    created_at: datetime
    coverage: float
    train_points: int | None = None
    forecast: list[ForecastHour]


class Series(Answer):
    """One series on the whole hourly grid: no value in a gap. `id` is None for the total; `total` is the most that its value can be.

    What the answer calls the id, the validation's context says as `id_column`.
    """

    id: str | None
    name: str
    total: float | None = None
    timestamps: list[datetime]
    values: list[float | None]
    state: list[str]

    @model_validator(mode="before")
    @classmethod
    def _with_id(cls, given: Any, info: ValidationInfo) -> Any:
        column = (info.context or {}).get("id_column", "id")
        return {**given, "id": given[column]} if isinstance(given, dict) and column in given else given


class History(Answer):
    """Every stored series up to the hour `as_of`."""

    as_of: datetime
    series: list[Series]


class Scores(Answer):
    """Published forecasts against what then came: mean absolute error, and the share of values that the interval held."""

    points: int
    mae: float | None = None
    within: float | None = None


class HorizonScores(Scores):
    """Those that looked so many hours ahead."""

    horizon: int


class DayScores(Scores):
    """Those of the hours of one day, UTC."""

    day: date


class Backtest(Answer):
    """How well the method of one run hour did on the total, on the history that there was."""

    run_at: datetime
    method: str
    model_version: str | None = None
    mae: float | None = None
    mase: float | None = None
    cutoffs: int | None = None


class Accuracy(Scores):
    """All of one series; `coverage` is the share that the interval is to hold, `backtests` are the total's."""

    coverage: float
    by_horizon: list[HorizonScores] = Field(default_factory=list)
    by_day: list[DayScores] = Field(default_factory=list)
    backtests: list[Backtest] = Field(default_factory=list)


class Refusal(Answer):
    """One reason why records are refused; `record` counts from 0, and is None where the request as a whole is meant."""

    record: int | None = None
    field: str | None = None
    message: str
