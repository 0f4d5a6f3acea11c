"""Systems and versions in the API's words. Values in, values out."""

from typing import TYPE_CHECKING, Literal

from mlops_assets.domain import Domain
from mlops_assets.ml.provenance import Provenance
from mlops_assets.serving.answers import CompatibleMetadata, Field, Lineage, Links, ModelDetail, ModelSummary, Version
from mlops_assets.serving.champion import Champion
from mlops_assets.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient


ONNX, NATIVE = "onnx", "native: "
"""How a version says what it is served by: `onnx`, or `native: ` and why."""


def summarize(domain: Domain, champion: Champion | None) -> ModelSummary:
    """One line of the list of models."""
    return ModelSummary(
        name=domain.name,
        registered_model=domain.model_name,
        title=domain.title,
        description=domain.description,
        task="multiclass" if domain.classes else "binary",
        ready=champion is not None,
        version=champion.version if champion else None,
        metrics=dict(champion.provenance.metrics) if champion else {},
        trained_at=champion.created_at if champion else None,
    )


def describe(domain: Domain, champion: Champion | None, settings: Settings) -> ModelDetail:
    """Everything that is known of a system and its champion."""
    source = champion.provenance if champion else None
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
            for field in domain.request
        ],
        example={field.name: field.example for field in domain.request},
        classes=_classes(domain),
        features=list(source.features) if source else [],
        candidate=source.candidate or None if source else None,
        params=dict(source.params) if source else {},
        threshold=source.threshold if source else None,
        engine=_engine(source) if source else None,
        engine_note=source.serving_engine.removeprefix(NATIVE) or None if source and _engine(source) != ONNX else None,
        lineage=_lineage(source) if source else None,
        links=_links(champion, settings),
    )


def metadata(champion: Champion) -> CompatibleMetadata:
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


def _engine(source: Provenance) -> Literal["onnx", "scikit-learn"]:
    return "onnx" if source.serving_engine == ONNX else "scikit-learn"


def _classes(domain: Domain) -> dict[str, str] | None:
    return {str(code): name for code, name in domain.classes.items()} or None


def _lineage(source: Provenance) -> Lineage:
    return Lineage(
        partition=source.partition,
        dagster_run_id=source.dagster_run_id,
        git_commit=source.git_commit,
        code_version=source.code_version,
        upstream={asset: dict(partitions) for asset, partitions in source.upstream.items()},
    )


def _links(champion: Champion | None, settings: Settings) -> Links:
    if champion is None:
        return Links(mlflow=None, dagster=None)
    page = f"{settings.mlflow_ui_url.rstrip('/')}/#/models/{champion.domain.model_name}/versions/{champion.version}"
    run = champion.provenance.dagster_run_id
    return Links(mlflow=page, dagster=f"{settings.dagster_ui_url.rstrip('/')}/runs/{run}" if run else None)
