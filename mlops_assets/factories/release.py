"""From a fitted model to the champion: evaluation, comparison of splits, registration, the gate and the promotion.

The gate is a blocking asset check on the registered challenger: `champion` runs only behind it, and asks for it again by itself.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.domain import Domain, TabularDomain
from mlops_assets.factories.code_version import code_digest, git_commit
from mlops_assets.factories.keys import TRAINING, asset_in, asset_key, frame_asset, frame_out
from mlops_assets.factories.reports import report_comparison, report_evaluation, report_registered, report_verdict
from mlops_assets.partitions import partitions_of
from mlops_assets.resources.mlflow import MlflowResource
from mlops_assets.storage.run_log import observed_lineage
from mlops_assets.storage.stamp import Lineage

if TYPE_CHECKING:
    from pandas import DataFrame as Frame

    from mlops_assets.ml.encode import FeatureEncoder
    from mlops_assets.ml.provenance import Provenance
    from mlops_assets.ml.scale import FrameScaler
    from mlops_assets.ml.train import FittedModel
    from mlops_assets.ml.window import Enricher
else:
    Enricher = FeatureEncoder = FrameScaler = FittedModel = Frame = Any

GATE = "challenger_beats_champion"
PARITY = "registered_model_reproduces_the_lineage"
TOLERANCE = 1e-9
"""Largest difference of probabilities between the registered model and the lineage."""
ONLINE_TOLERANCE = 1e-6
"""The same for what serves it online, which may compute in single precision."""
TRAINING_STAGES = frozenset(
    [
        *("split_train", "split_test", "outliers_removed", "encoder", "encoded_train", "encoded_test", "scaler", "scaled_train"),
        *("scaled_test", "balanced", "selected_features", "model", "test_predictions", "evaluation"),
    ]
)
"""What one training makes of one window; the registered model must come from one version of each."""
CODE = ("mlops_assets.ml", "mlops_assets.domain", "mlops_assets.domains")


def release_assets(domain: TabularDomain) -> list[dg.AssetsDefinition]:
    """The stages from `evaluation` to `champion`."""
    return [_evaluation(domain), _split_comparison(domain), _registered_model(domain), champion_asset(domain)]


def release_checks(domain: TabularDomain) -> list[dg.AssetChecksDefinition]:
    """The blocking checks on the registered model."""
    return [_parity(domain), _gate(domain)]


def _evaluation(domain: TabularDomain) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=f"{domain.name}__evaluation",
        ins={"test": asset_in(domain, "scaled_test"), "model": asset_in(domain, "model")},
        outs={
            "predictions": frame_out(domain, "test_predictions", "Each test row's id, truth, probability and label."),
            "metrics": frame_out(domain, "evaluation", "The model's metrics on the test rows, one row a metric."),
        },
        partitions_def=partitions_of(domain.cadence),
    )
    def evaluation(context: dg.AssetExecutionContext, mlflow: MlflowResource, test: Frame, model: FittedModel) -> tuple[Frame, Frame]:
        from mlops_assets.ml.chain import metrics_frame, score

        predictions, metrics = score(test, model, domain)
        report_evaluation(context, mlflow.run(domain.name), domain, predictions, metrics, model)
        return predictions, metrics_frame(metrics)

    return evaluation


def _split_comparison(domain: TabularDomain) -> dg.AssetsDefinition:
    about = "The same candidate and parameters, fitted and judged under both splits, random and temporal: one row a split."

    @frame_asset(
        domain,
        "split_comparison",
        about,
        ins={
            "train": asset_in(domain, "split_train"),
            "test": asset_in(domain, "split_test"),
            "metrics": asset_in(domain, "evaluation"),
            "model": asset_in(domain, "model"),
        },
        pool=TRAINING,
    )
    def split_comparison(
        context: dg.AssetExecutionContext, mlflow: MlflowResource, train: Frame, test: Frame, metrics: Frame, model: FittedModel
    ) -> Frame:
        from mlops_assets.ml.chain import compare_splits

        comparison = compare_splits(train, test, metrics, model, domain)
        report_comparison(context, mlflow.run(domain.name), comparison)
        return comparison

    return split_comparison


def _registered_model(domain: TabularDomain) -> dg.AssetsDefinition:
    about = "The model version that takes raw records, registered as `@challenger` with its whole provenance; an identical one is kept."

    @frame_asset(
        domain,
        "registered_model",
        about,
        kinds=("mlflow",),
        ins={
            "enricher": asset_in(domain, "enricher"),
            "encoder": asset_in(domain, "encoder"),
            "scaler": asset_in(domain, "scaler"),
            "model": asset_in(domain, "model"),
            "metrics": asset_in(domain, "evaluation"),
            "test": asset_in(domain, "split_test"),
        },
    )
    def registered_model(
        context: dg.AssetExecutionContext,
        mlflow: MlflowResource,
        enricher: Enricher,
        encoder: FeatureEncoder,
        scaler: FrameScaler,
        model: FittedModel,
        metrics: Frame,
        test: Frame,
    ) -> Frame:
        from mlops_assets.ml.chain import raw_records
        from mlops_assets.ml.release import register_challenger
        from mlops_assets.ml.served import ServedModel
        from mlops_assets.ml.split import split_of

        upstream = require_one_version(observed_lineage(context), domain, context.partition_key)
        served = ServedModel(
            enricher=enricher, encoder=encoder, scaler=scaler, model=model, request=domain.request, classes=tuple(domain.classes)
        )
        provenance = provenance_of(context, upstream, metrics_of(metrics), split=split_of(test).to_json())
        run = mlflow.run(domain.name)
        held_out = raw_records(test, domain)
        version, is_new = register_challenger(run.client, domain, served, run_id=run.run_id, provenance=provenance, held_out=held_out)
        return report_registered(context, run, version, is_new)

    return registered_model


def _parity(domain: TabularDomain) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset_key(domain, "registered_model"),
        name=PARITY,
        blocking=True,
        partitions_def=partitions_of(domain.cadence),
        additional_ins={"test": asset_in(domain, "split_test"), "predictions": asset_in(domain, "test_predictions")},
    )
    def parity(mlflow: MlflowResource, registered_model: Frame, test: Frame, predictions: Frame) -> dg.AssetCheckResult:
        """The registered version, given the raw test records, answers as the lineage does: equal labels, probabilities to 1e-9.

        What serves it online, which may be a converted classifier, gives equal labels and probabilities to 1e-6.
        """
        from mlops_assets.ml.chain import largest_difference, raw_records
        from mlops_assets.ml.registry import load_for_serving, load_served

        mlflow.run(domain.name)
        version = str(registered_model["version"].iloc[0])
        uri, records = f"models:/{domain.model_name}/{version}", raw_records(test, domain)
        registered = largest_difference(load_served(uri).predict(records), predictions, domain)
        online = largest_difference(load_for_serving(uri).predict(records), predictions, domain)
        return dg.AssetCheckResult(
            passed=registered <= TOLERANCE and online <= ONLINE_TOLERANCE,
            metadata={"version": version, "largest_difference": registered, "largest_difference_online": online, "rows": len(test)},
        )

    return parity


def _gate(domain: TabularDomain) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset_key(domain, "registered_model"),
        name=GATE,
        blocking=True,
        partitions_def=partitions_of(domain.cadence),
        additional_ins={"test": asset_in(domain, "split_test"), "metrics": asset_in(domain, "evaluation")},
    )
    def gate(
        context: dg.AssetCheckExecutionContext, mlflow: MlflowResource, registered_model: Frame, test: Frame, metrics: Frame
    ) -> dg.AssetCheckResult:
        """The challenger reaches every gate and is better than the present champion on the same test rows."""
        from mlops_assets.ml.release import judge

        require_one_version(observed_lineage(context), domain, context.op_execution_context.partition_key)
        version = str(registered_model["version"].iloc[0])
        return report_verdict(judge(mlflow.run(domain.name).client, domain, version, metrics_of(metrics), test))

    return gate


def champion_asset(domain: Domain) -> dg.AssetsDefinition:
    """`champion`, of whatever kind of system: it moves the alias for a version that both checks have passed, and for no other."""
    about = "The version that the alias `@champion` names after a promotion. Runs only for a challenger that passed the gate."

    @frame_asset(domain, "champion", about, kinds=("mlflow",), ins={"challenger": asset_in(domain, "registered_model")})
    def champion(context: dg.AssetExecutionContext, mlflow: MlflowResource, challenger: Frame) -> Frame:
        from mlops_assets.ml.champions import promote
        from mlops_assets.ml.registry import CHAMPION, by_alias

        client, version = mlflow.run(domain.name).client, str(challenger["version"].iloc[0])
        present = by_alias(client, domain.model_name, CHAMPION)
        require_approval(context, domain, version, champion_version=str(present.version) if present else "none")
        promote(client, domain.model_name, version)
        context.add_output_metadata({"version": int(version)})
        return challenger[["name", "version"]]

    return champion


def provenance_of(context: dg.AssetExecutionContext, upstream: Lineage, metrics: Mapping[str, float], split: str = "") -> "Provenance":
    """Where the version that this run registers comes from."""
    from mlops_assets.ml.provenance import Provenance

    return Provenance(
        dagster_run_id=context.run.run_id,
        partition=context.partition_key,
        code_version=code_digest(*CODE),
        git_commit=git_commit(),
        fingerprint="",
        metrics=metrics,
        split=split,
        upstream=upstream,
    )


def metrics_of(frame: Frame) -> dict[str, float]:
    """The stored metrics as a dictionary."""
    return dict(zip(frame["metric"], frame["value"], strict=True))


def require_one_version(lineage: Lineage, domain: TabularDomain, partition: str) -> Lineage:
    """The lineage itself; Failure if it holds two versions of one training stage, as stages materialized piecemeal may leave behind."""
    prefix = f"{domain.name}/"
    mixed = [name for name, keys in lineage.items() if name.removeprefix(prefix) in TRAINING_STAGES and "+" in keys.get(partition, "")]
    if mixed:
        raise dg.Failure(
            f"what is stored for {partition} comes from two different versions of {', '.join(mixed)}: "
            f"run {domain.name}_training for {partition}, which makes all of it anew",
            allow_retries=False,
        )
    return lineage


def require_approval(context: dg.AssetExecutionContext, domain: Domain, version: str, champion_version: str) -> None:
    """Failure unless both blocking checks passed for exactly this version, the gate against exactly the present champion.

    So `champion` alone, in a run without the checks, or after another run has promoted, moves nothing.
    """
    for name in (PARITY, GATE):
        verdict = _latest_verdict(context, dg.AssetCheckKey(asset_key(domain, "registered_model"), name))
        metadata = {key: str(value.value) for key, value in verdict.metadata.items()} if verdict and verdict.passed else {}
        is_of_present = champion_version in (version, metadata.get("champion_version", champion_version))
        if metadata.get("version") != version or not is_of_present:
            raise dg.Failure(
                f"{domain.model_name} version {version} has not passed {name} against the present champion ({champion_version}): "
                f"run {domain.name}_training for {context.partition_key}",
                allow_retries=False,
            )


def _latest_verdict(context: dg.AssetExecutionContext, check: dg.AssetCheckKey) -> dg.AssetCheckEvaluation | None:
    """The run's own evaluation of the check or, if it has none, the latest one of any run."""
    entries = context.instance.all_logs(context.run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    own = [entry.dagster_event.asset_check_evaluation_data for entry in entries if entry.dagster_event]
    matching: list[dg.AssetCheckEvaluation] = [evaluation for evaluation in own if evaluation.asset_check_key == check]
    if matching:
        return matching[-1]
    record = context.instance.get_latest_asset_check_evaluation_record(check)
    event = record.event.dagster_event if record and record.event else None
    # A check that crashed, or that another run is about to ask, has no more than a planned evaluation.
    is_evaluated = event is not None and event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    latest: dg.AssetCheckEvaluation | None = event.asset_check_evaluation_data if event and is_evaluated else None
    return latest
