"""Logging a served model to MLflow, as the Python model that `pyfunc.py` makes of it, with everything that others need to run it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

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
from mlops_assets.ml.model_files import Engine, model_files
from mlops_assets.ml.provenance import library_versions
from mlops_assets.ml.served import ServedModel

PACKAGE = Path(__file__).resolve().parent.parent


def log_served_model(
    served: ServedModel, *, run_id: str, request: Sequence[RequestField], engine: Engine | None = None, name: str = "model"
) -> ModelInfo:
    """Logs the model under the run as a pyfunc model that takes raw records; `model_uri` of the answer is what `registry.register` takes.

    Logged with it: the signature, an example record, exact versions of the libraries, and the code of this package, so that
    `mlflow models serve` needs nothing else; and what `registry.load_for_serving` prefers, where `engine` has it. Raises what `predict`
    raises if the model cannot score its own example.
    """
    example = pd.DataFrame([{item.name: item.example for item in request}])
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
            pip_requirements=[f"{library}=={installed}" for library, installed in library_versions().items()],
            signature=model_signature(request, served.task.answer_types),
            input_example=example,
        )
    return logged


def model_signature(request: Sequence[RequestField], answer_types: Mapping[str, str]) -> ModelSignature:
    """The raw record in; the answer's columns, with MLflow's names of their types, out.

    MLflow refuses nulls in booleans, and in text when a whole column is null; so a field that may be null may be anything, and the model
    itself refuses what it cannot read.
    """
    inputs = Schema([ColSpec(_column_type(item), item.name, required=item.required) for item in request])
    return ModelSignature(inputs=inputs, outputs=Schema([ColSpec(kind, name) for name, kind in answer_types.items()]))


def _column_type(item: RequestField) -> str | AnyType:
    return item.type if item.required and not item.nullable else AnyType()  # type: ignore[no-untyped-call]  # mlflow does not annotate it
