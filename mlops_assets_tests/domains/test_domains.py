"""What every system must be, whichever it is: one suite over `DOMAINS`. A system's own rules stand beside its own modules."""

import re
from datetime import datetime
from importlib import import_module
from math import isfinite

import dagster as dg
import pytest

from mlops_assets.definitions import defs
from mlops_assets.domain import Candidate, Domain, ForecastDomain, Hourly, Monthly, TabularDomain
from mlops_assets.domains import DOMAINS
from mlops_assets.hours import hour_of
from mlops_assets.ml.encode import feature_columns
from mlops_assets.ml.estimators import build_estimator
from mlops_assets.ml.forecast.methods import METHODS
from mlops_assets.ml.provenance import upstream_tag
from mlops_assets.ml.task import task_of
from mlops_assets.partitions import partitions_of

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
JSON_TYPES = {"string": str, "boolean": bool, "long": int, "double": float}
STAGES = {"enriched", "model", "registered_model", "champion"}
TABULAR_STAGES = {
    "enricher",
    "split_train",
    "split_test",
    "encoder",
    "encoded_train",
    "encoded_test",
    "scaler",
    "scaled_train",
    "scaled_test",
    "test_predictions",
    "evaluation",
    "split_comparison",
}
OPTIONAL_STAGES = {"outliers_removed", "balanced", "selected_features"}
FORECAST_STAGES = {"series", "candidate_metrics", "predictions", "model_metrics", "forecast_accuracy"}
TABULAR = [domain for domain in DOMAINS.values() if isinstance(domain, TabularDomain)]
FORECASTING = [domain for domain in DOMAINS.values() if isinstance(domain, ForecastDomain)]
CANDIDATES = [(domain, candidate) for domain in TABULAR for candidate in domain.candidates]

every_domain = pytest.mark.parametrize("domain", DOMAINS.values(), ids=list(DOMAINS))
tabular = pytest.mark.parametrize("domain", TABULAR, ids=[domain.name for domain in TABULAR])
forecasting = pytest.mark.parametrize("domain", FORECASTING, ids=[domain.name for domain in FORECASTING])
every_candidate = pytest.mark.parametrize(
    ("domain", "candidate"), CANDIDATES, ids=[f"{domain.name}-{candidate.name}" for domain, candidate in CANDIDATES]
)


def _assets(domain: Domain) -> list[dg.AssetKey]:
    return [key for key in defs.resolve_asset_graph().get_all_asset_keys() if key.path[0] == domain.name]


def _forecasting(domain: Domain) -> ForecastDomain:
    assert isinstance(domain, ForecastDomain), "a system is of one kind or the other"
    return domain


def _source_columns(domain: TabularDomain) -> list[str]:
    """Every enriched column that a feature is made from, once for each feature."""
    features = domain.features
    crossed = [column for columns in features.target for column in columns]
    return [
        *features.numeric,
        *features.log1p,
        *features.cyclic,
        *features.one_hot,
        *features.flags,
        *features.frequency,
        *crossed,
    ]


def test_the_registry_calls_every_domain_by_its_name() -> None:
    assert list(DOMAINS) == [domain.name for domain in DOMAINS.values()]
    assert {key.path[0] for key in defs.resolve_asset_graph().get_all_asset_keys()} == set(DOMAINS)


@every_domain
def test_names_follow_the_grammar(domain: Domain) -> None:
    assert NAME.fullmatch(domain.name)
    assert domain.title
    assert domain.description.endswith(".")
    for key in _assets(domain):
        assert all(NAME.fullmatch(part) for part in key.path)
    names = [item.name for item in (domain.candidates if isinstance(domain, TabularDomain) else _forecasting(domain).methods)]
    assert all(NAME.fullmatch(name) for name in names)
    assert len(set(names)) == len(names) > 0


@every_domain
def test_the_whole_lineage_is_there_from_raw_to_champion(domain: Domain) -> None:
    stages = {"/".join(key.path[1:]) for key in _assets(domain)}

    assert stages >= STAGES | (TABULAR_STAGES if isinstance(domain, TabularDomain) else FORECAST_STAGES)
    assert [stage for stage in stages if stage.startswith("raw_")]


@tabular
def test_optional_stages_are_there_where_something_needs_them(domain: TabularDomain) -> None:
    stages = {"/".join(key.path[1:]) for key in _assets(domain)}

    expected = {"outliers_removed"} if domain.outliers.columns else set()
    assert stages & OPTIONAL_STAGES == expected | ({"balanced", "selected_features"} if domain.resamples else set())


