"""The files that a registered model consists of, from the model and back. Bytes only: where they are kept is `registry`'s business."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pandas as pd

from mlops_assets.ml.onnx_classifier import OnnxClassifier
from mlops_assets.ml.persistence import compressed, dumps, loads
from mlops_assets.ml.served import ServedModel

SERVED, PREPARATION, CLASSIFIER = "served.skops", "preparation.skops", "classifier.onnx"
"""All of it; it without its estimator; the estimator as ONNX."""


class Predictor(Protocol):
    """What can be registered: a `ServedModel`, or the `ForecastModel` of a system that forecasts."""

    def predict(self, records: pd.DataFrame, /) -> pd.DataFrame:
        """Raw records in, the answer out."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What a version is served by. `served` and `onnx` are the model without its estimator and the estimator as ONNX, or None."""

    name: str
    """`onnx`, or `native: ` and why."""
    served: ServedModel | None = None
    onnx: bytes | None = None


def model_files(served: Predictor, engine: Engine | None = None) -> dict[str, bytes]:
    """Name -> content: the model and, where `engine` has them, the two parts of it that are served."""
    files = {SERVED: compressed(dumps(served))}
    if engine and engine.served and engine.onnx:
        files |= {PREPARATION: compressed(dumps(engine.served)), CLASSIFIER: engine.onnx}
    return files


def from_model_files(names: Collection[str], content: Callable[[str], bytes]) -> Any:
    """The model that is served of the files called `names`: with the ONNX model if there is one, and then the estimator is not read."""
    if CLASSIFIER in names:
        return with_onnx(loads(content(PREPARATION)), content(CLASSIFIER))
    return loads(content(SERVED))


def with_onnx(served: ServedModel, onnx: bytes) -> ServedModel:
    """The same model with the ONNX model as its estimator."""
    model: Any = served.model
    return served.with_model(replace(model, estimator=OnnxClassifier().load(onnx)))
