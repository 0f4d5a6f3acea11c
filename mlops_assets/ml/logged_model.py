"""Logging a model to MLflow, as the Python model that `pyfunc.py` makes of it, with everything that others need to run it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlops_assets.ml.registry import pyfunc

# isort: split
# Not before `registry`, which says how MLflow is to be imported.
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import Model, ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType

from mlops_assets.domain import RequestField
from mlops_assets.ml.model_files import Engine, Predictor, model_files
from mlops_assets.ml.provenance import FORECAST_LIBRARIES, LIBRARIES, library_versions
from mlops_assets.ml.served import ServedModel

PACKAGE = Path(__file__).resolve().parent.parent
EXAMPLE_HOURS = 3
"""Of the example history that is logged with a model that forecasts."""


def log_served_model(
    served: Predictor, *, run_id: str, request: Sequence[RequestField], engine: Engine | None = None, name: str = "model"
) -> ModelInfo:
    """Logs the model under the run as a pyfunc model that takes raw records; `model_uri` of the answer is what `registry.register` takes.

    Logged with it: the signature, an example, exact versions of the libraries, and the code of this package, so that
    `mlflow models serve` needs nothing else; and what `registry.load_for_serving` prefers, where `engine` has it. Raises what `predict`
    raises if the model cannot answer its own example.
    """
    example = example_of(served, request)
    served.predict(example)
    files = model_files(served, engine)
    client = MlflowClient()
    experiment_id = client.get_run(run_id).info.experiment_id  # without an active run MLflow would take the default experiment
    model = client.create_logged_model(experiment_id, name, source_run_id=run_id)
    with TemporaryDirectory() as folder:
        for file, content in files.items():
            (Path(folder) / file).write_bytes(content)
        logged: ModelInfo = Model.log(
            artifact_path=None,
            name=name,
            flavor=pyfunc(),
            run_id=run_id,
            model_id=model.model_id,
            python_model=str(PACKAGE / "ml" / "pyfunc.py"),
            artifacts={Path(file).stem: str(Path(folder) / file) for file in files},
            code_paths=[str(PACKAGE)],
            pip_requirements=[f"{library}=={installed}" for library, installed in library_versions(libraries_of(served)).items()],
            signature=model_signature(request, answer_types(served)),
            input_example=example,
        )
    return logged


def libraries_of(served: Predictor) -> tuple[str, ...]:
    """The distributions that the model may need."""
    return LIBRARIES if isinstance(served, ServedModel) else FORECAST_LIBRARIES


def answer_types(served: Predictor) -> Mapping[str, str]:
    """Column of the answer -> its type by MLflow's name."""
    if isinstance(served, ServedModel):
        return served.task.answer_types
    forecaster: Any = served
    _, series, _ = forecaster.columns
    return {"timestamp": "datetime", series: "string", "horizon": "long", **dict.fromkeys(("yhat", "yhat_lower", "yhat_upper"), "double")}


def example_of(served: Predictor, request: Sequence[RequestField]) -> pd.DataFrame:
    """The record that the request has as its example or, to forecast from, a few hours of it and of the total, which has no id."""
    record = {item.name: item.example for item in request}
    if isinstance(served, ServedModel):
        return pd.DataFrame([record])
    forecaster: Any = served
    hour, series, _ = forecaster.columns
    hours = pd.date_range(str(record[hour]), periods=EXAMPLE_HOURS, freq="h")
    return pd.DataFrame([{**record, hour: when.isoformat(), series: which} for when in hours for which in (record[series], None)])


def model_signature(request: Sequence[RequestField], answer: Mapping[str, str]) -> ModelSignature:
    """The raw record in; the answer's columns, with MLflow's names of their types, out.

    MLflow refuses nulls in booleans, and in text when a whole column is null; so a field that may be null may be anything, and the model
    itself refuses what it cannot read.
    """
    inputs = Schema([ColSpec(_column_type(item), item.name, required=item.required) for item in request])
    return ModelSignature(inputs=inputs, outputs=Schema([ColSpec(kind, name) for name, kind in answer.items()]))


def _column_type(item: RequestField) -> str | AnyType:
    return item.type if item.required and not item.nullable else AnyType()  # type: ignore[no-untyped-call]  # mlflow does not annotate it