@every_domain
def test_jobs_and_sensor_are_there_and_a_schedule_where_time_makes_partitions(domain: Domain) -> None:
    repository = defs.get_repository_def()

    assert {f"{domain.name}_ingest", f"{domain.name}_training"} <= {job.name for job in repository.get_all_jobs()}
    assert (f"{domain.name}_forecast" in {job.name for job in repository.get_all_jobs()}) == isinstance(domain, ForecastDomain)
    assert f"{domain.name}_new_data_sensor" in {sensor.name for sensor in repository.sensor_defs}
    if isinstance(domain.cadence, Monthly | Hourly):
        schedule = repository.get_schedule_def(f"{domain.name}_schedule")
        assert (schedule.cron_schedule, schedule.execution_timezone) == (domain.cadence.schedule, "UTC")


@every_domain
def test_the_command_line_can_ask_what_to_ingest(domain: Domain) -> None:
    assert callable(import_module(f"mlops_assets.domains.{domain.name}.ingest").partitions_to_ingest)


@every_domain
def test_request_fields_are_distinct_described_and_exemplified(domain: Domain) -> None:
    names = [field.name for field in domain.request]

    assert len(set(names)) == len(names)
    assert any(field.required for field in domain.request)
    for field in domain.request:
        assert field.description.endswith("."), field.name
        assert type(field.example) is JSON_TYPES[field.type], field.name


@tabular
def test_the_answer_is_not_part_of_the_question(domain: TabularDomain) -> None:
    assert domain.target not in {field.name for field in domain.request}
    assert domain.target not in _source_columns(domain)
    assert domain.id_column not in _source_columns(domain)


@tabular
def test_a_client_can_send_some_features_as_they_are(domain: TabularDomain) -> None:
    assert {field.name for field in domain.request} & set(_source_columns(domain))


@tabular
def test_feature_columns_are_distinct_and_the_scaled_ones_among_them(domain: TabularDomain) -> None:
    columns = feature_columns(domain.features)

    assert len(set(columns)) == len(columns)
    assert set(domain.features.scaled) <= set(columns)
    assert {domain.target, domain.id_column}.isdisjoint(columns)
    assert all(period > 0 for period in domain.features.cyclic.values())
    assert all(len(set(categories)) == len(categories) > 1 for categories in domain.features.one_hot.values())


@tabular
def test_only_a_boolean_target_is_averaged(domain: TabularDomain) -> None:
    assert not (domain.classes and domain.features.target), "a mean of class codes means nothing"


@every_candidate
def test_candidates_use_encodings_that_give_columns(domain: TabularDomain, candidate: Candidate) -> None:
    assert candidate.description.endswith(".")
    for encoding in candidate.encodings:
        assert feature_columns(domain.features, (encoding,))
    if candidate.balance or candidate.select:
        assert candidate.encodings == ("plain",), "balanced rows and scores have plain columns only"


@every_candidate
def test_candidates_name_parameters_that_their_estimator_has(domain: TabularDomain, candidate: Candidate) -> None:
    known = set(build_estimator(candidate.estimator, {}, seed=0).get_params())  # type: ignore[attr-defined]

    assert set(candidate.params) | set(candidate.space) <= known
    build_estimator(candidate.estimator, candidate.params, seed=0)


@every_candidate
def test_candidates_search_from_inside_a_space_that_can_be_searched(domain: TabularDomain, candidate: Candidate) -> None:
    for name, limits in candidate.space.items():
        assert isfinite(limits.low), name
        assert limits.low < limits.high < float("inf"), name
        assert limits.low > 0 or not limits.log, name
        assert not limits.integer or (float(limits.low).is_integer() and float(limits.high).is_integer()), name
        if name in candidate.params:
            assert limits.low <= candidate.params[name] <= limits.high, name


@every_domain
def test_an_absolute_gate_holds_the_first_model(domain: Domain) -> None:
    limits = {**domain.gates.minimum, **domain.gates.maximum}

    assert limits, "without an absolute gate the first model, however bad, becomes champion"
    assert all(isfinite(limit) and limit > 0 for limit in limits.values())
    assert domain.gates.min_rows > 0


