"""Three small systems, really trained and registered in an MLflow of their own, for tests that serve them.

One answers yes or no, one has three classes, observations in the warehouse, and a compatible API, and one forecasts series by the hour.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from mlflow import MlflowClient

from mlops_assets.domain import (
    Batches,
    Candidate,
    Column,
    CompatibleApi,
    Domain,
    Features,
    ForecastDomain,
    Gates,
    Hourly,
    Method,
    RequestField,
    Table,
    TabularDomain,
)
from mlops_assets.ml import registry
from mlops_assets.ml.encode import FeatureEncoder, feature_columns
from mlops_assets.ml.estimators import build_estimator
from mlops_assets.ml.forecast.model import ForecastModel
from mlops_assets.ml.provenance import Provenance
from mlops_assets.ml.release import register_challenger, register_method
from mlops_assets.ml.scale import FrameScaler
from mlops_assets.ml.served import ServedModel
from mlops_assets.ml.train import FittedModel
from mlops_assets.storage.warehouse import Warehouse, arrow_schema

KINDS = ("car", "house")
CANDIDATE = Candidate("xgboost", "Trees.", params={"n_estimators": 8, "max_depth": 2})

LOANS = TabularDomain(
    name="loans",
    title="Loans",
    description="Whether a loan is paid back.",
    id_column="id",
    time_column="at",
    target="paid",
    request=(
        RequestField("amount", "double", "Amount.", 1000.0, required=True, nullable=True),
        RequestField("kind", "string", "What it is for.", "car", required=True, categories=KINDS),
        RequestField("months", "long", "Months.", 12),
        RequestField("is_new", "boolean", "Whether it is the first.", True),
        RequestField("note", "string", "Anything.", "none"),
    ),
    features=Features(numeric=("amount", "months"), one_hot={"kind": KINDS}, flags=("is_new",), frequency=("note",)),
    candidates=(CANDIDATE,),
    cadence=Batches(count=3),
)
PLANTS = Table(
    name="plants",
    description="Plants.",
    columns=(
        Column("id", "string", "Identifier."),
        Column("height", "double", "Height."),
        Column("batch", "long", "Batch."),
        Column("seen_at", "timestamp", "When."),
    ),
    partition_column="batch",
    mode="add",
    keys=("id",),
)
FLOWERS = TabularDomain(
    name="flowers",
    title="Flowers",
    description="Which flower it is.",
    id_column="id",
    time_column="seen_at",
    target="flower",
    classes={0: "Rose", 1: "Tulip", 2: "Daisy"},
    registered_name="flower-classifier",
    request=(
        RequestField("height", "double", "Height.", 0.5, required=True, nullable=True),
        RequestField("colour", "string", "Colour.", "red", required=True, categories=("red", "white")),
    ),
    features=Features(numeric=("height",), one_hot={"colour": ("red", "white")}),
    candidates=(CANDIDATE,),
    cadence=Batches(count=3),
    tables=(PLANTS,),
    observations="plants",
    compatible_api=CompatibleApi(records="samples"),
)
SHOP = Column("shop", "string", "The shop; null: both.")
CREATED_AT = Column("created_at", "timestamp", "The hour of the run.")
MODEL_VERSION = Column("model_version", "string", "What forecast.")
NUMBERS = tuple(Column(name, "double", name) for name in ("yhat", "yhat_lower", "yhat_upper"))
FORECAST = (CREATED_AT, Column("timestamp", "timestamp", "The hour."), *NUMBERS, Column("horizon", "long", "Ahead."), SHOP, MODEL_VERSION)
HOURLY_VISITORS = Table(
    name="hourly_visitors",
    description="Visitors by the hour.",
    columns=(
        Column("hour", "timestamp", "The hour."),
        SHOP,
        Column("name", "string", "What the shop is called."),
        Column("visitors", "long", "Visitors."),
        Column("total", "long", "How many fit in."),
    ),
    partition_column="hour",
    mode="append",
)
PREDICTIONS = Table(name="predictions", description="Forecasts.", columns=FORECAST, partition_column="created_at", mode="append")
FORECAST_ACCURACY = Table(
    name="forecast_accuracy",
    description="Forecasts and what came.",
    columns=(*FORECAST, Column("absolute_error", "double", "Distance."), Column("is_within", "boolean", "Whether the interval held.")),
    partition_column="timestamp",
    mode="append",
)
MODEL_METRICS = Table(
    name="model_metrics",
    description="Back-tests.",
    columns=(
        Column("run_at", "timestamp", "The hour of the run."),
        Column("train_points", "long", "Hours."),
        Column("mae", "double", "Error."),
        Column("model_desc", "string", "What forecast, and why."),
        Column("mase", "double", "Scaled error."),
        Column("cutoffs", "long", "Origins."),
        Column("method", "string", "What forecast."),
        MODEL_VERSION,
    ),
    partition_column="run_at",
    mode="append",
)
VISITORS = ForecastDomain(
    name="visitors",
    title="Visitors",
    description="Who comes in the next hours.",
    cadence=Hourly(start="2024-01-01T00", window=14 * 24),
    id_column="shop",
    time_column="hour",
    target="visitors",
    total="both shops",
    request=(
        RequestField("hour", "string", "The hour (UTC, ISO 8601).", "2024-03-01T08:00:00Z", required=True),
        RequestField("shop", "string", "The shop; null: both.", "n", required=True, nullable=True),
        RequestField("visitors", "double", "Visitors in the hour.", 7.0, required=True, nullable=True),
    ),
    methods=(Method("seasonal_naive_day", "As the day before."), Method("last_value", "The last value goes on.")),
    gates=Gates(metric="mase", better="less"),
    max_horizon=48,
    tables=(HOURLY_VISITORS, PREDICTIONS, FORECAST_ACCURACY, MODEL_METRICS),
    observations=HOURLY_VISITORS.name,
)
SHOPS = {"n": "North", "s": "South"}
TABULAR = (LOANS, FLOWERS)
SYSTEMS: tuple[Domain, ...] = (LOANS, FLOWERS, VISITORS)
NOW = datetime(2024, 3, 5, 10, 20, tzinfo=UTC)
RUNNING_HOUR = NOW.replace(minute=0)


def make_visitors(hours: int = 14 * 24, end: datetime = RUNNING_HOUR) -> list[dict[str, Any]]:
    """Rows of both shops and of their sum for the hours before `end`; more by day, and never twice the same."""
    rows = []
    for ago in range(hours, 0, -1):
        hour = end - timedelta(hours=ago)
        counts = {"n": 30 + 10 * (8 <= hour.hour < 20) + ago % 5, "s": 50 + 20 * (8 <= hour.hour < 20) + ago % 3}
        rows += [{"hour": hour, "shop": shop, "name": SHOPS[shop], "visitors": count, "total": 100} for shop, count in counts.items()]
        rows.append({"hour": hour, "shop": None, "name": None, "visitors": sum(counts.values()), "total": 200})
    return rows


def store_rows(url: str, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Adds rows to a table of the warehouse."""
    Warehouse(url, [table]).write(table, pa.Table.from_pylist(list(rows), arrow_schema(table)))


