"""From enriched partitions to a fitted model: split, outliers, encoded, scaled, balanced, selected features, model.

The same shape in every system; a difference is a field of `TabularDomain`. Bodies call one function of `ml` each. What follows the model
(evaluation, registration, promotion) is `release.py`.
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.domain import TabularDomain
from mlops_assets.factories.config import config_schema, configured
from mlops_assets.factories.keys import TRAINING, artifact_asset, artifact_out, asset_in, asset_key, frame_asset, frame_out
from mlops_assets.factories.reports import column_lineage, report_model, report_trial, table
from mlops_assets.partitions import partitions_of, window_mapping, window_text
from mlops_assets.process import collect_garbage_rarely
from mlops_assets.resources.mlflow import MlflowResource
from mlops_assets.storage.io_managers import AS_PARTITIONS
from mlops_assets.storage.partitioned import Partitioned
from mlops_assets.storage.run_log import observed_lineage

if TYPE_CHECKING:
    from pandas import DataFrame as Frame

    from mlops_assets.ml.encode import FeatureEncoder
    from mlops_assets.ml.scale import FrameScaler
    from mlops_assets.ml.train import FittedModel
    from mlops_assets.ml.window import Enricher

    Frames = Partitioned[Frame]
else:
    Frames = Enricher = FeatureEncoder = FrameScaler = FittedModel = Frame = Any


def training_assets(domain: TabularDomain) -> list[dg.AssetsDefinition]:
    """The stages from `split` to `model`; the domain provides `enriched` (frames) and `enricher` (artifact)."""
    resampling = [_balanced(domain), _selected_features(domain)] if domain.resamples else []
    outliers = [_outliers(domain)] if domain.outliers.columns else []
    return [_split(domain), *outliers, _encoded(domain), _scaled(domain), *resampling, _model(domain)]


def _learning_rows(domain: TabularDomain) -> str:
    """The stage whose rows the encoder learns from."""
    return "outliers_removed" if domain.outliers.columns else "split_train"


def _split(domain: TabularDomain) -> dg.AssetsDefinition:
    window = window_text(domain.cadence)
    enriched = asset_key(domain, "enriched")
    enricher_name = asset_key(domain, "enricher").to_user_string()

    @dg.multi_asset(
        name=f"{domain.name}__split",
        ins={
            "enriched": dg.AssetIn(key=enriched, partition_mapping=window_mapping(domain.cadence), metadata={AS_PARTITIONS: True}),
            "enricher": asset_in(domain, "enricher"),
        },
        outs={
            "train": frame_out(domain, "split_train", f"Training rows of {window}.", intermediate=True),
            "test": frame_out(
                domain,
                "split_test",
                "The rows that judge the model; no later stage drops, adds or resamples any of them.",
                intermediate=True,
            ),
        },
        partitions_def=partitions_of(domain.cadence),
        config_schema=config_schema(domain.split),
    )
    def split(context: dg.AssetExecutionContext, enriched: Frames, enricher: Enricher) -> tuple[Frame, Frame]:
        collect_garbage_rarely()
        from mlops_assets.ml.split import split as split_rows
        from mlops_assets.ml.window import enriched_alike, join_window

        rows = join_window(enriched, domain)
        enrichers = observed_lineage(context)[enricher_name]
        rows = enriched_alike(rows, enricher, derived=len(set(enrichers.values())) == 1)
        spec = configured(domain.split, context)
        return split_rows(rows, spec, id_column=domain.id_column, time_column=domain.time_column, target=domain.target)

    return split


def _outliers(domain: TabularDomain) -> dg.AssetsDefinition:
    about = f"Training rows without outliers of {', '.join(domain.outliers.columns)}; test rows are never left out."

    @frame_asset(
        domain,
        "outliers_removed",
        about,
        intermediate=True,
        ins={"train": asset_in(domain, "split_train")},
        config_schema=config_schema(domain.outliers),
    )
    def outliers(context: dg.AssetExecutionContext, train: Frame) -> Frame:
        from mlops_assets.ml.outliers import remove_outliers

        kept, bounds = remove_outliers(train, configured(domain.outliers, context))
        context.add_output_metadata({"bounds": table(bounds)})
        return kept

    return outliers


def _encoded(domain: TabularDomain) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=f"{domain.name}__encoded",
        ins={"train": asset_in(domain, _learning_rows(domain)), "test": asset_in(domain, "split_test")},
        outs={
            "encoder": artifact_out(domain, "encoder", "Feature encoder, fitted on the training rows only; travels inside the model."),
            "encoded_train": frame_out(
                domain, "encoded_train", "Training rows as numbers; target encodings are cross-fitted.", intermediate=True
            ),
            "encoded_test": frame_out(
                domain, "encoded_test", "Test rows as numbers, by the encoder fitted on the training rows.", intermediate=True
            ),
        },
        partitions_def=partitions_of(domain.cadence),
    )
    def encoded(context: dg.AssetExecutionContext, train: Frame, test: Frame) -> tuple[FeatureEncoder, Frame, Frame]:
        from mlops_assets.ml.encode import FeatureEncoder, feature_sources

        sources = feature_sources(domain.features)
        context.add_output_metadata(column_lineage(asset_key(domain, _learning_rows(domain)), sources), output_name="encoded_train")
        context.add_output_metadata(column_lineage(asset_key(domain, "split_test"), sources), output_name="encoded_test")
        encoder = FeatureEncoder(domain.features, domain.target, domain.id_column)
        encoded_train = encoder.fit_transform(train)
        return encoder, encoded_train, encoder.transform(test)

    return encoded


def _scaled(domain: TabularDomain) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=f"{domain.name}__scaled",
        ins={"train": asset_in(domain, "encoded_train"), "test": asset_in(domain, "encoded_test")},
        outs={
            "scaler": artifact_out(domain, "scaler", "Means and standard deviations of the training rows; travels inside the model."),
            "scaled_train": frame_out(
                domain, "scaled_train", f"Training rows with {', '.join(domain.features.scaled)} standardised.", intermediate=True
            ),
            "scaled_test": frame_out(domain, "scaled_test", "Test rows, standardised by the training rows' scaler.", intermediate=True),
        },
        partitions_def=partitions_of(domain.cadence),
    )
    def scaled(train: Frame, test: Frame) -> tuple[FrameScaler, Frame, Frame]:
        from mlops_assets.ml.scale import FrameScaler

        scaler = FrameScaler(domain.features.scaled).fit(train)
        return scaler, scaler.transform(train), scaler.transform(test)

    return scaled


def _balanced(domain: TabularDomain) -> dg.AssetsDefinition:
    about = "Training rows after SMOTE and random under-sampling, plain features only; candidates that balance are fitted on them."

    @frame_asset(
        domain,
        "balanced",
        about,
        intermediate=True,
        ins={"train": asset_in(domain, "scaled_train")},
        config_schema=config_schema(domain.balance),
    )
    def balanced(context: dg.AssetExecutionContext, train: Frame) -> Frame:
        from mlops_assets.ml.balance import balance
        from mlops_assets.ml.encode import feature_columns

        columns = feature_columns(domain.features, ("plain",))
        return balance(train, configured(domain.balance, context), target=domain.target, columns=columns)

    return balanced


def _selected_features(domain: TabularDomain) -> dg.AssetsDefinition:
    about = "Mutual information (nats) of each plain feature with the target on the balanced rows, and whether it passes the threshold."

    @frame_asset(
        domain,
        "selected_features",
        about,
        intermediate=True,
        ins={"train": asset_in(domain, "balanced")},
        config_schema=config_schema(domain.selection),
    )
    def selected_features(context: dg.AssetExecutionContext, train: Frame) -> Frame:
        from mlops_assets.ml.encode import feature_columns
        from mlops_assets.ml.select import select_features

        columns = feature_columns(domain.features, ("plain",))
        scores = select_features(train, configured(domain.selection, context), target=domain.target, columns=columns)
        context.add_output_metadata({"scores": table(scores)})
        return scores

    return selected_features


def _model(domain: TabularDomain) -> dg.AssetsDefinition:
    names = ", ".join(candidate.name for candidate in domain.candidates)
    about = f"The best candidate of the search ({names}), refitted on all training rows. Every trial is a nested MLflow run."
    resampled = {"balanced": "balanced", "selected": "selected_features"} if domain.resamples else {}

    @artifact_asset(
        domain,
        "model",
        about,
        ins={name: asset_in(domain, stage) for name, stage in {"train": "scaled_train", **resampled}.items()},
        config_schema=config_schema(domain.search),
        pool=TRAINING,
    )
    def model(context: dg.AssetExecutionContext, mlflow: MlflowResource, **frames: Frame) -> FittedModel:
        from mlops_assets.ml.chain import search_and_fit

        spec, run = configured(domain.search, context), mlflow.run(domain.name)
        fitted, result = search_and_fit(domain, spec, **frames, on_trial=lambda trial: report_trial(run, trial, spec.metric))
        report_model(context, run, fitted, result, spec.metric)
        return fitted

    return model
