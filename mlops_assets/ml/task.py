"""What differs between a system that answers yes or no and one that names a class: labels, metrics, threshold and answer.

Everything else in `ml` is the same for both, with probabilities float64[n, classes] between the parts. Metrics are `evaluate`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mlops_assets.domain import TabularDomain
from mlops_assets.ml.evaluate import (
    BINARY_HIGHER_IS_BETTER,
    MULTICLASS_HIGHER_IS_BETTER,
    best_threshold,
    binary_metrics,
    multiclass_metrics,
)


class Task(Protocol):
    """One kind of classification. Codes of classes ascend, and columns of probabilities stand in their order."""

    @property
    def classes(self) -> tuple[int, ...]:
        """The codes of the classes."""

    @property
    def default_threshold(self) -> float:
        """The threshold of a model that no search has found one for."""

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Those of `metrics` that are better when they are higher, so that a search may maximise them and a gate ask for them."""

    @property
    def answer_types(self) -> Mapping[str, str]:
        """Column of `answer` -> its type by MLflow's name."""

    def labels(self, values: ArrayLike) -> np.ndarray:
        """Values of the target [n], of a frame at any stage, as the answer gives them. ValueError if one is none of `classes`."""

    def metrics(self, labels: np.ndarray, probabilities: np.ndarray, threshold: float) -> dict[str, float]:
        """How good float64[n, classes] are for `labels` [n]; ValueError if they cannot be judged."""

    def best_threshold(self, labels: np.ndarray, probabilities: np.ndarray) -> float:
        """The threshold that suits the probabilities float64[n, classes] best; ValueError if they cannot be judged."""

    def decide(self, probabilities: np.ndarray, threshold: float) -> np.ndarray:
        """The label of each row of float64[n, classes]."""

    def answer(self, probabilities: np.ndarray, threshold: float) -> pd.DataFrame:
        """What a client is told, one row for each of float64[n, classes]: label and probabilities."""

    def probabilities(self, answer: pd.DataFrame) -> np.ndarray:
        """The float64[n, classes] that an answer was made of."""


@dataclass(frozen=True, slots=True)
class Binary:
    """Yes or no: positive from a threshold on. The answer is `probability` of the positive class and `label`, a boolean."""

    classes: tuple[int, ...] = (0, 1)
    default_threshold: float = 0.5

    @property
    def metric_names(self) -> tuple[str, ...]:
        """See `Task`."""
        return BINARY_HIGHER_IS_BETTER

    @property
    def answer_types(self) -> Mapping[str, str]:
        """See `Task`."""
        return {"probability": "double", "label": "boolean"}

    def labels(self, values: ArrayLike) -> np.ndarray:
        """bool[n]."""
        return _codes(values, self.classes).astype(bool)

    def metrics(self, labels: np.ndarray, probabilities: np.ndarray, threshold: float) -> dict[str, float]:
        """`binary_metrics`."""
        return binary_metrics(labels, probabilities[:, 1], threshold)

    def best_threshold(self, labels: np.ndarray, probabilities: np.ndarray) -> float:
        """Where Matthews' correlation is greatest."""
        return best_threshold(labels, probabilities[:, 1])

    def decide(self, probabilities: np.ndarray, threshold: float) -> np.ndarray:
        """bool[n]: whether the probability of the positive class reaches the threshold."""
        decided: np.ndarray = probabilities[:, 1] >= threshold
        return decided

    def answer(self, probabilities: np.ndarray, threshold: float) -> pd.DataFrame:
        """[probability float64, label bool]."""
        return pd.DataFrame({"probability": probabilities[:, 1], "label": self.decide(probabilities, threshold)})

    def probabilities(self, answer: pd.DataFrame) -> np.ndarray:
        """float64[n, 2]."""
        positive = answer["probability"].to_numpy(dtype=np.float64)
        return np.column_stack([1 - positive, positive])


@dataclass(frozen=True, slots=True)
class Multiclass:
    """One of several classes: the most probable one, whatever its probability, so that the threshold has no part and is 0.

    The answer is `label`, a code, and `probability_<code>` of every class.
    """

    classes: tuple[int, ...]
    default_threshold: float = 0.0

    @property
    def metric_names(self) -> tuple[str, ...]:
        """See `Task`."""
        return (*MULTICLASS_HIGHER_IS_BETTER, *(f"f1_{code}" for code in self.classes))

    @property
    def answer_types(self) -> Mapping[str, str]:
        """See `Task`."""
        return {"label": "long", **dict.fromkeys(self._probability_columns, "double")}

    @property
    def _probability_columns(self) -> list[str]:
        return [f"probability_{code}" for code in self.classes]

    def labels(self, values: ArrayLike) -> np.ndarray:
        """int64[n]."""
        return _codes(values, self.classes)

    def metrics(self, labels: np.ndarray, probabilities: np.ndarray, threshold: float) -> dict[str, float]:  # noqa: ARG002
        """`multiclass_metrics`."""
        return multiclass_metrics(labels, probabilities, self.classes)

    def best_threshold(self, labels: np.ndarray, probabilities: np.ndarray) -> float:  # noqa: ARG002
        """Always 0."""
        return self.default_threshold

    def decide(self, probabilities: np.ndarray, threshold: float) -> np.ndarray:  # noqa: ARG002
        """int64[n]: the most probable class; of equally probable ones the first."""
        decided: np.ndarray = np.asarray(self.classes, dtype=np.int64)[probabilities.argmax(axis=1)]
        return decided

    def answer(self, probabilities: np.ndarray, threshold: float) -> pd.DataFrame:
        """[label int64, probability_<code> float64 ...]."""
        columns = dict(zip(self._probability_columns, probabilities.T, strict=True))
        return pd.DataFrame({"label": self.decide(probabilities, threshold), **columns})

    def probabilities(self, answer: pd.DataFrame) -> np.ndarray:
        """float64[n, classes]."""
        return answer[self._probability_columns].to_numpy(dtype=np.float64)


def task_of(domain: TabularDomain) -> Task:
    """The kind of classification that the system's target asks for."""
    return Multiclass(tuple(sorted(domain.classes))) if domain.classes else Binary()


def _codes(values: ArrayLike, classes: tuple[int, ...]) -> np.ndarray:
    codes = np.asarray(values, dtype=np.int64)
    if strangers := sorted(set(np.unique(codes).tolist()).difference(classes)):
        raise ValueError(f"labels must be of the classes {list(classes)}; there are also {strangers}")
    return codes
