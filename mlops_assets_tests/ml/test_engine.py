"""Tests of the choice between ONNX Runtime and the fitted model."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml import engine
from mlops_assets.ml.engine import choose_engine
from mlops_assets.ml.onnx_export import to_onnx
from mlops_assets.ml.served import ServedModel

Cells = list[dict[str, Any]]


def _records(cells: Cells) -> pd.DataFrame:
    return pd.DataFrame(cells).drop(columns="cover_type")


@pytest.mark.parametrize("estimator", ["random_forest", "extra_trees", "logistic_regression", "xgboost"])
def test_onnx_answers_as_the_fitted_model(fit_forest: Callable[..., ServedModel], cells: Cells, estimator: str) -> None:
    served = fit_forest(estimator, **({} if estimator == "logistic_regression" else {"n_estimators": 12, "max_depth": 5}))
    chosen = choose_engine(served, _records(cells[:200]))
    records = [{**cell, "slope": None} for cell in cells]

    assert chosen.name == "onnx"
    assert chosen.served is not None
    answer, expected = chosen.served.answer(records), served.answer(records)
    np.testing.assert_array_equal(answer.labels, expected.labels)
    np.testing.assert_allclose(answer.probabilities, expected.probabilities, rtol=0, atol=1e-6)
    assert answer.probabilities.shape == (len(cells), 7)


def test_onnx_answers_yes_or_no_as_the_fitted_model(served: ServedModel, raw: pd.DataFrame, crimes: Cells) -> None:
    chosen = choose_engine(served, raw)

    assert chosen.name == "onnx"
    assert chosen.served is not None
    pd.testing.assert_frame_equal(chosen.served.predict(crimes), served.predict(crimes), atol=1e-6, rtol=0)


def test_fitted_model_answers_where_onnx_disagrees(
    forest: ServedModel, fit_forest: Callable[..., ServedModel], cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    other: Any = fit_forest("random_forest", n_estimators=3).model
    content = to_onnx(other.estimator, len(other.columns))
    monkeypatch.setattr(engine, "to_onnx", lambda *_: content)

    chosen = choose_engine(forest, _records(cells))

    assert chosen.name.startswith("native: the ONNX model differs in ")
    assert (chosen.served, chosen.onnx) == (None, None)


def test_every_field_that_may_be_null_is_null_in_a_comparison(forest: ServedModel, cells: Cells) -> None:
    nulls = [probe.columns[probe.isna().all()].tolist() for probe in engine._probes(forest, _records(cells))]

    nullable = [name for name, _, _, is_nullable, _ in forest.request if is_nullable]
    assert nulls == [[], *([name] for name in nullable), nullable]


def test_fitted_model_answers_what_has_no_conversion(forest: ServedModel, cells: Cells) -> None:
    class Unheard:
        """Nobody converts it."""

    model: Any = forest.model

    chosen = choose_engine(forest.with_model(replace(model, estimator=Unheard())), _records(cells))

    assert chosen.name.startswith("native: not convertible (")


def test_fitted_model_answers_where_onnx_is_too_large(forest: ServedModel, cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "LARGEST", 1000)

    assert choose_engine(forest, _records(cells)).name.endswith("bytes as ONNX, at most 1000 are served")


def test_without_records_nothing_is_proven(forest: ServedModel, cells: Cells) -> None:
    assert choose_engine(forest, _records(cells).iloc[:0]).name == "native: there is no record to compare on"
