"""From hourly enriched partitions to a champion method, and from the champion to published forecasts and how good they were.

The same shape in every forecasting system; a difference is a field of `ForecastDomain`. Bodies call one function of `ml` each. A partition
is an hour H that has ended; its run hour is the one after it, and everything published lies after that.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.domain import ForecastDomain
from mlops_assets.factories.keys import TRAINING, artifact_out, asset_in, asset_key, frame_asset, table_asset, table_out, window_in
from mlops_assets.factories.release import GATE, PARITY, TOLERANCE, champion_asset, provenance_of
from mlops_assets.factories.reports import report_forecast, report_methods, report_registered, report_verdict
from mlops_assets.hours import HOUR, hour_of
from mlops_assets.partitions import partitions_of, window_text
from mlops_assets.resources.mlflow import MlflowResource
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.run_log import observed_lineage
from mlops_assets.storage.stamp import Lineage
from mlops_assets.storage.warehouse_resource import WarehouseResource

if TYPE_CHECKING:
    from pandas import DataFrame as Frame

    from mlops_assets.ml.forecast.model import ForecastModel
else:
    Frame = ForecastModel = Any

MOVING = "feed_is_not_frozen"


def method_assets(domain: ForecastDomain) -> list[dg.AssetsDefinition]:
    """The stages from `candidate_metrics` to `champion`; they read `series`."""
    return [_comparison(domain), _registered_model(domain), champion_asset(domain)]


def method_checks(domain: ForecastDomain) -> list[dg.AssetChecksDefinition]:
    """The blocking checks on the registered model."""
    return [_parity(domain), _gate(domain)]


def series_asset(domain: ForecastDomain) -> dg.AssetsDefinition:
    """What the candidates are compared on and what the champion is refitted on."""
    about = f"Every series on the whole grid of {window_text(domain.cadence)}: observed hours, gaps, and frozen hours, which are no data."

    @frame_asset(domain, "series", about, intermediate=True, ins={"enriched": window_in(domain, "enriched")})
    def series(context: dg.AssetExecutionContext, enriched: Frame) -> Frame:
        from mlops_assets.ml.forecast.panel import series_of

        hour = ended_hour(context.partition_key)
        rows = series_of(enriched, last=hour, frozen_hours=domain.frozen_hours, columns=columns_of(domain))
        context.add_output_metadata({state: int(count) for state, count in rows["state"].value_counts().items()})
        return rows

    return series


def series_check(domain: ForecastDomain) -> dg.AssetChecksDefinition:
    """No forecast is built on a feed that stands still."""

    @dg.asset_check(
        asset=asset_key(domain, "series"),
        name=MOVING,
        blocking=True,
        partitions_def=partitions_of(domain.cadence),
        description=f"Some series has moved in the last {domain.frozen_hours} observed hours.",
    )
    def moving(context: dg.AssetCheckExecutionContext, series: Frame) -> dg.AssetCheckResult:
        from mlops_assets.ml.forecast.panel import frozen_since

        last = hour_of(context.op_execution_context.partition_key)
        since = frozen_since(series, last=last, frozen_hours=domain.frozen_hours, columns=columns_of(domain))
        text = f"no series has moved since {since:%Y-%m-%d %H:%M} UTC: nothing is forecast until one does" if since else None
        return dg.AssetCheckResult(passed=since is None, description=text, metadata={"since": since.isoformat()} if since else {})

    return moving


def forecast_assets(domain: ForecastDomain) -> list[dg.AssetsDefinition]:
    """`predictions` and `model_metrics` of the champion, refitted on all of `series`, and `forecast_accuracy`."""
    return [_forecast(domain), _accuracy(domain)]


def columns_of(domain: ForecastDomain) -> tuple[str, str, str]:
    """The columns of hour, id and value."""
    return domain.time_column, domain.id_column, domain.target


def ended_hour(partition: str) -> datetime:
    """The first moment of the partition's hour; Failure if the hour has not ended."""
    hour = hour_of(partition)
    if datetime.now(UTC) < hour + HOUR:
        raise dg.Failure(f"hour {partition} has not ended: its last reading is still to come", allow_retries=False)
    return hour


