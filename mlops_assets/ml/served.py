"""The whole way from raw records to predictions as one fitted object: what is registered, and what serving and scoring call.

Here belongs the order of the stages. How records are read is `request`'s business, how a stage works its own module's.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd

from mlops_assets.domain import RequestField
from mlops_assets.ml.encode import FeatureEncoder
from mlops_assets.ml.request import Field, InvalidRecordsError, Problem, RequestReader
from mlops_assets.ml.scale import FrameScaler
from mlops_assets.ml.task import Binary, Multiclass, Task

LARGEST = 1e15
"""Scaled values are cut here, so that sums of them stay finite in the single precision in which classifiers take them."""

Records = pd.DataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Enricher(Protocol):
    """Raw columns in; the same rows with the derived columns out.

    One that also has `transform_columns(columns: Mapping[str, ndarray]) -> dict[str, ndarray]`, float64[n] with NaN and object[n] of str
    and None, is given no frames.
    """

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """ValueError, or better InvalidRecordsError, for values that it cannot read."""


class Classifier(Protocol):
    """A fitted classifier over encoded, scaled rows."""

    @property
    def columns(self) -> list[str]:
        """The columns it reads, in its order."""

    @property
    def threshold(self) -> float:
        """The probability from which on a row of a binary classifier is positive."""

    @property
    def classes(self) -> tuple[int, ...]:
        """The codes of the classes, ascending."""

    def probabilities_of(self, matrix: np.ndarray) -> np.ndarray:
        """float64[n, classes] of rows float32[n, columns]."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Labels, bool[n] or int64[n], and probabilities, float64[n, classes], of records in their order."""

    labels: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is worked out once from the fitted parts."""

    reader: RequestReader
    task: Task
    positions: list[int]
    """Places of the classifier's columns among the encoded ones."""
    means: np.ndarray
    deviations: np.ndarray


class ServedModel:
    """Enricher, encoder, scaler and classifier, fitted together, behind the raw record of `request`."""

    classes: tuple[int, ...] = ()

    def __init__(
        self,
        *,
        enricher: Enricher,
        encoder: FeatureEncoder,
        scaler: FrameScaler,
        model: Classifier,
        request: Sequence[RequestField],
        classes: Sequence[int] = (),
    ) -> None:
        """Fitted parts; `classes` are the codes of the target (`TabularDomain.classes`), none where it is a boolean."""
        self.enricher = enricher
        self.encoder = encoder
        self.scaler = scaler
        self.model = model
        self.request = tuple((item.name, item.type, item.required, item.nullable, item.categories) for item in request)
        self.classes = tuple(sorted(classes))

    def predict(self, records: Records) -> pd.DataFrame:
        """One row for each record, in their order, as the task answers it.

        That is `probability` (float64, of the positive class) and `label` (bool), or `label` (int64) and `probability_<code>` of each
        class. A DataFrame's index is kept. Columns that are not in the request are ignored. InvalidRecordsError names what is missing,
        unknown or unreadable; `RequestReader` says what can be read.
        """
        if isinstance(records, Mapping):
            records = [records]
        predictions = self.task.answer(self._probabilities(records), self.model.threshold)
        return predictions.set_index(records.index) if isinstance(records, pd.DataFrame) else predictions

    def answer(self, records: Sequence[Mapping[str, Any]]) -> Answer:
        """The same without a frame. With an enricher that takes arrays, nothing on the way makes one."""
        probabilities = self._probabilities(records)
        return Answer(self.task.decide(probabilities, self.model.threshold), probabilities)

    def rows(self, records: pd.DataFrame | Sequence[Mapping[str, Any]]) -> np.ndarray:
        """float32[n, model.columns]: what the classifier is given. InvalidRecordsError as `predict`."""
        plan = self._plan
        with np.errstate(all="ignore"):  # a number near the largest there is may overflow in a derived one
            matrix = self.encoder.encode(self._enriched(records))[:, plan.positions]
            scaled: np.ndarray = (matrix - plan.means) / plan.deviations
            rows: np.ndarray = np.clip(scaled, -LARGEST, LARGEST).astype(np.float32)
        return rows

    def with_model(self, model: Classifier) -> Self:
        """The same with another classifier over the same columns."""
        other = copy(self)
        other.model = model
        return other

    @property
    def task(self) -> Task:
        """How probabilities are answered."""
        return self._plan.task

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_plan"}

    @cached_property
    def _plan(self) -> _Plan:
        places = {column: place for place, column in enumerate(self.encoder.columns)}
        return _Plan(
            RequestReader(Field(*item) for item in self.request),
            Multiclass(self.classes) if self.classes else Binary(),
            [places[column] for column in self.model.columns],
            *self.scaler.moments(self.model.columns),
        )

    def _probabilities(self, records: pd.DataFrame | Sequence[Mapping[str, Any]]) -> np.ndarray:
        if not len(records):
            return np.empty((0, len(self.model.classes)))
        return self.model.probabilities_of(self.rows(records))

    def _enriched(self, records: pd.DataFrame | Sequence[Mapping[str, Any]]) -> pd.DataFrame | Mapping[str, np.ndarray]:
        transform_columns = getattr(self.enricher, "transform_columns", None)
        try:
            if transform_columns is None:
                return self.enricher.transform(self._plan.reader.frame(records))
            enriched: Mapping[str, np.ndarray] = transform_columns(self._plan.reader.columns(records))
            return enriched
        except InvalidRecordsError:
            raise
        except ValueError as error:
            raise InvalidRecordsError([Problem(0, "", str(error))], total=1, faulty=1, records=len(records)) from error
