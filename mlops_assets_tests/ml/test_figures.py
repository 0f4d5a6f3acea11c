import struct

import numpy as np
import pytest

from mlops_assets.ml.figures import evaluation_figures

NAMES = {"pr_curve", "calibration", "confusion_matrix", "feature_importance"}


def _evaluation(rows: int = 3000, features: int = 30) -> tuple[np.ndarray, np.ndarray, float, dict[str, float]]:
    generator = np.random.default_rng(2)
    y = generator.random(rows) < 0.2
    probability = np.clip(0.4 * y + 0.6 * generator.random(rows), 0, 1)
    return y, probability, 0.5, {f"location_description_{number}_target": 1 / (number + 1) for number in range(features)}


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
    figures = evaluation_figures(*_evaluation())
    assert set(figures) == NAMES
    for png in figures.values():
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        assert len(png) < 60_000
        assert not {b"tEXt", b"iTXt", b"zTXt", b"tIME"} & set(_chunks(png))


def test_evaluation_figures_are_the_same_bytes_again() -> None:
    assert evaluation_figures(*_evaluation()) == evaluation_figures(*_evaluation())


def test_evaluation_figures_show_what_they_are_given() -> None:
    y, probability, threshold, importance = _evaluation()
    figures = evaluation_figures(y, probability, threshold, importance)
    moved = evaluation_figures(y, probability, 0.4, importance)
    assert {name for name in NAMES if figures[name] != moved[name]} == {"pr_curve", "confusion_matrix"}
    fewer = evaluation_figures(y, probability, threshold, dict(list(importance.items())[:5]))
    assert {name for name in NAMES if figures[name] != fewer[name]} == {"feature_importance"}
    blunter = evaluation_figures(y, probability**2, threshold**2, importance)
    assert figures["calibration"] != blunter["calibration"]


def test_evaluation_figures_show_the_first_twenty_features() -> None:
    heights = [_height(evaluation_figures(*_evaluation(features=features))["feature_importance"]) for features in (10, 20, 30)]
    assert heights[0] < heights[1] == heights[2]


@pytest.mark.parametrize("probability", [[0.0, 1.0], [0.5, 0.5]])
def test_evaluation_figures_of_two_rows(probability: list[float]) -> None:
    assert set(evaluation_figures(np.array([0, 1]), np.array(probability), 0.5, {"only": 0.0})) == NAMES


def test_evaluation_figures_refuse_one_class() -> None:
    with pytest.raises(ValueError, match="both classes"):
        evaluation_figures(np.array([1, 1]), np.array([0.1, 0.2]), 0.5, {"only": 1.0})
