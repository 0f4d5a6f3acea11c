"""Versions that somebody else put into the registry: a pickle is refused by the lineage's loader and by the API before it runs."""

import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
import yaml

from mlops_assets.domain import TabularDomain
from mlops_assets.ml import registry
from mlops_assets.ml.persistence import UntrustedTypeError
from mlops_assets.ml.provenance import Provenance

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
RECORD = {"height": 0.4, "colour": "red"}


class _Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, sprung: Path) -> None:
        self._sprung = sprung

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self._sprung,)


def _pickled_estimator(folder: Path, sprung: Path) -> None:
    (folder / "model.pkl").write_bytes(pickle.dumps(_Trap(sprung)))
    about = {"pickled_model": "model.pkl", "serialization_format": "cloudpickle", "sklearn_version": sklearn.__version__, "code": None}
    _describe(folder, {"loader_module": "mlflow.sklearn", "model_path": "model.pkl", "predict_fn": "predict"}, sklearn=about)


def _pickled_python_model(folder: Path, sprung: Path) -> None:
    (folder / "python_model.pkl").write_bytes(pickle.dumps(_Trap(sprung)))
    _describe(folder, {"loader_module": "mlflow.pyfunc.model", "python_model": "python_model.pkl", "cloudpickle_version": "3.1.1"})


def _describe(folder: Path, flavor: dict[str, Any], **others: Any) -> None:
    python = {"env": {"virtualenv": "python_env.yaml"}, "python_version": PYTHON, **flavor}
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {"python_function": python, **others}, "model_uuid": "0" * 32}))
    # The file that ours would have, for a loader that looks for nothing else.
    (folder / "artifacts").mkdir()
    (folder / "artifacts" / "served.skops").write_bytes((folder / flavor.get("model_path", "python_model.pkl")).read_bytes())


def _register(store: Any, domain: TabularDomain, folder: Path) -> str:
    """Makes the folder's model the champion, as whoever has MLflow's address and login can; gives its URI."""
    version = registry.register(store.client, domain.model_name, folder.as_uri(), run_id="r" * 32, provenance=Provenance.from_tags({}))
    registry.set_alias(store.client, domain.model_name, registry.CHAMPION, version.version)
    return f"models:/{domain.model_name}/{version.version}"


def _code_of_its_own(folder: Path, sprung: Path) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "foreign_loader.py").write_text(f"import pathlib\npathlib.Path({str(sprung)!r}).touch()\n")
    (folder / "data").write_bytes(b"read by nobody")
    _describe(folder, {"loader_module": "foreign_loader", "code": "code", "model_path": "data"})


def test_code_that_a_version_carries_is_not_run(store: Any, flowers: TabularDomain, tmp_path: Path) -> None:
    folder, sprung = tmp_path / "foreign", tmp_path / "sprung"
    folder.mkdir()
    _code_of_its_own(folder, sprung)
    uri = _register(store, flowers, folder)

    for load in (registry.load_served, registry.load_for_serving):
        with pytest.raises(zipfile.BadZipFile):
            load(uri)

    assert not sprung.exists()


@pytest.mark.parametrize("make", [_pickled_estimator, _pickled_python_model])
def test_pickled_model_is_refused_before_it_runs(
    make: Callable[[Path, Path], None], store: Any, serve: Callable[..., Any], flowers: TabularDomain, tmp_path: Path
) -> None:
    folder, sprung = tmp_path / "foreign", tmp_path / "sprung"
    folder.mkdir()
    make(folder, sprung)
    ours, _ = store.publish(flowers)
    api = serve(flowers).until_ok()

    uri = _register(store, flowers, folder)

    with pytest.raises(Exception, match="MLFLOW_ALLOW_PICKLE_DESERIALIZATION"):
        registry.load(uri)
    for load in (registry.load_served, registry.load_for_serving):
        with pytest.raises(zipfile.BadZipFile):
            load(uri)
    health = api.until(lambda health: bool(health["models"]["flowers"].get("problem")))
    assert health["models"]["flowers"]["version"] == ours
    answer = api.post("/models/flowers/predict", json={"records": [RECORD]})
    assert (answer.status_code, answer.json()["model_version"]) == (200, ours)
    assert not sprung.exists()


def test_trap_springs_where_pickles_are_loaded(tmp_path: Path) -> None:
    # Or the test above would hold of any file.
    pickle.loads(pickle.dumps(_Trap(tmp_path / "sprung")))  # noqa: S301 - it is ours

    assert (tmp_path / "sprung").exists()


def test_archive_with_a_type_that_nobody_reviewed_is_refused(store: Any, flowers: TabularDomain, tmp_path: Path) -> None:
    import skops.io

    (tmp_path / "artifacts").mkdir()
    archive = skops.io.dumps({"estimator": np.random.default_rng(), "hook": Path("anywhere")})
    (tmp_path / "artifacts" / "served.skops").write_bytes(archive)
    (tmp_path / "MLmodel").write_text(yaml.safe_dump({"flavors": {}, "model_uuid": "0" * 32}))

    uri = _register(store, flowers, tmp_path)

    with pytest.raises(UntrustedTypeError, match="not a reviewed type"):
        registry.load_for_serving(uri)
