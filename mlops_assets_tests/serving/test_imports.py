"""What the serving process loads: a champion is found, loaded and asked without orchestration and without what only training needs."""

import subprocess
import sys
from typing import Any

FORBIDDEN = ("dagster", "geopandas", "imblearn", "optuna", "matplotlib", "skl2onnx", "onnxmltools", "shap", "pandera")


def test_serving_loads_no_orchestration_and_nothing_of_training_alone(store: Any, published: Any) -> None:
    code = f"""
import sys
from mlops_assets.serving import create_app
from mlops_assets.ml import registry
registry.connect({store.uri!r})
served = registry.load_for_serving("models:/flower-classifier/1")
print(len(served.answer([{{"height": 1.0, "colour": "red"}}]).labels))
print(",".join(name for name in {FORBIDDEN!r} if name in sys.modules))
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert answer == "1\n\n"
