"""What people see of a stage: tables and pictures in the Dagster UI, metrics and artifacts in MLflow, and links between the two."""

import base64
from collections.abc import Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.domain import ForecastDomain, TabularDomain
from mlops_assets.resources.mlflow import MlflowRun

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from pandas import DataFrame

    from mlops_assets.ml.forecast.model import Comparison, Forecast
    from mlops_assets.ml.release import Verdict
    from mlops_assets.ml.search import SearchResult, Trial
    from mlops_assets.ml.train import FittedModel


def table(frame: "DataFrame") -> dg.MarkdownMetadataValue:
    """A frame as a Markdown table; whole numbers plain, others with four decimals."""
    lines = ["| " + " | ".join(map(str, frame.columns)) + " |", "|" + " --- |" * len(frame.columns)]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in frame.itertuples(index=False)]
    return dg.MetadataValue.md("\n".join(lines))


def picture(png: bytes, title: str) -> dg.MarkdownMetadataValue:
    """A picture that the UI shows in place."""
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})")


def column_lineage(upstream: dg.AssetKey, sources: Mapping[str, Sequence[str]]) -> dict[str, dg.TableColumnLineage]:
    """Metadata that says of which columns of `upstream` each column is made."""
    deps = {column: [dg.TableColumnDep(upstream, source) for source in names] for column, names in sources.items()}
    return {"dagster/column_lineage": dg.TableColumnLineage(deps)}


def report_trial(run: MlflowRun, trial: "Trial", metric: str) -> None:
    """A trial of the search as a nested MLflow run."""
    params = {"candidate": trial.candidate, "fitted_rows": trial.rows, **trial.params}
    with run.trial(trial.number, params, {"candidate": trial.candidate}) as metrics:
        metrics.update(trial.metrics)
        metrics[f"validation_{metric}"] = trial.value


def report_model(context: dg.AssetExecutionContext, run: MlflowRun, model: "FittedModel", result: "SearchResult", metric: str) -> None:
    """The chosen candidate with its parameters, the candidates side by side, all trials, and the feature importance."""
    import pandas as pd

    from mlops_assets.ml.figures import candidates_figure

    run.log_params({"candidate": model.candidate, "threshold": model.threshold, "fitted_rows": model.rows, **model.params})
    trials = pd.DataFrame(
        [{"trial": t.number, "candidate": t.candidate, f"validation {metric}": t.value, "rows": t.rows, **t.params} for t in result.trials]
    )
    importance = pd.DataFrame(list(model.importance.items()), columns=["feature", "share of gain"]).head(20)
    shown: dict[str, Any] = {}
    if best := sorted(result.best_of_each, key=lambda trial: -trial.value):
        run.log_metrics({f"validation_{metric}_{trial.candidate}": trial.value for trial in best})
        figure = candidates_figure({trial.candidate: trial.value for trial in best}, metric)
        run.log_figure_bytes("candidates", figure)
        side_by_side = pd.DataFrame([{"candidate": t.candidate, "trial": t.number, "rows": t.rows, **t.metrics} for t in best])
        shown = {"candidates": table(side_by_side), "candidates_chart": picture(figure, "candidates")}
    if len(importance):
        shown["importance"] = table(importance)
    context.add_output_metadata(
        {
            "candidate": model.candidate,
            "params": dict(model.params),
            "threshold": model.threshold,
            "fitted_rows": model.rows,
            "features": len(model.columns),
            "trials": table(trials),
            **shown,
            "mlflow_run": dg.MetadataValue.url(run.url),
        }
    )


def report_evaluation(
    context: dg.AssetExecutionContext,
    run: MlflowRun,
    domain: TabularDomain,
    predictions: "DataFrame",
    metrics: dict[str, float],
    model: "FittedModel",
) -> None:
    """Metrics and pictures, in Dagster and in MLflow."""
    from mlops_assets.ml.figures import evaluation_figures
    from mlops_assets.ml.task import task_of

    figures = evaluation_figures(
        predictions[domain.target].to_numpy(),
        task_of(domain).probabilities(predictions),
        threshold=model.threshold,
        importance=model.importance,
        classes=domain.classes,
    )
    run.log_metrics({f"test_{name}": value for name, value in metrics.items()})
    for name, png in figures.items():
        run.log_figure_bytes(name, png)
    shown = {name: picture(png, name.replace("_", " ")) for name, png in figures.items()}
    rounded = {name: round(value, 6) for name, value in metrics.items()}
    context.add_output_metadata({**rounded, **shown, "mlflow_run": dg.MetadataValue.url(run.url)}, output_name="metrics")