def _comparison(domain: ForecastDomain) -> dg.AssetsDefinition:
    names = ", ".join(method.name for method in domain.methods)

    @dg.multi_asset(
        name=f"{domain.name}__comparison",
        ins={"series": asset_in(domain, "series")},
        outs={
            "candidates": table_out(domain, "candidate_metrics", domain.table("candidate_metrics"), f"Back-test of {names}, same cutoffs."),
            "model": artifact_out(domain, "model", "The method that wins the back-test; it holds no data."),
        },
        partitions_def=partitions_of(domain.cadence),
        pool=TRAINING,
    )
    def comparison(context: dg.AssetExecutionContext, mlflow: MlflowResource, series: Frame) -> tuple[Frame, ForecastModel]:
        from mlops_assets.ml.forecast.model import ForecastModel, compare
        from mlops_assets.ml.forecast.tables import candidate_rows

        run_at = hour_of(context.partition_key) + HOUR
        found = compare(series, domain.methods, domain, created_at=run_at)
        report_methods(context, mlflow.run(domain.name), found)
        return candidate_rows(found, run_at), ForecastModel.of(domain, found.winner)

    return comparison


def _registered_model(domain: ForecastDomain) -> dg.AssetsDefinition:
    about = "The method as a model version that takes raw readings, registered as `@challenger`; an identical one is kept."

    @frame_asset(
        domain,
        "registered_model",
        about,
        kinds=("mlflow",),
        ins={"model": asset_in(domain, "model"), "candidates": asset_in(domain, "candidate_metrics")},
    )
    def registered_model(
        context: dg.AssetExecutionContext, mlflow: MlflowResource, lake: LakeResource, model: ForecastModel, candidates: Frame
    ) -> Frame:
        from mlops_assets.ml.forecast.tables import winning_scores
        from mlops_assets.ml.release import register_method

        provenance = provenance_of(context, _unfolded(context, domain, lake), winning_scores(candidates, cutoffs=domain.backtest.cutoffs))
        run = mlflow.run(domain.name)
        version, is_new = register_method(run.client, domain, model, run_id=run.run_id, provenance=provenance)
        return report_registered(context, run, version, is_new)

    return registered_model


def _parity(domain: ForecastDomain) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset_key(domain, "registered_model"),
        name=PARITY,
        blocking=True,
        partitions_def=partitions_of(domain.cadence),
        additional_ins={"series": asset_in(domain, "series"), "model": asset_in(domain, "model")},
    )
    def parity(
        context: dg.AssetCheckExecutionContext, mlflow: MlflowResource, registered_model: Frame, series: Frame, model: ForecastModel
    ) -> dg.AssetCheckResult:
        """The registered version, given the same readings, forecasts what the lineage forecasts, to 1e-9."""
        from mlops_assets.ml.forecast.tables import largest_difference
        from mlops_assets.ml.registry import load_for_serving

        mlflow.run(domain.name)
        version = str(registered_model["version"].iloc[0])
        created_at = hour_of(context.op_execution_context.partition_key) + HOUR
        registered: Any = load_for_serving(f"models:/{domain.model_name}/{version}")
        difference = largest_difference(registered, model, series, created_at=created_at)
        return dg.AssetCheckResult(passed=difference <= TOLERANCE, metadata={"version": version, "largest_difference": difference})

    return parity


def _gate(domain: ForecastDomain) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset_key(domain, "registered_model"),
        name=GATE,
        blocking=True,
        partitions_def=partitions_of(domain.cadence),
        additional_ins={"series": asset_in(domain, "series"), "candidates": asset_in(domain, "candidate_metrics")},
    )
    def gate(
        context: dg.AssetCheckExecutionContext, mlflow: MlflowResource, registered_model: Frame, series: Frame, candidates: Frame
    ) -> dg.AssetCheckResult:
        """The challenger reaches every gate and is better than the present champion on the same cutoffs."""
        from mlops_assets.ml.forecast.tables import winning_scores
        from mlops_assets.ml.release import judge_method

        version = str(registered_model["version"].iloc[0])
        created_at = hour_of(context.op_execution_context.partition_key) + HOUR
        client, scores = mlflow.run(domain.name).client, winning_scores(candidates, cutoffs=domain.backtest.cutoffs)
        return report_verdict(judge_method(client, domain, version, scores, series, created_at=created_at))

    return gate


