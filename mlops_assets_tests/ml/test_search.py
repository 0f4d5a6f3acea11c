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
from mlops_assets.ml.split import stratified_mask
from mlops_assets.ml.task import Binary, Multiclass, Task
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
BINARY = Binary()


def _held_back() -> np.ndarray:
    """Which of the training rows a search holds back: a fifth of each class."""
    labels = TRAIN["hit"].to_numpy()
    return stratified_mask(labels, {label: round(0.2 * rows) for label, rows in enumerate(np.bincount(labels))}, 42)


def _search(
    candidates: Sequence[Candidate],
    trials: int,
    train: pd.DataFrame = TRAIN,
    on_trial: Callable[[Trial], None] | None = None,
    task: Task = BINARY,
    **changes: Any,
) -> SearchResult:
    return search(
        train,
        task=task,
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
    held_back = _held_back()
    trial = _search((PLAIN,), trials=1, metric=metric).trials[0]
    model = fit_candidate(
        PLAIN,
        PLAIN.params,
        train=TRAIN[~held_back],
        balanced=None,
        selected=None,
        target="hit",
        features=FEATURES,
        seed=42,
        threshold=0.5,
        classes=(0, 1),
    )
    validation = TRAIN[held_back]
    labels, probability = validation["hit"].to_numpy(), model.predict_probabilities(validation)[:, 1]
    assert trial.threshold == best_threshold(labels, probability)
    assert trial.metrics == binary_metrics(labels, probability, trial.threshold)
    assert trial.value == trial.metrics[metric]
    assert trial.rows == (~held_back).sum()


def test_search_balances_and_selects_once_and_on_the_fit_part_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def recording(train: pd.DataFrame, spec: Balance, *, target: str, columns: list[str]) -> pd.DataFrame:
        seen.append(set(train["id"]))
        return balance(train, spec, target=target, columns=columns)

    monkeypatch.setattr(module, "balance_rows", recording)
    trials = _search((REFERENCE, replace(REFERENCE, name="again")), trials=4).trials
    held_back = _held_back()
    assert seen == [set(TRAIN.loc[~held_back, "id"])]
    assert {trial.metrics["rows"] for trial in trials} == {held_back.sum()}


def test_search_does_not_balance_for_candidates_that_do_not_ask_for_it() -> None:
    few = pd.concat([TRAIN[TRAIN["hit"] == 0], TRAIN[TRAIN["hit"] == 1][:3]], ignore_index=True)
    assert len(_search((PLAIN,), trials=1, train=few).trials) == 1


def test_search_calls_on_trial_after_each_trial() -> None:
    seen: list[Trial] = []
    result = _search((PLAIN, TARGET), trials=3, on_trial=seen.append)
    assert tuple(seen) == result.trials


def test_search_of_each_gives_every_candidate_trials_of_its_own() -> None:
    trials = _search((PLAIN, TARGET), trials=3, each=True).trials
    assert [(trial.number, trial.candidate) for trial in trials] == [*enumerate(["plain"] * 3 + ["target"] * 3)]
    assert [trials[0].params, trials[3].params] == [PLAIN.params, TARGET.params]
    alone = _search((TARGET,), trials=3).trials
    assert [(trial.params, trial.value) for trial in trials[3:]] == [(trial.params, trial.value) for trial in alone]


def test_search_of_each_tries_a_candidate_without_a_space_once() -> None:
    trials = _search((replace(PLAIN, space={}), TARGET), trials=2, each=True).trials
    assert [trial.candidate for trial in trials] == ["plain", "target", "target"]


@pytest.mark.parametrize("each", [False, True])
def test_search_names_the_best_trial_of_every_candidate(each: bool) -> None:
    result = _search((WEAK, TARGET), trials=4, each=each)
    best = result.best_of_each
    assert [trial.candidate for trial in best] == ["weak", "target"]
    for trial in best:
        own = [other.value for other in result.trials if other.candidate == trial.candidate]
        assert trial.value == max(own)
    assert max(best, key=lambda trial: trial.value).params == result.params


def test_search_names_the_earlier_of_a_candidates_equal_trials() -> None:
    trial = _search((PLAIN,), trials=1).trials[0]
    assert SearchResult("plain", {}, 0.0, 0.0, (trial, replace(trial, number=1))).best_of_each == (trial,)


def test_search_fits_a_candidate_on_the_rows_that_it_allows() -> None:
    plain, few = _search((PLAIN, replace(PLAIN, name="few", max_rows=60)), trials=2).trials
    assert plain.rows == 320
    assert 58 <= few.rows <= 60
    assert plain.metrics["rows"] == few.metrics["rows"] == 80


def test_search_judges_several_classes_by_their_own_metrics() -> None:
    codes = TRAIN.assign(hit=np.digitize(TRAIN["signal"], (-0.5, 0.5, 9.0)).astype(np.int8))
    task = Multiclass((0, 1, 2, 3))
    best = _search((PLAIN,), trials=2, train=codes, task=task, metric="macro_f1").trials[0]
    assert best.value == best.metrics["macro_f1"] > 0.8
    assert (best.threshold, best.metrics["f1_3"]) == (0, 0)
    assert _search((PLAIN,), trials=0, train=codes, task=task, metric="f1_2").threshold == 0
    with pytest.raises(ValueError, match="cannot maximise 'average_precision'; it can: macro_f1, "):
        _search((PLAIN,), trials=2, train=codes, task=task)


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
