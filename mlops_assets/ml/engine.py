"""Which engine answers for a registered version: ONNX Runtime where its answers are the fitted model's own, else the fitted model itself.

Here belongs the comparison, which is made where models are registered. How an estimator is converted is `onnx_export`'s business, of
which files a model then consists `model_files`'.
"""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.ml.model_files import Engine, with_onnx
from mlops_assets.ml.onnx_export import to_onnx
from mlops_assets.ml.request import Field, InvalidRecordsError
from mlops_assets.ml.served import ServedModel

logger = logging.getLogger(__name__)

ONNX = "onnx"
TOLERANCE = 1e-6
"""Largest difference of probabilities between the ONNX model and the fitted one."""
LARGEST = 1_000_000_000
"""Bytes of an ONNX model. Its format ends at 2 GB, and while it is loaded a server holds it several times."""
COMPARED = 10_000
"""Held-out records that are compared, at most."""
MADE = 5
"""Records that each kind of missing or unseen value is tried in."""
UNSEEN = "a value that there is not"


def choose_engine(served: ServedModel, held_out: pd.DataFrame) -> Engine:
    """ONNX if the classifier converts and agrees with the fitted one on `held_out`, raw records, and on records made of them.

    Made are records without each optional or nullable field, without all of them, and with a text that training never had in each field
    that takes any. To agree is to give equal labels, and probabilities that differ by `TOLERANCE` at most.
    """
    try:
        model: Any = served.model
        content = to_onnx(model.estimator, len(model.columns))
    except Exception as error:
        logger.info("no ONNX model: %s", error)
        return Engine(f"native: not convertible ({type(error).__name__})")
    if len(content) > LARGEST:
        return Engine(f"native: {len(content)} bytes as ONNX, at most {LARGEST} are served")
    try:
        converted = with_onnx(served, content)
        why = _disagreement(served, converted, held_out)
    except Exception as error:
        logger.warning("the ONNX model does not run: %s", error)
        return Engine(f"native: the ONNX model does not run ({type(error).__name__})")
    if why:
        logger.warning("the ONNX model is not used: %s", why)
        return Engine(f"native: {why}")
    return Engine(ONNX, converted, content)


def _disagreement(served: ServedModel, converted: ServedModel, held_out: pd.DataFrame) -> str:
    """In words; empty if there is none."""
    if held_out.empty:
        return "there is no record to compare on"
    largest, labels, rows = 0.0, 0, 0
    for records in _probes(served, held_out):
        try:
            matrix = served.rows(records)
        except InvalidRecordsError:
            continue  # such records no engine ever sees
        ours, theirs = served.model.probabilities_of(matrix), converted.model.probabilities_of(matrix)
        decided = (served.task.decide(found, served.model.threshold) for found in (ours, theirs))
        labels += int(np.not_equal(*decided).sum())
        largest = max(largest, float(np.abs(ours - theirs).max(initial=0)))
        rows += len(records)
    if labels or not largest <= TOLERANCE:
        return f"the ONNX model differs in {labels} labels and by {largest:.1e} in probability on {rows} records"
    return ""


def _probes(served: ServedModel, held_out: pd.DataFrame) -> Iterator[pd.DataFrame]:
    fields = [Field(*item) for item in served.request]
    records = held_out[[field.name for field in fields]].iloc[:COMPARED]
    yield records
    few = records.iloc[:MADE]
    dispensable = [field.name for field in fields if field.nullable or not field.required]
    for name in dispensable:
        yield few.assign(**{name: None})
    yield few.assign(**dict.fromkeys(dispensable))
    for field in fields:
        if field.type == "string" and not field.categories:
            yield few.assign(**{field.name: UNSEEN})
