"""Fitted classifiers to ONNX. Needed where models are registered, never where they are served: `onnx_classifier` runs the result.

Conversion is meant to change nothing but the last digits; whether it did is for `engine` to find out.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mlops_assets.ml.onnx_classifier import INPUT, PROBABILITIES

OPSET, ML_OPSET, IR_VERSION = 18, 3, 10
"""Operator sets and file format that ONNX Runtime reads from 1.18 on."""
WIDE, LABELS = "wide_rows", "label"
LEAF = -1
"""Child of a leaf in scikit-learn's trees."""


def to_onnx(estimator: Any, n_columns: int) -> bytes:
    """The fitted classifier as an ONNX model from float32[n, n_columns] to float[n, classes], by ascending class.

    Raises what the converter raises for an estimator that has no conversion.
    """
    with _silence():
        match type(estimator).__name__:
            case "XGBClassifier":
                model = _boosted(estimator, n_columns)
            case "RandomForestClassifier" | "ExtraTreesClassifier":
                model = _forest(estimator, n_columns)
            case _:
                model = _converted(estimator, n_columns)
    content: bytes = model.SerializeToString()
    return content


def _converted(estimator: Any, n_columns: int) -> onnx.ModelProto:
    from skl2onnx import to_onnx as convert
    from skl2onnx.common.data_types import FloatTensorType

    model: onnx.ModelProto = convert(
        estimator,
        initial_types=[(INPUT, FloatTensorType([None, n_columns]))],
        options={id(estimator): {"zipmap": False}},
        target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
    )
    return model


def _boosted(estimator: Any, n_columns: int) -> onnx.ModelProto:
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    model: onnx.ModelProto = convert_xgboost(estimator, initial_types=[(INPUT, FloatTensorType([None, n_columns]))])
    for node in model.graph.node:
        if node.op_type == "TreeEnsembleClassifier":
            _begin_with_the_base(node)
    return model


def _begin_with_the_base(node: onnx.NodeProto) -> None:
    """XGBoost starts a sum with the base score, ONNX Runtime ends it so, and in single precision that is another sum."""
    found = {attribute.name: attribute for attribute in node.attribute}
    if "base_values" not in found:
        return
    base = np.array(found["base_values"].floats, dtype=np.float32)
    weights = np.array(found["class_weights"].floats, dtype=np.float32)
    classes = np.array(found["class_ids"].ints)
    trees = np.array(found["class_treeids"].ints)
    for label in np.unique(classes):
        first = (classes == label) & (trees == trees[classes == label].min())
        weights[first] += base[label if len(base) > 1 else 0]
    _set_floats(found["class_weights"], weights)
    _set_floats(found["base_values"], np.zeros_like(base))


def _set_floats(attribute: onnx.AttributeProto, values: np.ndarray) -> None:
    del attribute.floats[:]
    attribute.floats.extend(values.tolist())


def _forest(forest: Any, n_columns: int) -> onnx.ModelProto:
    """The mean of the trees' leaves, straight from their arrays: skl2onnx goes node by node, for minutes where a forest is deep.

    In double precision, as scikit-learn compares and adds up; single precision would miss by 1e-6 with some hundred trees.
    """
    trees = [estimator.tree_ for estimator in forest.estimators_]
    sizes = [tree.node_count for tree in trees]
    tree_of_node = np.repeat(np.arange(len(trees)), sizes)
    number_in_tree = np.concatenate([np.arange(size) for size in sizes])
    feature, threshold, left, right = (
        np.concatenate([getattr(tree, name) for tree in trees]) for name in ("feature", "threshold", "children_left", "children_right")
    )
    is_leaf = left == LEAF
    shares = np.concatenate([tree.value[:, 0, :] for tree in trees]) / len(trees)
    # Of two classes ONNX Runtime wants both in each leaf; of more it takes what a leaf lacks for 0.
    at, label = np.nonzero(is_leaf[:, None] & ((shares > 0) | (len(forest.classes_) == 2)))
    ensemble = helper.make_node("TreeEnsembleClassifier", [WIDE], [LABELS, PROBABILITIES], domain="ai.onnx.ml", post_transform="NONE")
    ensemble.attribute.extend(
        [
            _integers("classlabels_int64s", np.arange(len(forest.classes_))),
            _integers("nodes_treeids", tree_of_node),
            _integers("nodes_nodeids", number_in_tree),
            _integers("nodes_featureids", np.where(is_leaf, 0, feature)),
            _integers("nodes_truenodeids", np.where(is_leaf, 0, left)),
            _integers("nodes_falsenodeids", np.where(is_leaf, 0, right)),
            _integers("class_treeids", tree_of_node[at]),
            _integers("class_nodeids", number_in_tree[at]),
            _integers("class_ids", label),
            helper.make_attribute("nodes_values_as_tensor", numpy_helper.from_array(np.where(is_leaf, 0.0, threshold))),
            helper.make_attribute("class_weights_as_tensor", numpy_helper.from_array(shares[at, label])),
            onnx.AttributeProto(
                name="nodes_modes",
                type=onnx.AttributeProto.STRINGS,
                strings=np.where(is_leaf, b"LEAF", b"BRANCH_LEQ").tolist(),
            ),
        ]
    )
    graph = helper.make_graph(
        [helper.make_node("Cast", [INPUT], [WIDE], to=TensorProto.DOUBLE), ensemble],
        "forest",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, n_columns])],
        [
            helper.make_tensor_value_info(LABELS, TensorProto.INT64, [None]),
            helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, [None, len(forest.classes_)]),
        ],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def _integers(name: str, values: np.ndarray) -> onnx.AttributeProto:
    # onnx's own helper looks at every element.
    return onnx.AttributeProto(name=name, type=onnx.AttributeProto.INTS, ints=values.tolist())


@contextmanager
def _silence() -> Iterator[None]:
    """Converters warn of their own code and log every step."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
