"""A classifier that ONNX Runtime runs, in place of the estimator that it was converted from. Converting is `onnx_export`'s business."""

from typing import Any, Self

import numpy as np
import onnxruntime

INPUT, PROBABILITIES = "rows", "probabilities"
"""Names of a converted model's input, float32[n, columns], and of its output, float[n, classes]."""


class OnnxClassifier:
    """What a fitted estimator is asked for, answered by an ONNX model on one core; any number of threads may ask at once.

    It is stored without the model, which is a file of its own: `load` gives it back.
    """

    def load(self, model: bytes) -> Self:
        """Takes the ONNX model into use. Raises what ONNX Runtime raises for one that it cannot run."""
        options = onnxruntime.SessionOptions()
        # A server answers many requests at once, so a thread pool for each would only make them wait for one another.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return self

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        """Probabilities float32[n, classes] of rows float32[n, columns], by ascending class."""
        probabilities: np.ndarray = self._session.run([PROBABILITIES], {INPUT: np.ascontiguousarray(rows)})[0]
        return probabilities

    def __getstate__(self) -> dict[str, Any]:
        return {}
