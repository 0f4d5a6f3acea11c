"""Which candidate, with which parameters and threshold: a search judged on rows held back from the training rows.

Test rows never come here. Fitting one candidate is `train`; what is recorded about a trial is the caller's business.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import optuna
import pandas as pd

from mlops_assets.domain import Balance, Candidate, Features, Range, Search, Selection
from mlops_assets.ml.balance import balance as balance_rows
from mlops_assets.ml.encode import feature_columns
from mlops_assets.ml.estimators import ESTIMATORS
from mlops_assets.ml.select import select_features
from mlops_assets.ml.split import stratified_mask
from mlops_assets.ml.task import Task
from mlops_assets.ml.train import class_counts, fit_candidate

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate with one set of parameters and what it reached on the validation rows."""

    number: int
    candidate: str
    params: Mapping[str, Any]
    value: float
    """The metric of the search."""
    threshold: float
    """The one that suits the validation rows best."""
    metrics: Mapping[str, float]
    """The task's metrics on the validation rows, at that threshold."""
    rows: int
    """How many rows it was fitted on."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The choice, and the trials it comes from. `value` is None when there was no trial."""

    candidate: str
    params: Mapping[str, Any]
    value: float | None
    threshold: float
    trials: tuple[Trial, ...]

    @property
    def best_of_each(self) -> tuple[Trial, ...]:
        """The best trial of every candidate that was tried, the earlier among equals, in the order of the candidates' first trials."""
        best: dict[str, Trial] = {}
        for trial in self.trials:
            if trial.candidate not in best or trial.value > best[trial.candidate].value:
                best[trial.candidate] = trial
        return tuple(best.values())


def search(
    train: pd.DataFrame,
    *,
    task: Task,
    target: str,
    features: Features,
    candidates: Sequence[Candidate],
    balance: Balance,
    selection: Selection,
    search: Search,
    on_trial: Callable[[Trial], None] | None = None,
) -> SearchResult:
    """Try candidates and parameters on the scaled training rows; the same input gives the same result.

    The first trials are the candidates with their own parameters, in order; the others are proposed by Optuna's TPE from the
    candidates' spaces. With `search.each` that is so for one candidate after the other; one without a space has one trial. A stratified
    share of the rows is held back and judges every trial: real rows, of which balancing and selecting see nothing, and in whose
    cross-fitted target encodings their own targets have no part. `on_trial` is called after each trial. The best value wins, the
    earlier trial among equals.

    With `search.trials == 0` nothing is fitted: the first candidate as it stands, with the task's default threshold.
    Raises ValueError, before anything is fitted, for one class, too few rows of a class, and a search that cannot be carried out.
    """
    _require_searchable(candidates, search, task)
    labels = train[target].to_numpy(dtype=np.int8)
    counts = class_counts(labels, target)
    if search.trials == 0:
        return SearchResult(candidates[0].name, dict(candidates[0].params), None, task.default_threshold, ())
    _require_rows(counts, target, candidates, balance, search)
    wanted = {label: _held_back(rows, search.validation_share) for label, rows in counts.items()}
    held_back = stratified_mask(labels, wanted, search.seed)
    holdout = _Holdout(train[~held_back], train[held_back], task, target, features, balance, selection)

    trials: list[Trial] = []
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for considered in [[candidate] for candidate in candidates] if search.each else [candidates]:
        proposals = _Proposals(considered, search.seed)
        for _ in range(search.trials):
            proposal = proposals.next()
            if proposal is None:
                break
            trial = holdout.judge(len(trials), *proposal, search)
            proposals.learn(trial.value)
            trials.append(trial)
            logger.info("trial %d: candidate %s on %d rows, %s %.4f", trial.number, trial.candidate, trial.rows, search.metric, trial.value)
            if on_trial:
                on_trial(trial)
    best = max(trials, key=lambda trial: trial.value)
    return SearchResult(best.candidate, best.params, best.value, best.threshold, tuple(trials))