def _forecast(domain: ForecastDomain) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=f"{domain.name}__forecast",
        ins={"series": asset_in(domain, "series")},
        outs={
            "predictions": table_out(
                domain, "predictions", domain.table("predictions"), f"The next {domain.horizon} hours of every series, with intervals."
            ),
            "metrics": table_out(domain, "model_metrics", domain.table("model_metrics"), "What forecast, on how much, and how well."),
        },
        partitions_def=partitions_of(domain.cadence),
        deps=[asset_key(domain, "champion")],
    )
    def forecast(context: dg.AssetExecutionContext, mlflow: MlflowResource, series: Frame) -> tuple[Frame, Frame]:
        from mlops_assets.ml.forecast.tables import metrics_rows, prediction_rows

        created_at = hour_of(context.partition_key) + HOUR
        version, model = champion_of(domain, mlflow)
        found = model.forecast(series, created_at=created_at)
        report_forecast(context, domain, series, found)
        return prediction_rows(found, version, created_at), metrics_rows(found, version, created_at)

    return forecast


def _unfolded(context: dg.AssetExecutionContext, domain: ForecastDomain, lake: LakeResource) -> Lineage:
    """The step's lineage with every hour of the window, which stands in the stamp of `series`."""
    series = lake.stamp(asset_key(domain, "series").to_user_string(), context.partition_key)
    return {**observed_lineage(context), **(series.lineage if series else {})}


def champion_of(domain: ForecastDomain, mlflow: MlflowResource) -> "tuple[str, ForecastModel]":
    """The champion's version and itself; Failure if there is none."""
    from mlops_assets.ml.registry import CHAMPION, by_alias, load_for_serving

    present = by_alias(mlflow.run(domain.name).client, domain.model_name, CHAMPION)
    if present is None:
        raise dg.Failure(f"there is no champion of {domain.model_name} yet: run {domain.name}_training first", allow_retries=False)
    try:
        model: Any = load_for_serving(f"models:/{domain.model_name}/{present.version}")
    except Exception as error:
        text = f"the champion {domain.model_name} version {present.version} cannot be loaded ({type(error).__name__})"
        raise dg.Failure(f"{text}: restore its artifacts, or give @champion to a version that loads", allow_retries=False) from error
    return str(present.version), model


def _accuracy(domain: ForecastDomain) -> dg.AssetsDefinition:
    published = domain.table("predictions")

    @table_asset(
        domain,
        "forecast_accuracy",
        domain.table("forecast_accuracy"),
        "Every forecast that was published for the hour, against what then came.",
        ins={"series": asset_in(domain, "series")},
        deps=[dg.AssetDep(asset_key(domain, "predictions"), partition_mapping=_earlier_hours(domain))],
    )
    def forecast_accuracy(context: dg.AssetExecutionContext, warehouse: WarehouseResource, series: Frame) -> Frame:
        from mlops_assets.ml.forecast.tables import score_published
        from mlops_assets.storage.warehouse.frames import to_frame

        hour = hour_of(context.partition_key)
        found = warehouse.querying(published).query(
            f"SELECT * FROM {published.name} WHERE timestamp = :hour AND created_at >= :earliest AND created_at < :hour",  # noqa: S608
            hour=hour,
            earliest=hour - domain.horizon * HOUR,
        )
        return score_published(to_frame(found), series, hour, columns=columns_of(domain))

    return forecast_accuracy


def _earlier_hours(domain: ForecastDomain) -> dg.TimeWindowPartitionMapping:
    """The runs that have published something for an hour: those of the partitions whose run hour lies up to a horizon before it."""
    return dg.TimeWindowPartitionMapping(start_offset=-domain.horizon - 1, end_offset=-2, allow_nonexistent_upstream_partitions=True)
