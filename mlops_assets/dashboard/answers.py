"""What the prediction API answers, as checked values. Shapes only: no HTTP, no Streamlit."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

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


class Lineage(Answer):
    """Where a version comes from; `upstream` is asset -> partition -> data version."""

    partition: str | None = None
    dagster_run_id: str | None = None
    git_commit: str | None = None
    code_version: str | None = None
    upstream: dict[str, dict[str, str]] = Field(default_factory=dict)


class Links(Answer):
    """Pages about a version in other tools."""

    mlflow: str | None = None
    dagster: str | None = None


class ModelDetail(Model):
    """One system with its champion's contract, parameters and lineage."""

    request: list[RequestField] = Field(default_factory=list)
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


class Refusal(Answer):
    """One reason why records are refused; `record` counts from 0, and is None where the request as a whole is meant."""

    record: int | None = None
    field: str | None = None
    message: str
