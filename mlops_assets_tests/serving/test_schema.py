"""The OpenAPI document: it describes every system, its examples work, and nothing that fits or breaks it makes the server fail."""

import contextlib
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

HEALTH = list(HealthCheck)


@pytest.fixture(scope="module")
def document(api: Any) -> dict[str, Any]:
    """The document as served."""
    found: dict[str, Any] = api.get("/openapi.json").json()
    return found


def test_every_system_is_described_by_its_request(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    assert schemas["LoansRecord"]["required"] == ["amount", "kind"]
    assert schemas["LoansRecord"]["additionalProperties"] is False
    properties = schemas["LoansRecord"]["properties"]
    assert [properties[name]["type"] for name in ("amount", "kind", "months")] == [["number", "null"], "string", ["integer", "null"]]
    assert properties["kind"]["enum"] == ["car", "house"]
    assert properties["note"]["type"] == ["string", "number", "null"]
    assert {"/models/loans/predict", "/models/flowers/predict", "/predict", "/reload", "/metadata"} <= set(document["paths"])
    assert "flower-classifier" not in str(document["paths"])


def test_every_operation_stands_in_one_section(document: dict[str, Any]) -> None:
    sections = {(path, method): operation["tags"] for path, item in document["paths"].items() for method, operation in item.items()}

    assert {place: tags for place, tags in sections.items() if len(tags) != 1} == {}
    assert {path for (path, _), (tag,) in sections.items() if tag == "compatible"} == {"/predict", "/metadata", "/reload"}


def test_the_examples_of_the_document_are_answered(api: Any, document: dict[str, Any]) -> None:
    predictions = {path: item["post"] for path, item in document["paths"].items() if path.endswith(("/predict", "/forecast"))}

    assert len(predictions) == 4
    for path, operation in predictions.items():
        example = operation["requestBody"]["content"]["application/json"]["example"]
        assert api.post(path, json=example).status_code == 200


def test_text_that_is_no_category_may_be_a_number(api: Any, document: dict[str, Any]) -> None:
    (record,) = document["paths"]["/models/loans/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]["records"]

    as_number = api.post("/models/loans/predict", json={"records": [{**record, "note": 12}]})
    as_text = api.post("/models/loans/predict", json={"records": [{**record, "note": "12"}]})

    assert (as_number.status_code, as_number.json()) == (200, as_text.json())
    assert api.post("/models/loans/predict", json={"records": [{**record, "kind": 12}]}).status_code == 422


def does_not_fail(context: Any, response: Any, case: Any) -> None:
    """503 is an answer: little is stored here."""
    assert response.status_code < 500 or response.status_code == 503


CHECKS = [does_not_fail, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_nothing_makes_the_server_fail(api: Any, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{api.url}/openapi.json")
    asked = []
    for operation in schema.get_all_operations():

        @given(case=operation.ok().as_strategy(generation_mode=mode))
        @settings(max_examples=20, derandomize=True, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=HEALTH)
        def ask(case: Any) -> None:
            asked.append(case)
            case.call_and_validate(checks=CHECKS)

        with contextlib.suppress(Unsatisfiable):  # a route without parameters cannot be asked wrongly
            ask()

    assert {case.path for case in asked} >= {"/predict", "/models/loans/predict", "/models/flowers/predict", "/models/{name}/data"}
    assert {case.path for case in asked} >= {f"/models/visitors/{part}" for part in ("forecast", "history", "accuracy")}
