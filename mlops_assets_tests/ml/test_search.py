from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mlops_assets.ml.search as module
from mlops_assets.domain import Balance, Candidate, Features, Range, Search, Selection
from mlops_assets.ml.balance import balance
from mlops_assets.ml.evaluate import best_threshold, binary_metrics
from mlops_assets.ml.search import SearchResult, Trial, search
from mlops_assets.ml.train import fit_candidate

FEATURES = Features(numeric=("signal", "noise"), target=(("place",),))
SPACE = {"max_depth": Range(1, 3, integer=True), "learning_rate": Range(0.05, 0.5, log=True), "subsample": Range(0.7, 1.0)}
PLAIN = Candidate("plain", "", params={"n_estimators": 4, "max_depth": 2}, space=SPACE)
WEAK = replace(PLAIN, name="weak", params={"n_estimators": 1, "max_depth": 1})
TARGET = replace(PLAIN, name="target", encodings=("plain", "target"))
REFERENCE = replace(PLAIN, name="reference", balance=True, select=True)


def _frame(rows: int = 400) -> pd.DataFrame:
    generator = np.random.default_rng(4)
    signal, noise = generator.normal(size=(2, rows))
    hit = (signal + 0.5 * generator.normal(size=rows) > 0.9).astype(np.int8)
    place = 0.2 + 0.2 * hit + 0.1 * generator.normal(size=rows)
    return pd.DataFrame({"id": np.arange(rows).astype(str), "hit": hit, "signal": signal, "noise": noise, "place_target": place})


TRAIN = _frame()


def _search(
    candidates: Sequence[Candidate],
    trials: int,
    train: pd.DataFrame = TRAIN,
    on_trial: Callable[[Trial], None] | None = None,
    **changes: Any,
) -> SearchResult:
    return search(
        train,
        target="hit",
        features=FEATURES,
        candidates=candidates,
        balance=Balance(),
        selection=Selection(),
        search=replace(Search(trials=trials), **changes),
        on_trial=on_trial,
    )


def test_search_starts_with_the_candidates_as_they_stand() -> None:
    outside = replace(PLAIN, params={"n_estimators": 4, "max_depth": 6, "learning_rate": 0.9})
    result = _search((outside, TARGET, REFERENCE), trials=4)
    assert [(trial.number, trial.candidate) for trial in result.trials[:3]] == [(0, "plain"), (1, "target"), (2, "reference")]
    assert [trial.params for trial in result.trials[:3]] == [outside.params, TARGET.params, REFERENCE.params]
    assert len(result.trials) == 4


def test_search_stays_inside_the_space_afterwards() -> None:
    outside = replace(PLAIN, params={"n_estimators": 4, "max_depth": 6, "learning_rate": 0.9})
    proposed = _search((outside,), trials=8).trials[1:]
    for trial in proposed:
        assert trial.params["n_estimators"] == 4
        assert type(trial.params["max_depth"]) is int
        assert all(SPACE[name].low <= trial.params[name] <= SPACE[name].high for name in SPACE)
    assert len({trial.params["learning_rate"] for trial in proposed}) == len(proposed)


def test_search_is_deterministic() -> None:
    first, again = (_search((PLAIN, REFERENCE), trials=5) for _ in range(2))
    assert first == again
    assert _search((PLAIN, REFERENCE), trials=5, seed=7) != first


def test_search_returns_the_best_trial() -> None:
    result = _search((WEAK, TARGET), trials=5)
    best = max(result.trials, key=lambda trial: trial.value)
    assert (result.candidate, result.params, result.value, result.threshold) == (best.candidate, best.params, best.value, best.threshold)
    assert result.candidate == "target"
    assert best.value > result.trials[0].value


def test_search_prefers_the_earlier_of_equal_trials() -> None:
    result = _search((PLAIN, replace(PLAIN, name="twin")), trials=2)
    assert result.trials[0].value == result.trials[1].value
    assert result.candidate == "plain"


@pytest.mark.parametrize("metric", ["average_precision", "mcc"])
def test_search_judges_by_the_metric_on_rows_held_back(metric: str) -> None:
    held_back = module._stratified_mask(TRAIN["hit"].to_numpy(), 0.2, 42)
    trial = _search((PLAIN,), trials=1, metric=metric).trials[0]
    model = fit_candidate(
        PLAIN, PLAIN.params, train=TRAIN[~held_back], balanced=None, selected=None, target="hit", features=FEATURES, seed=42, threshold=0.5
    )
    validation = TRAIN[held_back]
    labels, probability = validation["hit"].to_numpy(), model.predict_probability(validation)
    assert trial.threshold == best_threshold(labels, probability)
    assert trial.metrics == binary_metrics(labels, probability, trial.threshold)
    assert trial.value == trial.metrics[metric]