def make_served(domain: TabularDomain, seed: int) -> tuple[ServedModel, pd.DataFrame]:
    """A model fitted on random rows, and the rows; another seed gives another model."""
    generator = np.random.default_rng(seed)
    rows = 200
    if domain.name == LOANS.name:
        frame = pd.DataFrame(
            {
                "amount": generator.uniform(0, 5000, rows),
                "kind": pd.array(generator.choice(KINDS, rows), dtype="string[pyarrow]"),
                "months": pd.array(generator.integers(1, 60, rows), dtype="Int64"),
                "is_new": pd.array(generator.random(rows) < 0.5, dtype="boolean"),
                "note": pd.array(generator.choice(["none", "some"], rows), dtype="string[pyarrow]"),
            }
        )
        labels = (frame["amount"] + generator.uniform(0, 3000, rows) < 3000).to_numpy()
    else:
        frame = pd.DataFrame(
            {
                "height": generator.uniform(0, 3, rows),
                "colour": pd.array(generator.choice(["red", "white"], rows), dtype="string[pyarrow]"),
            }
        )
        labels = np.clip(frame["height"].to_numpy() + generator.uniform(-0.5, 0.5, rows), 0, 2).astype(np.int64)
    frame[domain.id_column] = pd.array([str(number) for number in range(rows)], dtype="string[pyarrow]")
    frame[domain.target] = labels
    encoder = FeatureEncoder(domain.features, domain.target, domain.id_column)
    encoded = encoder.fit_transform(frame)
    scaler = FrameScaler(domain.features.scaled).fit(encoded)
    columns = feature_columns(domain.features)
    estimator = build_estimator("xgboost", CANDIDATE.params, seed)
    estimator.fit(encoded[columns].to_numpy(dtype=np.float32), labels.astype(np.int8))
    classes = tuple(domain.classes) or (0, 1)
    model = FittedModel(estimator, columns, CANDIDATE.name, dict(CANDIDATE.params), 0.5, classes, classes)
    nothing = FrameScaler(()).fit(frame)  # an enricher that adds nothing, of a type that a registered model may hold
    served = ServedModel(
        enricher=nothing, encoder=encoder, scaler=scaler, model=model, request=domain.request, classes=tuple(domain.classes)
    )
    return served, frame


