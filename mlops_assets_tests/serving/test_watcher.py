"""Following the registry: champions are swapped under load, and what is loaded outlives every trouble of the registry."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from threading import Event
from typing import Any

import numpy as np
import pytest

from mlops_assets.domain import TabularDomain
from mlops_assets.serving.watcher import RegistryWatcher

RECORDS = [{"height": height, "colour": colour} for height in (0.2, 0.9, 1.4, 2.6) for colour in ("red", "white")]


def ask(api: Any) -> tuple[int, str, list[list[float]]]:
    """Status, version and probabilities of one request."""
    answer = api.post("/models/flowers/predict", json={"records": RECORDS})
    return answer.status_code, answer.json().get("model_version"), answer.json().get("probabilities")


def test_a_champion_is_swapped_under_load_without_a_failed_or_mixed_answer(
    store: Any, serve: Callable[..., Any], flowers: TabularDomain
) -> None:
    models = dict([store.publish(flowers, seed=1)])
    api = serve(flowers).until_ok()
    enough = Event()

    def ask_on(_: int) -> list[tuple[int, str, list[list[float]]]]:
        answers = []
        while not enough.is_set():
            answers.append(ask(api))
        return answers

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask_on, number) for number in range(4)]
        try:
            for seed in (2, 3):
                version, model = store.publish(flowers, seed=seed)
                models[version] = model
                api.until(lambda health, version=version: health["models"]["flowers"]["version"] == version)
        finally:
            enough.set()
        answers = [answer for future in asking for answer in future.result()]

    expected = {version: model.answer(RECORDS).probabilities for version, model in models.items()}
    assert not np.allclose(expected["1"], expected["2"], atol=1e-3)
    assert {version for _, version, _ in answers} == {"1", "2", "3"}
    for status, version, probabilities in answers:
        assert status == 200
        np.testing.assert_allclose(probabilities, expected[version], atol=1e-6)


def test_it_starts_without_a_registry_and_is_ready_when_there_is_one(store: Any, serve: Callable[..., Any], flowers: TabularDomain) -> None:
    store.publish(flowers)
    hidden = store.database.rename(store.database.with_name("hidden.db"))
    api = serve(flowers)

    health = api.until(lambda health: "no registry database" in str(health["registry"]["problem"]))
    assert (health["status"], health["live"], health["ready"]) == ("unavailable", True, False)
    assert api.get("/health/ready").status_code == 503
    status, _, _ = ask(api)
    assert status == 503
    assert api.get("/models").json()["models"][0]["ready"] is False
    assert api.get("/models/flowers").json()["lineage"] is None
    assert api.get("/metadata").status_code == 503
    assert not store.database.exists()

    hidden.rename(store.database)
    api.until_ok()
    assert ask(api)[0] == 200
    assert api.get("/health/ready").status_code == 200


def test_a_system_without_champion_is_no_fault(
    store: Any, serve: Callable[..., Any], flowers: TabularDomain, systems: dict[str, TabularDomain]
) -> None:
    store.publish(flowers)
    api = serve(replace(systems["loans"], registered_name="never-registered"), flowers).until_ok()

    answer = api.post("/models/loans/predict", json={"records": [{}]})

    assert answer.status_code == 503
    assert "loans cannot be served yet: the registry has no champion of never-registered" in answer.json()["detail"]
    assert [model["ready"] for model in api.get("/models").json()["models"]] == [False, True]


def test_the_last_good_model_outlives_the_registry(store: Any, serve: Callable[..., Any], flowers: TabularDomain) -> None:
    store.publish(flowers, seed=1)
    api = serve(flowers, mlops_api_keys="k").until_ok()
    key = {"x-api-key": "k"}
    hidden = store.database.rename(store.database.with_name("hidden.db"))

    health = api.until(lambda health: not health["registry"]["reachable"])
    assert (health["status"], health["ready"], health["models"]["flowers"]["version"]) == ("degraded", True, "1")
    assert api.post("/models/flowers/predict", json={"records": RECORDS}, headers=key).json()["model_version"] == "1"
    for answer in (api.post("/models/flowers/reload", headers=key), api.get("/models/flowers/versions")):
        assert answer.status_code == 503
        assert "the registry does not answer" in answer.json()["detail"]

    hidden.rename(store.database)
    store.publish(flowers, seed=2)
    api.until(lambda health: health["status"] == "ok" and health["models"]["flowers"]["version"] == "2")


def test_a_version_that_does_not_load_leaves_the_last_good_one_and_is_not_tried_in_a_loop(
    store: Any, serve: Callable[..., Any], flowers: TabularDomain, caplog: pytest.LogCaptureFixture
) -> None:
    store.publish(flowers, seed=1)
    api = serve(flowers, mlops_api_keys="k", mlops_api_poll_seconds=0.01).until_ok()
    broken = store.publish_broken(flowers)

    health = api.until(lambda health: health["models"]["flowers"]["problem"] is not None)
    assert (health["status"], health["models"]["flowers"]["version"]) == ("degraded", "1")
    assert f"version {broken} does not load" in health["models"]["flowers"]["problem"]

    def tries() -> list[tuple[float, float]]:
        """When each failed, and the pause that it set."""
        found = [record for record in caplog.records if "next try" in record.msg and isinstance(record.args, tuple)]
        return [(record.created, float(str(record.args[2]))) for record in found]

    api.until(lambda _: len(tries()) >= 6)
    for (failed_at, pause), (next_failed_at, next_pause) in pairwise(tries()[:6]):
        assert next_pause == 2 * pause
        assert next_failed_at - failed_at > 0.9 * pause

    reloaded = api.post("/models/flowers/reload", headers={"x-api-key": "k"})
    assert reloaded.status_code == 503
    assert "what was served goes on being served" in reloaded.json()["detail"]

    version, _ = store.publish(flowers, seed=3)
    api.until(lambda health: health["status"] == "ok" and health["models"]["flowers"]["version"] == version)


def test_reloads_load_the_champion_at_once(store: Any, serve: Callable[..., Any], flowers: TabularDomain) -> None:
    store.publish(flowers, seed=1)
    api = serve(flowers, mlops_api_keys="k", mlops_api_poll_seconds=1000.0).until_ok()
    version, _ = store.publish(flowers, seed=2)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: api.post("/reload", headers={"x-api-key": "k"}), range(6)))

    assert {(answer.status_code, answer.json()["model_version"]) for answer in answers} == {(200, version)}
    assert api.post("/models/flowers/predict", json={"records": RECORDS}, headers={"x-api-key": "k"}).json()["model_version"] == version


def test_reloads_that_wait_share_one_loading_and_are_cancelled_at_the_end(store: Any, flowers: TabularDomain) -> None:
    store.publish(flowers)
    watcher = RegistryWatcher([flowers], store.uri, poll_seconds=1000.0)
    waiting = watcher.reload("flowers")

    assert watcher.reload("flowers") is waiting
    watcher.start()
    assert waiting.result(timeout=30).version == "1"
    watcher.stop()
    late = watcher.reload("flowers")
    watcher.stop()
    assert late.cancelled()
