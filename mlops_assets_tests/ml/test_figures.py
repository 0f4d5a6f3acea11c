import struct
from collections.abc import Callable

import numpy as np
import pytest

from mlops_assets.ml.figures import candidates_figure, evaluation_figures

CLASSES = {0: "Spruce/Fir", 1: "Lodgepole Pine", 2: "Cottonwood/Willow", 3: "Aspen"}
NAMES = {"pr_curve", "calibration", "confusion_matrix", "feature_importance"}


def _importance(features: int = 30) -> dict[str, float]:
    return {f"location_description_{number}_target": 1 / (number + 1) for number in range(features)}


def _evaluation(rows: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(2)
    y = generator.random(rows) < 0.2
    return y, np.clip(0.4 * y + 0.6 * generator.random(rows), 0, 1)


def _classes(rows: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    y = generator.integers(0, 3, rows)
    scores = generator.random((rows, 4)) + 0.5 * np.eye(4)[y]
    return y, scores / scores.sum(axis=1, keepdims=True)


def _binary(y: np.ndarray, probability: np.ndarray, threshold: float = 0.5, importance: dict[str, float] | None = None) -> dict[str, bytes]:
    probabilities = np.column_stack([1 - probability, probability])
    shares = _importance() if importance is None else importance
    return evaluation_figures(y, probabilities, threshold=threshold, importance=shares, classes={})


def _multiclass(y: np.ndarray, probabilities: np.ndarray, classes: dict[int, str] = CLASSES, **importance: float) -> dict[str, bytes]:
    return evaluation_figures(y, probabilities, threshold=0.0, importance=importance, classes=classes)


def _chunks(png: bytes) -> list[bytes]:
    """Names of the chunks of a PNG file."""
    names, position = [], 8
    while position < len(png):
        length, name = struct.unpack(">I4s", png[position : position + 8])
        names.append(name)
        position += length + 12
    return names


def _height(png: bytes) -> int:
    """Pixels, from the header chunk."""
    height: int = struct.unpack(">I", png[20:24])[0]
    return height


def test_evaluation_figures_are_small_pngs_without_metadata() -> None:
    binary, multiclass = _binary(*_evaluation()), _multiclass(*_classes(), only=1.0)
    assert set(binary) == NAMES
    assert set(multiclass) == {"calibration", "confusion_matrix", "class_f1", "feature_importance"}
    for png in [*binary.values(), *multiclass.values(), candidates_figure({"one": 0.5}, "mcc")]:
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        assert len(png) < 60_000
        assert not {b"tEXt", b"iTXt", b"zTXt", b"tIME"} & set(_chunks(png))


def test_evaluation_figures_are_the_same_bytes_again() -> None:
    assert _binary(*_evaluation()) == _binary(*_evaluation())
    assert _multiclass(*_classes()) == _multiclass(*_classes())


def test_evaluation_figures_show_what_they_are_given() -> None:
    y, probability = _evaluation()
    figures = _binary(y, probability)
    moved = _binary(y, probability, 0.4)
    assert {name for name in NAMES if figures[name] != moved[name]} == {"pr_curve", "confusion_matrix"}
    fewer = _binary(y, probability, importance=_importance(5))
    assert {name for name in NAMES if figures[name] != fewer[name]} == {"feature_importance"}
    blunter = _binary(y, probability**2, 0.25)
    assert figures["calibration"] != blunter["calibration"]


def test_multiclass_figures_show_what_they_are_given() -> None:
    y, probabilities = _classes()
    figures = _multiclass(y, probabilities)
    renamed = _multiclass(y, probabilities, CLASSES | {1: "Ponderosa Pine"})
    assert {name for name in figures if figures[name] != renamed[name]} == {"confusion_matrix", "class_f1"}
    shifted = _multiclass(np.roll(y, 1), probabilities)
    assert {name for name in figures if figures[name] != shifted[name]} == set(figures)


@pytest.mark.parametrize("draw", [lambda: _binary(*_evaluation(), importance={}), lambda: _multiclass(*_classes())])
def test_evaluation_figures_without_importance_have_no_picture_of_it(draw: Callable[[], dict[str, bytes]]) -> None:
    assert "feature_importance" not in draw()


def test_evaluation_figures_show_the_first_twenty_features() -> None:
    heights = [_height(_binary(*_evaluation(), importance=_importance(features))["feature_importance"]) for features in (10, 20, 30)]
    assert heights[0] < heights[1] == heights[2]


@pytest.mark.parametrize("probability", [[0.0, 1.0], [0.5, 0.5]])
def test_evaluation_figures_of_two_rows(probability: list[float]) -> None:
    assert set(_binary(np.array([0, 1]), np.array(probability), importance={"only": 0.0})) == NAMES


def test_evaluation_figures_of_a_model_that_is_always_right() -> None:
    assert set(_multiclass(np.array([0, 1, 2]), np.eye(4)[:3])) == {"calibration", "confusion_matrix", "class_f1"}


def test_evaluation_figures_refuse_one_class() -> None:
    with pytest.raises(ValueError, match="both classes"):
        _binary(np.array([1, 1]), np.array([0.1, 0.2]))
    with pytest.raises(ValueError, match="two classes or more"):
        _multiclass(np.array([1, 1]), np.eye(4)[:2])


def test_candidates_figure_has_a_bar_for_each_whatever_their_order() -> None:
    both = candidates_figure({"svc": 0.6, "extra_trees": 0.9}, "macro_f1")
    assert candidates_figure({"extra_trees": 0.9, "svc": 0.6}, "macro_f1") == both
    assert _height(candidates_figure({"svc": 0.6, "extra_trees": 0.9, "xgboost": -0.1}, "macro_f1")) > _height(both)
    assert candidates_figure({"svc": 0.7, "extra_trees": 0.9}, "macro_f1") != both