class Registry:
    """An MLflow on SQLite."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "mlflow.db"
        self.uri = f"sqlite:///{self.database}"
        self.client: MlflowClient = registry.connect(self.uri)
        registry.create_experiment(self.client, "tests", (folder / "artifacts").as_uri())
        self._experiment_id = self.client.get_experiment_by_name("tests").experiment_id

    def publish_method(self, domain: ForecastDomain, number: int = 0) -> tuple[str, ForecastModel]:
        """Registers and promotes the method of that number."""
        model = ForecastModel.of(domain, domain.methods[number])
        run_id = self.client.create_run(self._experiment_id).info.run_id
        version, _ = register_method(self.client, domain, model, run_id=run_id, provenance=self._provenance(domain))
        registry.set_alias(self.client, domain.model_name, registry.CHAMPION, version.version)
        return str(version.version), model

    def publish(self, domain: TabularDomain, seed: int = 0, alias: str = registry.CHAMPION) -> tuple[str, ServedModel]:
        """Fits, logs, registers and promotes."""
        served, rows = make_served(domain, seed)
        run_id = self.client.create_run(self._experiment_id).info.run_id
        version, _ = register_challenger(
            self.client,
            domain,
            served,
            run_id=run_id,
            provenance=self._provenance(domain),
            held_out=rows[[field.name for field in domain.request]],
        )
        registry.set_alias(self.client, domain.model_name, alias, version.version)
        return str(version.version), served

    def publish_broken(self, domain: Domain) -> str:
        """A champion whose files are not there."""
        nowhere = (self.database.parent / "nowhere").as_uri()
        version = registry.register(self.client, domain.model_name, nowhere, run_id="r" * 32, provenance=self._provenance(domain)).version
        registry.set_alias(self.client, domain.model_name, registry.CHAMPION, version)
        return str(version)

    def _provenance(self, domain: Domain) -> Provenance:
        return Provenance(
            dagster_run_id="d-1",
            partition="02",
            code_version="c-1",
            git_commit="abc",
            fingerprint="f",
            metrics={"macro_f1": 0.75},
            upstream={f"{domain.name}/raw": {"01": "v1", "02": "v2"}},
        )
