"""Fitted objects as bytes and back, through skops; and the one reviewed list of types that may be loaded.

Here belongs the format only: no files, no stores. Pickle is never read nor written: a pickle runs code, a skops archive names types,
and a type that stands neither in skops' own list nor in `TRUSTED` is refused, when it is written and when it is read.
"""

import hashlib
import io
import json
import zipfile
from typing import Any

import numpy as np
import skops.io

TRUSTED = (
    "mlops_assets.domain.Features",
    "mlops_assets.domains.chicago_crime.transforms.CrimeEnricher",
    "mlops_assets.domains.forest_cover.transforms.ForestEnricher",
    "mlops_assets.ml.encode.FeatureEncoder",
    "mlops_assets.ml.forecast.model.ForecastModel",
    "mlops_assets.ml.onnx_classifier.OnnxClassifier",
    "mlops_assets.ml.scale.FrameScaler",
    "mlops_assets.ml.served.ServedModel",
    "mlops_assets.ml.train.FittedModel",
    # Plain attributes; scikit-learn's own `__setstate__` compares versions and fills the dictionary.
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.model_selection._split.PredefinedSplit",
    # Trees are arrays of child indices that scikit-learn follows unchecked: an archive from a stranger could crash the process.
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
)
"""Reviewed types, beyond those that skops trusts by itself. Add a name after reading what its `__setstate__` and `__reduce__` do."""

SCHEMA = "schema.json"
PADDING, HEADER_BYTES = b"('', '|V", 2048
"""How the header of an array file names what lies between fields, and where to look for it."""


class UntrustedTypeError(TypeError):
    """A type outside the reviewed list; the message names the type and the list's home."""


def dumps(obj: Any) -> bytes:
    """`obj` as a canonical skops archive: equal fitted state gives equal bytes, in any process, with the same library versions.

    UntrustedTypeError if it holds a type that `loads` would refuse.
    """
    archive = _canonical_archive(skops.io.dumps(obj))
    _review(archive)
    return archive


def loads(archive: bytes) -> Any:
    """The object of `dumps`. UntrustedTypeError before anything is built if the archive names a type that is not trusted."""
    _review(archive)
    return skops.io.loads(archive, trusted=TRUSTED)


def compressed(archive: bytes) -> bytes:
    """The archive of `dumps`, deflated, for a store that is far away or dear; `loads` reads both. A forest takes a sixth of its size."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(target, "w") as file:
        for name in source.namelist():
            file.writestr(zipfile.ZipInfo(name), source.read(name), zipfile.ZIP_DEFLATED, compresslevel=1)
    return target.getvalue()


def content_hash(data: bytes) -> str:
    """blake2b, 128 bits, in hexadecimal."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _review(archive: bytes) -> None:
    unknown = [name for name in skops.io.get_untrusted_types(data=archive) if name not in TRUSTED]
    if unknown:
        raise UntrustedTypeError(f"not a reviewed type: {', '.join(unknown)}; the list is TRUSTED in {__name__}")


def _canonical_archive(archive: bytes) -> bytes:
    """The same archive without what differs from process to process.

    skops numbers objects and arrays by memory address, names byte strings at random, writes sets in hash order and stamps members with
    the time. Object numbers only make a value that appears twice one object again, which no fitted state needs; they are left out, or
    equal values would differ by which of them happen to be shared. Arrays and byte strings are named by their content. Between the
    fields of records, as in the nodes of a tree, an array holds what was in memory; that becomes zero. Members are stored uncompressed,
    because compressed bytes depend on the zlib build.
    """
    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        members = {name: _without_padding(source.read(name)) for name in source.namelist() if name != SCHEMA}
        schema = json.loads(source.read(SCHEMA))
    names = {name: f"{content_hash(data)}.{name.rpartition('.')[2]}" for name, data in members.items()}
    content = {names[name]: data for name, data in sorted(members.items(), key=lambda member: names[member[0]])}
    content[SCHEMA] = json.dumps(_canonical_node(schema, names), separators=(",", ":")).encode()

    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
        for name, data in content.items():
            file.writestr(zipfile.ZipInfo(name), data)
    return target.getvalue()


def _without_padding(data: bytes) -> bytes:
    """The array file with zeros between the fields of its records; any other member as it is."""
    if not data.startswith(np.lib.format.MAGIC_PREFIX) or PADDING not in data[:HEADER_BYTES]:
        return data
    array = np.load(io.BytesIO(data))
    is_padding = np.ones(array.itemsize, dtype=bool)
    for kind, offset, *_ in array.dtype.fields.values():
        is_padding[offset : offset + kind.itemsize] = False
    clean = bytearray(data)
    np.frombuffer(clean, np.uint8, offset=len(data) - array.nbytes).reshape(-1, array.itemsize)[:, is_padding] = 0
    return bytes(clean)


def _canonical_node(node: Any, names: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_canonical_node(item, names) for item in node]
    if not isinstance(node, dict):
        return node
    canonical: dict[str, Any] = {
        key: names[value] if key == "file" and isinstance(value, str) else _canonical_node(value, names)
        for key, value in node.items()
        if not (key == "__id__" and isinstance(value, int))  # an attribute of that name has a node as its value
    }
    if canonical.get("__loader__") == "SetNode":
        canonical["content"].sort(key=json.dumps)
    return canonical
