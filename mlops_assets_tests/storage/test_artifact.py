"""Fitted objects as skops archives with a stamp inside."""

import io
import zipfile
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml.persistence import UntrustedTypeError
from mlops_assets.ml.scale import FrameScaler
from mlops_assets.storage import artifact
from mlops_assets.storage.stamp import NoStampError, Stamp

FRAME = pd.DataFrame({"x": [1.0, 2.0, 6.0]})
STAMP = Stamp("0" * 32, {"chicago_crime/raw_crimes": {"2017-12": "1" * 32}}, "code", {"rows": 3})


def _fitted(factor: float = 1.0) -> FrameScaler:
    return FrameScaler(["x"]).fit(FRAME * factor)


def test_object_comes_back_fitted_with_its_stamp() -> None:
    archive, _ = artifact.to_archive(_fitted())

    scaler, stamp = artifact.decode(artifact.encode(archive, STAMP))

    assert stamp == STAMP
    np.testing.assert_array_equal(scaler.transform(FRAME)["x"], _fitted().transform(FRAME)["x"])


def test_equal_fitted_state_gives_equal_bytes_and_version() -> None:
    (one, version), (other, other_version), (_, changed) = (artifact.to_archive(_fitted(factor)) for factor in (1, 1, 2))

    assert artifact.encode(one, STAMP) == artifact.encode(other, STAMP)
    assert version == other_version != changed


def test_stamp_may_be_longer_than_an_archive_comment() -> None:
    archive, version = artifact.to_archive(_fitted())
    stamp = Stamp(version, {"asset": {str(number): "1" * 32 for number in range(5000)}})

    data = artifact.encode(archive, stamp)

    assert artifact.read_stamp(lambda _: data) == stamp


def test_archive_of_another_origin_has_no_stamp() -> None:
    archive, _ = artifact.to_archive(_fitted())

    with pytest.raises(NoStampError):
        artifact.read_stamp(lambda _: archive)


def test_type_that_nobody_reviewed_is_neither_written_nor_read() -> None:
    archive, _ = artifact.to_archive(_fitted())
    tampered = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(tampered, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b'"FrameScaler"', b'"FrameStealer"'))

    with pytest.raises(UntrustedTypeError):
        artifact.to_archive(Fraction(1, 2))
    with pytest.raises(UntrustedTypeError, match="FrameStealer"):
        artifact.decode(artifact.encode(tampered.getvalue(), STAMP))