def test_search_holds_back_a_share_of_each_class() -> None:
    labels = np.repeat([0, 1], [1000, 50])
    held_back = module._stratified_mask(labels, 0.2, seed=1)
    assert (held_back[labels == 0].sum(), held_back[labels == 1].sum()) == (200, 10)
    assert module._stratified_mask(np.array([0, 0, 0, 1, 1]), 0.01, seed=1).sum() == 2


def test_search_balances_and_selects_once_and_on_the_fit_part_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def recording(train: pd.DataFrame, spec: Balance, *, target: str, columns: list[str]) -> pd.DataFrame:
        seen.append(set(train["id"]))
        return balance(train, spec, target=target, columns=columns)

    monkeypatch.setattr(module, "balance_rows", recording)
    trials = _search((REFERENCE, replace(REFERENCE, name="again")), trials=4).trials
    held_back = module._stratified_mask(TRAIN["hit"].to_numpy(), 0.2, 42)
    assert seen == [set(TRAIN.loc[~held_back, "id"])]
    assert {trial.metrics["rows"] for trial in trials} == {held_back.sum()}


def test_search_does_not_balance_for_candidates_that_do_not_ask_for_it() -> None:
    few = pd.concat([TRAIN[TRAIN["hit"] == 0], TRAIN[TRAIN["hit"] == 1][:3]], ignore_index=True)
    assert len(_search((PLAIN,), trials=1, train=few).trials) == 1


def test_search_calls_on_trial_after_each_trial() -> None:
    seen: list[Trial] = []
    result = _search((PLAIN, TARGET), trials=3, on_trial=seen.append)
    assert tuple(seen) == result.trials


def test_search_without_trials_takes_the_first_candidate() -> None:
    result = _search((WEAK, TARGET), trials=0)
    assert result == SearchResult("weak", dict(WEAK.params), None, 0.5, ())


def test_search_without_a_space_ends_with_the_candidates() -> None:
    fixed = tuple(replace(candidate, space={}) for candidate in (PLAIN, TARGET))
    assert len(_search(fixed, trials=9).trials) == 2
    assert {trial.candidate for trial in _search((fixed[1], PLAIN), trials=5).trials[2:]} == {"plain"}


@pytest.mark.parametrize("trials", [0, 3])
@pytest.mark.parametrize(
    ("candidates", "changes", "message"),
    [
        ((), {}, "needs a candidate"),
        ((PLAIN, PLAIN), {}, "share a name: plain, plain"),
        ((replace(PLAIN, estimator="magic"),), {}, "no estimator 'magic'"),
        ((PLAIN,), {"metric": "brier"}, "cannot maximise 'brier'"),
        ((PLAIN,), {"train": TRAIN[TRAIN["hit"] == 1]}, r"rows by class: \{1: \d+\}"),
        ((PLAIN,), {"train": TRAIN[:0]}, "0 training rows"),
    ],
)
def test_search_refuses_what_cannot_be_searched(
    candidates: tuple[Candidate, ...], changes: dict[str, Any], message: str, trials: int
) -> None:
    with pytest.raises(ValueError, match=message):
        _search(candidates, trials, **changes)


@pytest.mark.parametrize(
    ("positives", "candidate", "message"),
    [
        (1, PLAIN, r"1 with hit = 1 leave 0 to fit on once 1 are held back; 1 are needed \(rows by class: \{0: \d+, 1: 1\}\)"),
        (6, REFERENCE, "6 with hit = 1 leave 5 to fit on once 1 are held back; 6 are needed"),
    ],
)
def test_search_names_the_counts_when_rows_are_too_few(positives: int, candidate: Candidate, message: str) -> None:
    few = pd.concat([TRAIN[TRAIN["hit"] == 0], TRAIN[TRAIN["hit"] == 1][:positives]], ignore_index=True)
    with pytest.raises(ValueError, match=message):
        _search((candidate,), trials=1, train=few, on_trial=lambda trial: pytest.fail(f"trained: {trial}"))