@tabular
def test_search_and_gates_know_their_metrics(domain: TabularDomain) -> None:
    assert {domain.search.metric, domain.gates.metric, *domain.gates.minimum} <= set(task_of(domain).metric_names)
    assert all(0 < minimum < 1 for minimum in domain.gates.minimum.values())
    assert (domain.gates.better, domain.gates.maximum) == ("more", {})
    assert domain.search.trials >= 0
    assert 0 < domain.search.validation_share < 1


@tabular
def test_split_outliers_balance_and_selection_can_work(domain: TabularDomain) -> None:
    assert 0 < domain.split.test_share < 1
    assert domain.outliers.deviations > 0
    assert {domain.target, domain.id_column}.isdisjoint(domain.outliers.columns)
    assert 0 < domain.balance.oversample <= domain.balance.undersample <= 1
    assert min(domain.balance.neighbours, domain.selection.neighbours) > 0


@tabular
def test_classes_count_from_zero(domain: TabularDomain) -> None:
    assert list(domain.classes) == list(range(len(domain.classes)))
    assert len(domain.classes) != 1


@every_domain
def test_tables_are_whole(domain: Domain) -> None:
    for table in domain.tables:
        columns = {column.name for column in table.columns}
        assert NAME.fullmatch(table.name)
        assert len(columns) == len(table.columns)
        assert {table.partition_column, *table.keys} <= columns
        assert bool(table.keys) == (table.mode in ("add", "merge"))
    assert domain.observations in ("", *(table.name for table in domain.tables))


@every_domain
def test_cadence_is_valid(domain: Domain) -> None:
    assert domain.cadence.training_interval_seconds >= 60
    if isinstance(domain.cadence, Monthly):
        assert datetime.strptime(domain.cadence.start, "%Y-%m")
        assert domain.cadence.window > 0
        assert domain.cadence.revision_interval_seconds >= 60
    elif isinstance(domain.cadence, Hourly):
        assert hour_of(domain.cadence.start)
        assert domain.cadence.window > 0
        assert domain.cadence.training_hours > 0
    else:
        assert domain.cadence.count > 0
        assert domain.cadence.interval_seconds > 0


@every_domain
def test_provenance_of_every_asset_can_be_registered(domain: Domain) -> None:
    for key in _assets(domain):
        assert upstream_tag(key.to_user_string(), partitions_of(domain.cadence).get_partition_keys()[0])


@every_domain
def test_training_and_promotion_stand_behind_blocking_checks(domain: Domain) -> None:
    graph = defs.resolve_asset_graph()
    learnt_from = dg.AssetKey([domain.name, "enriched" if isinstance(domain, TabularDomain) else "series"])

    assert [key for key in graph.asset_check_keys if key.asset_key == learnt_from and graph.get(key).blocking]
    assert {"challenger_beats_champion", "registered_model_reproduces_the_lineage"} <= {
        key.name for key in graph.asset_check_keys if key.asset_key.path == [domain.name, "registered_model"] and graph.get(key).blocking
    }


@forecasting
def test_a_forecaster_has_methods_from_the_best_to_the_one_that_needs_least(domain: ForecastDomain) -> None:
    assert {method.name for method in domain.methods} <= set(METHODS)
    needs = [METHODS[method.name].needs for method in domain.methods]
    assert needs[-1] == min(needs) == 1, "one reading must be enough for a forecast"
    assert all(method.description.endswith(".") for method in domain.methods)
    assert domain.gates.metric in ("mae", "mase")
    assert domain.gates.better == "less"


@forecasting
def test_a_forecaster_can_be_fitted_scored_and_published(domain: ForecastDomain) -> None:
    window = domain.cadence.window if isinstance(domain.cadence, Hourly) else 0
    columns = {column.name for column in domain.table(domain.observations).columns}

    assert {domain.id_column, domain.time_column, domain.target} <= columns
    assert {field.name for field in domain.request} == {domain.id_column, domain.time_column, domain.target}
    assert 0 < domain.horizon <= domain.max_horizon
    assert 0 < domain.coverage < 1
    assert 1 < domain.frozen_hours < domain.stuck_hours
    assert domain.backtest.cutoffs >= domain.backtest.min_cutoffs >= 4
    assert window >= domain.backtest.cutoffs * domain.backtest.step + domain.horizon
    for name in FORECAST_STAGES - {"series"}:
        assert domain.table(name).mode == "replace"