class _Proposals:
    """Which candidate and parameters to try next: first every candidate's own, then what TPE makes of the values so far."""

    def __init__(self, candidates: Sequence[Candidate], seed: int) -> None:
        self._starts = list(candidates)
        self._searchable = {candidate.name: candidate for candidate in candidates if candidate.space}
        # Without a start-up phase of its own: the candidates' own parameters are the start.
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=len(self._searchable))
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._asked: optuna.Trial | None = None

    def next(self) -> tuple[Candidate, dict[str, Any]] | None:
        """The next candidate and its parameters; None when the starts are through and no candidate has a space."""
        if self._starts:
            return self._start(self._starts.pop(0))
        if not self._searchable:
            return None
        self._asked = self._study.ask()
        candidate = self._searchable[self._asked.suggest_categorical("candidate", list(self._searchable))]
        return candidate, {**candidate.params, **self._suggest(self._asked, candidate, candidate.space)}

    def learn(self, value: float) -> None:
        """The value that the last proposal reached."""
        if self._asked:
            self._study.tell(self._asked, value)
            self._asked = None

    def _start(self, candidate: Candidate) -> tuple[Candidate, dict[str, Any]]:
        """The candidate as it stands; the study learns of those of its parameters that lie inside its space."""
        if candidate.space:
            inside = {name: limits for name, limits in candidate.space.items() if _contains(limits, candidate.params.get(name))}
            given = {_parameter(candidate, name): candidate.params[name] for name in inside}
            self._study.enqueue_trial({"candidate": candidate.name, **given})
            self._asked = self._study.ask()
            self._asked.suggest_categorical("candidate", list(self._searchable))
            self._suggest(self._asked, candidate, inside)
        return candidate, dict(candidate.params)

    @staticmethod
    def _suggest(trial: optuna.Trial, candidate: Candidate, space: Mapping[str, Range]) -> dict[str, Any]:
        suggested: dict[str, Any] = {}
        for name, limits in space.items():
            if limits.integer:
                suggested[name] = trial.suggest_int(_parameter(candidate, name), int(limits.low), int(limits.high), log=limits.log)
            else:
                suggested[name] = trial.suggest_float(_parameter(candidate, name), limits.low, limits.high, log=limits.log)
        return suggested


@dataclass
class _Holdout:
    """The training rows in two parts: candidates are fitted on `fit` and judged on `validation`."""

    fit: pd.DataFrame
    validation: pd.DataFrame
    task: Task
    target: str
    features: Features
    balance: Balance
    selection: Selection

    @cached_property
    def balanced(self) -> pd.DataFrame:
        return balance_rows(self.fit, self.balance, target=self.target, columns=feature_columns(self.features, ("plain",)))

    @cached_property
    def selected(self) -> pd.DataFrame:
        """Scored on the balanced rows, as the lineage does it."""
        return select_features(self.balanced, self.selection, target=self.target, columns=feature_columns(self.features, ("plain",)))

    def judge(self, number: int, candidate: Candidate, params: Mapping[str, Any], search: Search) -> Trial:
        model = fit_candidate(
            candidate,
            params,
            train=self.fit,
            balanced=self.balanced if candidate.balance else None,
            selected=self.selected if candidate.select else None,
            target=self.target,
            features=self.features,
            seed=search.seed,
            threshold=self.task.default_threshold,
            classes=self.task.classes,
        )
        labels, probabilities = self.task.labels(self.validation[self.target]), model.predict_probabilities(self.validation)
        threshold = self.task.best_threshold(labels, probabilities)
        metrics = self.task.metrics(labels, probabilities, threshold)
        return Trial(number, candidate.name, dict(params), metrics[search.metric], threshold, metrics, model.rows)


def _parameter(candidate: Candidate, name: str) -> str:
    """The study's name of a parameter: candidates do not share their spaces."""
    return f"{candidate.name}.{name}"


def _contains(limits: Range, value: float | None) -> bool:
    return value is not None and limits.low <= value <= limits.high


def _held_back(rows: int, share: float) -> int:
    """How many rows of a class judge the trials."""
    return max(1, round(share * rows))


def _require_searchable(candidates: Sequence[Candidate], search: Search, task: Task) -> None:
    if not candidates:
        raise ValueError("a search needs a candidate")
    names = [candidate.name for candidate in candidates]
    if len(set(names)) < len(names):
        raise ValueError(f"candidates share a name: {', '.join(names)}")
    if unknown := [candidate.estimator for candidate in candidates if candidate.estimator not in ESTIMATORS]:
        raise ValueError(f"there is no estimator {unknown[0]!r}; there are: {', '.join(ESTIMATORS)}")
    if search.metric not in task.metric_names:
        raise ValueError(f"a search cannot maximise {search.metric!r}; it can: {', '.join(task.metric_names)}")


def _require_rows(counts: Mapping[int, int], target: str, candidates: Sequence[Candidate], balance: Balance, search: Search) -> None:
    """Both parts need rows of each class there is, and balancing joins a minority row with `neighbours` others."""
    resampled = any(candidate.balance or candidate.select for candidate in candidates)
    needed = balance.neighbours + 1 if resampled else 1
    for label, rows in counts.items():
        left = rows - _held_back(rows, search.validation_share)
        if left < needed:
            raise ValueError(
                f"too few rows to search on: {rows} with {target} = {label} leave {left} to fit on once {rows - left} are held back; "
                f"{needed} are needed (rows by class: {dict(counts)})"
            )
