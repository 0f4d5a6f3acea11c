"""The JSON of everything but predictions, as types: what FastAPI checks and what OpenAPI shows."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

Kind = Literal["classifier", "forecaster"]
Task = Literal["binary", "multiclass", "forecast"]
Scalar = str | bool | int | float


class ModelSummary(BaseModel):
    """One system and its champion; `ready` says whether it answers, `kind` whether predictions or forecasts."""

    name: str
    kind: Kind
    registered_model: str
    title: str
    description: str
    task: Task
    ready: bool
    version: str | None
    metrics: dict[str, float]
    trained_at: datetime | None


class ModelList(BaseModel):
    """All systems."""

    models: list[ModelSummary]


class Field(BaseModel):
    """One field of a record."""

    name: str
    type: Literal["string", "boolean", "long", "double"]
    required: bool
    nullable: bool
    categories: list[str]
    description: str
    example: Scalar


class UpstreamRange(BaseModel):
    """Many partitions of one asset: the first, the last, how many, and the digest of their data versions."""

    first: str
    last: str
    count: int
    digest: str


class Lineage(BaseModel):
    """Where a version comes from; `upstream`: asset -> partition -> data version, or in `ranges` where those are too many."""

    partition: str
    dagster_run_id: str
    git_commit: str
    code_version: str
    upstream: dict[str, dict[str, str]]
    ranges: dict[str, UpstreamRange]


class Links(BaseModel):
    """Pages of the version in MLflow and of its run in Dagster."""

    mlflow: str | None
    dagster: str | None


class Series(BaseModel):
    """A series that a system forecasts: its id, null the total, and what people call it."""

    id: str | None
    name: str


class Forecasting(BaseModel):
    """How a system forecasts: hours ahead, the share of values that an interval is to hold, and the series that it has stored."""

    id_column: str
    unit: str
    total: str
    horizon: int
    max_horizon: int
    season: int
    coverage: float
    frozen_hours: int
    methods: dict[str, str]
    series: list[Series]


class ModelDetail(ModelSummary):
    """A system, its request, and everything that is known of its champion; empty where there is none.

    `request`: the fields of a record, or of the body of a forecast, of which `forecasting` says more.
    """

    request: list[Field]
    example: dict[str, Scalar | None]
    forecasting: Forecasting | None
    classes: dict[str, str] | None
    features: list[str]
    candidate: str | None
    params: dict[str, Any]
    threshold: float | None
    engine: Literal["onnx", "scikit-learn"] | None
    engine_note: str | None
    lineage: Lineage | None
    links: Links


class Version(BaseModel):
    """A registered version."""

    version: str
    aliases: list[str]
    metrics: dict[str, float]
    created_at: datetime
    candidate: str | None
    partition: str
    run_id: str


class VersionList(BaseModel):
    """All versions of a model, the newest first."""

    versions: list[Version]


class Sample(BaseModel):
    """A random sample of stored observations, as columns; `partitions`: how many rows of each partition are stored where it was drawn."""

    rows: int
    partitions: dict[str, int]
    columns: dict[str, list[Any]]


class Reloaded(BaseModel):
    """What a reload ended with."""

    model: str
    model_version: str


class CompatibleMetadata(BaseModel):
    """The champion, as the replaced system's clients ask for it."""

    model_name: str
    model_version: str
    run_id: str
    trained_at: datetime
    metrics: dict[str, float]
    features: list[str]
    classes: dict[str, str] | None


class ModelHealth(BaseModel):
    """One system: `problem` says why the registry's champion is not the one served."""

    ready: bool
    version: str | None
    problem: str | None


class RegistryHealth(BaseModel):
    """The registry, as the last poll found it."""

    reachable: bool
    seconds_since_answer: float | None
    problem: str | None


class Health(BaseModel):
    """`live`: the process answers; `ready`: it serves at least one model; `degraded`: not everything is as it should be."""

    status: Literal["ok", "degraded", "unavailable"]
    live: bool
    ready: bool
    registry: RegistryHealth
    models: dict[str, ModelHealth]
