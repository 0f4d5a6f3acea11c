"""Predictions over HTTP: the models' own answers, whatever way they take, and the replaced system's contract to the byte."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from mlops_assets.domain import TabularDomain
from mlops_assets.ml.served import ServedModel


def make_records(domain: TabularDomain, count: int) -> list[dict[str, Any]]:
    """Different records, nulls and absent fields among them."""
    if domain.name == "flowers":
        heights = np.linspace(0, 3, count).tolist()
        return [{"height": None if number % 7 == 3 else height, "colour": "white"} for number, height in enumerate(heights)]
    records: list[dict[str, Any]] = [{"amount": float(37 * number % 5000), "kind": "house"} for number in range(count)]
    for number, record in enumerate(records):
        record |= [{}, {"months": 7}, {"is_new": False, "note": None}, {"months": None, "note": "some"}][number % 4]
    return records


@pytest.mark.parametrize("name", ["loans", "flowers"])
@pytest.mark.parametrize("count", [1, 40, 1000])
def test_answers_are_the_models_own(
    api: Any, models: dict[str, ServedModel], systems: dict[str, TabularDomain], name: str, count: int
) -> None:
    records = make_records(systems[name], count)
    expected = models[name].answer(records)

    answer = api.post(f"/models/{name}/predict", json={"records": records}).json()

    assert (answer["model"], answer["model_version"]) == (name, "1")
    assert answer["predictions"] == expected.labels.tolist()
    probabilities = expected.probabilities if name == "flowers" else expected.probabilities[:, 1]
    np.testing.assert_allclose(answer["probabilities"], probabilities, atol=1e-6)
    assert len(set(answer["predictions"])) > 1 or count == 1


def test_a_binary_answer_holds_booleans_and_the_positive_probability(api: Any) -> None:
    answer = api.post("/models/loans/predict", json={"records": [{"amount": 10.0, "kind": "car"}]}).json()

    assert answer["predictions"] == [True]
    assert 0.5 <= answer["probabilities"][0] <= 1


def test_the_registered_name_leads_to_the_same_model(api: Any) -> None:
    body = {"records": [{"height": 1.5, "colour": "red"}]}

    assert api.post("/models/flower-classifier/predict", json=body).json() == api.post("/models/flowers/predict", json=body).json()


def test_the_compatible_answer_is_the_replaced_systems_to_the_byte(api: Any) -> None:
    answer = api.post("/predict", json={"samples": [{"height": 1.5, "colour": "red"}, {"height": 0.1, "colour": "white"}]})

    assert answer.content == b'{"predictions":[1,0],"model_version":"1"}'
    assert answer.headers["content-type"] == "application/json"


def test_requests_of_every_size_are_answered_side_by_side(api: Any, systems: dict[str, TabularDomain]) -> None:
    records = make_records(systems["flowers"], 600)
    expected = api.post("/models/flowers/predict", json={"records": records}).json()["predictions"]

    def ask(number: int) -> bool:
        asked = records if number % 3 == 0 else records[number : number + 1]
        found = api.post("/models/flowers/predict", json={"records": asked}).json()["predictions"]
        return bool(found == (expected if number % 3 == 0 else expected[number : number + 1]))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(60)))
