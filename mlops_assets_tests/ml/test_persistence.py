"""Tests of fitted objects as bytes."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib import import_module
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from mlops_assets.ml.persistence import TRUSTED, UntrustedTypeError, content_hash, dumps, loads
from mlops_assets.ml.served import ServedModel


class Stranger:
    """A type that nobody reviewed."""

    def __init__(self) -> None:
        self.value = 1


def test_served_model_comes_back_with_the_same_predictions(served: ServedModel, raw: pd.DataFrame) -> None:
    again = loads(dumps(served))

    pd.testing.assert_frame_equal(again.predict(raw), served.predict(raw), check_exact=True)
    assert again.request == served.request


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), RandomForestClassifier(n_estimators=3), HistGradientBoostingClassifier(max_iter=3)],
    ids=lambda estimator: type(estimator).__name__,
)
def test_scikit_learn_estimators_come_back(estimator: Any) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    estimator.fit(rows, rows[:, 0] > 0)

    np.testing.assert_array_equal(loads(dumps(estimator)).predict_proba(rows), estimator.predict_proba(rows))


def test_equal_fitted_state_gives_equal_bytes(
    served: ServedModel, refit: Callable[[list[dict[str, Any]]], ServedModel], crimes: list[dict[str, Any]]
) -> None:
    archive = dumps(served)

    assert dumps(refit(crimes)) == archive
    assert dumps(loads(archive)) == archive
    assert dumps(refit(crimes[:-1])) != archive


def test_bytes_do_not_depend_on_the_process() -> None:
    code = (
        "from mlops_assets.ml.persistence import content_hash, dumps; import numpy as np\n"
        "print(content_hash(dumps({'set': {'a', 'b', 'c', 'd'}, 'array': np.arange(3.0), 'bytes': b'x', 'shared': ['s'] * 3})))"
    )
    hashes = {
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2")
    }

    assert len(hashes) == 1


def test_sharing_of_equal_values_does_not_show() -> None:
    array = np.arange(4.0)

    assert dumps([array, array]) == dumps([array, array.copy()])


def test_what_lies_between_the_fields_of_records_does_not_show() -> None:
    kind = np.dtype([("left", "<i8"), ("leaf", "u1")], align=True)
    archives = []
    for filling in (b"\x00", b"\xff"):
        records = np.frombuffer(filling * 3 * kind.itemsize, dtype=kind).copy()
        records["left"], records["leaf"] = [1, 2, 3], [0, 1, 1]
        archives.append(dumps(records))

    assert archives[0] == archives[1]
    assert loads(archives[1]).tolist() == [(1, 0), (2, 1), (3, 1)]


def test_attribute_that_is_called_like_a_skops_key_survives() -> None:
    value = {"__id__": "mine", "file": "mine", "content": [1, None, "x"], 3: 2.5}

    assert loads(dumps(value)) == value


def test_unreviewed_type_is_refused_when_written() -> None:
    with pytest.raises(UntrustedTypeError, match=r"Stranger; the list is TRUSTED in mlops_assets\.ml\.persistence"):
        dumps({"inside": [Stranger()]})


def test_unreviewed_type_is_refused_when_read() -> None:
    with pytest.raises(UntrustedTypeError, match="Stranger"):
        loads(skops.io.dumps(Stranger()))


def test_archive_holds_no_pickle(served: ServedModel) -> None:
    with zipfile.ZipFile(BytesIO(dumps(served))) as archive:
        assert {name.rpartition(".")[2] for name in archive.namelist()} == {"json", "npy", "bin"}


@pytest.mark.parametrize("name", TRUSTED)
def test_reviewed_type_exists(name: str) -> None:
    module, _, kind = name.rpartition(".")

    assert isinstance(getattr(import_module(module), kind), type)


def test_content_hash_is_128_bits_of_blake2b() -> None:
    assert content_hash(b"") == "cae66941d9efbd404e4d88758ea67670"
