"""Systems and versions in the API's words. Values in, values out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from mlops_assets.domain import Domain, ForecastDomain, RequestField, TabularDomain
from mlops_assets.ml.provenance import Provenance
from mlops_assets.serving.answers import (
    CompatibleMetadata,
    Field,
    Forecasting,
    Lineage,
    Links,
    ModelDetail,
    ModelSummary,
    Series,
    Task,
    UpstreamRange,
    Version,
)
from mlops_assets.serving.champion import AnyChampion, Classifier, Forecaster
from mlops_assets.serving.forecast_answers import unit_of
from mlops_assets.serving.series_request import HORIZON
from mlops_assets.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient


ONNX, NATIVE = "onnx", "native: "
"""How a version says what it is served by: `onnx`, or `native: ` and why."""


def summarize(domain: Domain, champion: AnyChampion | None) -> ModelSummary:
    """One line of the list of models."""
    task = _task_of(domain)
    return ModelSummary(
        name=domain.name,
        kind="forecaster" if task == "forecast" else "classifier",
        registered_model=domain.model_name,
        title=domain.title,
        description=domain.description,
        task=task,
        ready=champion is not None,
        version=champion.version if champion else None,
        metrics=dict(champion.provenance.metrics) if champion else {},
        trained_at=champion.created_at if champion else None,
    )


def describe(domain: TabularDomain, champion: Classifier | None, settings: Settings) -> ModelDetail:
    """Everything that is known of a system that predicts records, and of its champion."""
    source = champion.provenance if champion else None
    return _detail(
        domain,
        champion,
        settings,
        request=domain.request,
        classes=_classes(domain),
        features=list(source.features) if source else [],
        threshold=source.threshold if source else None,
        engine=_engine(source) if source else None,
        engine_note=source.serving_engine.removeprefix(NATIVE) or None if source and _engine(source) != ONNX else None,
    )


def describe_forecaster(
    domain: ForecastDomain, champion: Forecaster | None, settings: Settings, names: Mapping[str | None, str]
) -> ModelDetail:
    """Everything that is known of a system that forecasts series, and of its champion; `names` are the series that are stored, by id."""
    horizon = f"Hours ahead, from 1 to {domain.max_horizon}; {domain.horizon} if it is not there."
    return _detail(
        domain,
        champion,
        settings,
        request=(
            RequestField(HORIZON, "long", horizon, domain.horizon),
            RequestField(domain.id_column, "string", f"Which series; null: {domain.total}.", next(filter(None, names), "")),
        ),
        example={HORIZON: domain.horizon, domain.id_column: None},
        forecasting=Forecasting(
            id_column=domain.id_column,
            unit=unit_of(domain),
            total=domain.total,
            horizon=domain.horizon,
            max_horizon=domain.max_horizon,
            season=domain.season,
            coverage=domain.coverage,
            frozen_hours=domain.frozen_hours,
            methods={method.name: method.description for method in domain.methods},
            series=[Series(id=identifier, name=name) for identifier, name in names.items()],
        ),
    )


def metadata(champion: Classifier) -> CompatibleMetadata:
    """The champion, as the replaced system's clients ask for it."""
    domain = champion.domain
    return CompatibleMetadata(
        model_name=domain.model_name,
        model_version=champion.version,
        run_id=champion.run_id,
        trained_at=champion.created_at,
        metrics=dict(champion.provenance.metrics),
        features=[field.name for field in domain.request],
        classes=_classes(domain),
    )


def registered_versions(client: "MlflowClient", domain: Domain) -> list[Version]:
    """All versions of the system's model, the newest first. Raises what the registry raises."""
    from mlops_assets.ml import registry

    return [
        Version(
            version=str(found.version),
            aliases=list(found.aliases),
            metrics=dict(found.provenance.metrics),
            created_at=found.created_at,
            candidate=found.provenance.candidate or None,
            partition=found.provenance.partition,
            run_id=found.run_id,
        )
        for found in registry.history(client, domain.model_name)
    ]


def _detail(
    domain: Domain, champion: AnyChampion | None, settings: Settings, *, request: Sequence[RequestField], **own: Any
) -> ModelDetail:
    """What all systems have, and what this one has of its `own`; the rest of it is empty."""
    source = champion.provenance if champion else None
    nothing: dict[str, Any] = {
        "example": {field.name: field.example for field in request},
        "forecasting": None,
        "classes": None,
        "features": [],
        "threshold": None,
        "engine": None,
        "engine_note": None,
    }
    return ModelDetail(
        **summarize(domain, champion).model_dump(),
        request=[
            Field(
                name=field.name,
                type=field.type,
                required=field.required,
                nullable=field.nullable or not field.required,
                categories=list(field.categories),
                description=field.description,
                example=field.example,
            )
            for field in request
        ],
        candidate=source.candidate or None if source else None,
        params=dict(source.params) if source else {},
        lineage=_lineage(source) if source else None,
        links=_links(champion, settings),
        **nothing | own,
    )


def _task_of(domain: Domain) -> Task:
    if isinstance(domain, TabularDomain):
        return "multiclass" if domain.classes else "binary"
    return "forecast"


def _engine(source: Provenance) -> Literal["onnx", "scikit-learn"]:
    return "onnx" if source.serving_engine == ONNX else "scikit-learn"


def _classes(domain: TabularDomain) -> dict[str, str] | None:
    return {str(code): name for code, name in domain.classes.items()} or None


def _lineage(source: Provenance) -> Lineage:
    return Lineage(
        partition=source.partition,
        dagster_run_id=source.dagster_run_id,
        git_commit=source.git_commit,
        code_version=source.code_version,
        upstream={asset: dict(partitions) for asset, partitions in source.upstream.items()},
        ranges={asset: UpstreamRange(**asdict(found)) for asset, found in source.ranges.items()},
    )


def _links(champion: AnyChampion | None, settings: Settings) -> Links:
    if champion is None:
        return Links(mlflow=None, dagster=None)
    page = f"{settings.mlflow_ui_url.rstrip('/')}/#/models/{champion.domain.model_name}/versions/{champion.version}"
    run = champion.provenance.dagster_run_id
    return Links(mlflow=page, dagster=f"{settings.dagster_ui_url.rstrip('/')}/runs/{run}" if run else None)
