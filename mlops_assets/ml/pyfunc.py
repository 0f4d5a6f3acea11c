"""The code of every registered model: MLflow runs this file to make a Python model around the archived one, of whatever kind.

It is copied into each model version, so it does nothing but load and call.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from mlops_assets.ml.persistence import loads


class ServedPythonModel(PythonModel):
    """Raw records in; labels and probabilities, or a forecast, out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads the archive that was logged beside this file."""
        self.served: Any = loads(Path(context.artifacts["served"]).read_bytes())

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002
        """`predict` of the `ServedModel` or `ForecastModel`."""
        answer: pd.DataFrame = self.served.predict(model_input)
        return answer


set_model(ServedPythonModel())
