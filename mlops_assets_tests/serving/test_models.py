"""What is told of the models: listings, details, versions, health and metrics."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mlops_assets.domain import TabularDomain
from mlops_assets.ml.registry import CHALLENGER


def test_models_are_listed_with_their_champions(api: Any) -> None:
    loans, flowers, _ = api.get("/models").json()["models"]

    assert (loans["name"], loans["task"], loans["ready"], loans["version"]) == ("loans", "binary", True, "1")
    assert (flowers["registered_model"], flowers["task"], flowers["metrics"]) == ("flower-classifier", "multiclass", {"macro_f1": 0.75})
    assert flowers["trained_at"].endswith("Z")


def test_a_model_is_described_with_its_request_and_lineage(api: Any) -> None:
    found = api.get("/models/flower-classifier").json()

    assert found["request"][1] == {
        "name": "colour",
        "type": "string",
        "required": True,
        "nullable": False,
        "categories": ["red", "white"],
        "description": "Colour.",
        "example": "red",
    }
    assert found["classes"] == {"0": "Rose", "1": "Tulip", "2": "Daisy"}
    assert found["features"] == ["height", "colour_red", "colour_white"]
    assert (found["candidate"], found["params"]["n_estimators"]) == ("xgboost", 8)
    assert (found["engine"], found["engine_note"], found["threshold"]) == ("onnx", None, 0.5)
    assert found["lineage"]["upstream"] == {"flowers/raw": {"01": "v1", "02": "v2"}}
    assert found["links"]["mlflow"].endswith("/#/models/flower-classifier/versions/1")
    assert found["links"]["dagster"].endswith("/runs/d-1")
    assert api.get("/models/loans").json()["classes"] is None


@pytest.mark.parametrize("name", ["loans", "flowers"])
def test_the_example_of_a_model_can_be_predicted(api: Any, name: str) -> None:
    example = api.get(f"/models/{name}").json()["example"]

    assert api.post(f"/models/{name}/predict", json={"records": [example]}).status_code == 200


def test_versions_are_listed_newest_first_with_their_aliases(
    store: Any, serve: Callable[..., Any], flowers: TabularDomain, systems: dict[str, TabularDomain]
) -> None:
    store.publish(flowers)
    store.publish(flowers, seed=1, alias=CHALLENGER)
    api = serve(flowers, replace(systems["loans"], registered_name="never-registered")).until_ok()

    versions = api.get("/models/flowers/versions").json()["versions"]

    assert [(item["version"], item["aliases"]) for item in versions] == [("2", ["challenger"]), ("1", ["champion"])]
    assert (versions[0]["partition"], versions[0]["candidate"], versions[0]["metrics"]) == ("02", "xgboost", {"macro_f1": 0.75})
    assert api.get("/models/loans/versions").json() == {"versions": []}


def test_metadata_tells_the_replaced_systems_clients_of_the_champion(api: Any) -> None:
    found = api.get("/metadata").json()

    assert (found["model_name"], found["model_version"]) == ("flower-classifier", "1")
    assert found["features"] == ["height", "colour"]


def test_metrics_count_requests_predictions_and_show_what_is_loaded(serve: Callable[..., Any]) -> None:
    api = serve().until_ok()
    records = [{"height": 0.1, "colour": "red"}] * 2 + [{"height": 2.9, "colour": "red"}]
    api.post("/models/flowers/predict", json={"records": records})
    api.post("/predict", json={"samples": records[:1]})
    api.post("/models/flowers/predict", json={"records": []})
    api.get("/no/such/path")

    lines = set(api.get("/metrics").text.splitlines())

    assert 'mlops_predictions_total{label="0",model="flowers",version="1"} 3.0' in lines
    assert 'mlops_predictions_total{label="2",model="flowers",version="1"} 1.0' in lines
    assert 'mlops_requests_total{method="POST",route="/models/{name}/predict",status="200"} 1.0' in lines
    assert 'mlops_requests_total{method="POST",route="/models/{name}/predict",status="422"} 1.0' in lines
    assert 'mlops_requests_total{method="GET",route="unmatched",status="404"} 1.0' in lines
    assert 'mlops_request_seconds_count{route="/predict"} 1.0' in lines
    assert {'mlops_model_info{model="flowers",version="1"} 1.0', 'mlops_model_current{model="loans"} 1.0'} <= lines
    assert "mlops_registry_reachable 1.0" in lines
    assert any(line.startswith("mlops_registry_answer_age_seconds ") for line in lines)