def report_comparison(context: dg.AssetExecutionContext, run: MlflowRun, comparison: "DataFrame") -> None:
    """Both splits' metrics side by side."""
    for row in comparison.to_dict("records"):
        run.log_metrics({f"{row['split']}_split_{name}": value for name, value in row.items() if name != "split"})
    context.add_output_metadata({"comparison": table(comparison), "mlflow_run": dg.MetadataValue.url(run.url)})


def report_registered(context: dg.AssetExecutionContext, run: MlflowRun, version: "ModelVersion", is_new: bool) -> "DataFrame":
    """The registered version as the asset's one row [name, version, mlflow_run_id, fingerprint]."""
    import pandas as pd

    run.set_tags({"registered_version": str(version.version)})
    context.add_output_metadata(
        {
            "version": int(version.version),
            "registered_now": is_new,
            "model_uri": f"models:/{version.name}/{version.version}",
            "mlflow_run": dg.MetadataValue.url(run.url),
        }
    )
    row = {
        "name": version.name,
        "version": str(version.version),
        "mlflow_run_id": version.run_id,
        "fingerprint": version.tags["fingerprint"],
    }
    return pd.DataFrame([row], dtype="string[pyarrow]")


def report_verdict(verdict: "Verdict") -> dg.AssetCheckResult:
    """The gate's verdict: passed or not and why, and both models' metrics on the same rows."""
    import pandas as pd

    sides = {"challenger": verdict.challenger} | ({"champion": verdict.champion} if verdict.champion else {})
    comparison = pd.DataFrame(sides).rename_axis("metric").reset_index()
    return dg.AssetCheckResult(
        passed=verdict.decision.promote,
        severity=dg.AssetCheckSeverity.ERROR,
        description=verdict.decision.reason,
        metadata={
            "version": verdict.version,
            "champion_version": verdict.champion_version or "none",
            "reason": verdict.decision.reason,
            "comparison": table(comparison),
            "metrics": sides,
        },
    )


def report_methods(context: dg.AssetExecutionContext, run: MlflowRun, found: "Comparison") -> None:
    """The candidates side by side, in Dagster and in MLflow, and why the winner is the winner."""
    measured = found.rows.dropna(subset=["mae"])
    run.log_params({"method": found.winner.name, **found.winner.params})
    run.log_metrics({f"backtest_{name}_{row['method']}": row[name] for row in measured.to_dict("records") for name in ("mae", "mase")})
    shown = {"candidates": table(found.rows), "winner": found.winner.name, "reason": found.reason}
    context.add_output_metadata({**shown, "mlflow_run": dg.MetadataValue.url(run.url)}, output_name="candidates")


def report_forecast(context: dg.AssetExecutionContext, domain: ForecastDomain, series: "DataFrame", found: "Forecast") -> None:
    """The total's last week and its forecast with the interval, and what it rests on."""
    from mlops_assets.ml.figures import forecast_figure

    columns = (domain.time_column, domain.id_column, domain.target)
    chart = forecast_figure(series, found.rows, columns=columns, title=domain.total)
    rests_on = {"method": found.method, "reason": found.reason or "the champion's own method", "train_points": found.train_points}
    total = found.rows[found.rows[domain.id_column].isna()]["yhat"]
    outlook = {"outlook": f"{total.min():,.0f} to {total.max():,.0f}, {total.mean():,.0f} {domain.unit} on average"}
    context.add_output_metadata({**rests_on, **outlook, "forecast": picture(chart, "forecast")}, output_name="predictions")


def _cell(value: Any) -> str:
    if isinstance(value, float) and not value.is_integer():
        return "" if isnan(value) else f"{value:.4f}"
    if isinstance(value, float):
        return f"{value:.0f}"
    return str(value).replace("|", "\\|")
