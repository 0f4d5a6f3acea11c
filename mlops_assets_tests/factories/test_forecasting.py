"""The stages of a system that forecasts, on a small one: three shops' visitors, two weeks of hours in a warehouse of its own."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.domain import ForecastDomain, Hourly, Method
from mlops_assets.domains.donostia_parking.spec import DONOSTIA_PARKING
from mlops_assets.factories.automation import domain_job, new_hour_sensor
from mlops_assets.factories.due import due
from mlops_assets.factories.forecasting import forecast_assets, method_assets, method_checks, series_asset, series_check
from mlops_assets.factories.keys import table_asset
from mlops_assets.hours import HOUR, hour_key, hour_of
from mlops_assets.ml import registry
from mlops_assets.partitions import partitions_of
from mlops_assets.storage.partitioned import Partitioned
from mlops_assets.storage.table_io_manager import TableIOManager, table_metadata
from mlops_assets.storage.warehouse_resource import WarehouseResource

Failures = Callable[[dg.ExecuteInProcessResult], dict[str, str]]

LAST = "2026-02-14T23"
DAYS = 14
SHOPS = ("north", "south", "west")
NAIVE = Method("seasonal_naive_day", "The day before again.")
LAST_VALUE = Method("last_value", "The last value goes on.")


@pytest.fixture(scope="session")
def shops() -> ForecastDomain:
    """Visitors of three shops and of all of them."""
    cadence = Hourly(start="2026-01-01T00", window=DAYS * 24)
    return replace(DONOSTIA_PARKING, name="shops", title="Shops", cadence=cadence, methods=(NAIVE, LAST_VALUE))


def visitors(hours: list[datetime], domain: ForecastDomain, frozen_from: datetime | None = None) -> pd.DataFrame:
    """Rows of `hourly_parking`: a daily wave with a little noise, the same for the same hour."""
    rows = []
    for hour in hours:
        seen = min(hour, frozen_from) if frozen_from else hour
        noise = np.random.default_rng(int(seen.timestamp())).integers(0, 9, len(SHOPS))
        free = [int(60 + 20 * number + 40 * np.sin(seen.hour * np.pi / 12) + noise[number]) for number in range(len(SHOPS))]
        rows += [(hour, shop, shop, value, 200, 1, 1, 0) for shop, value in zip(SHOPS, free, strict=True)]
        rows.append((hour, None, domain.total, sum(free), 600, 1, len(SHOPS), 0))
    frame = pd.DataFrame(rows, columns=[column.name for column in domain.table(domain.observations).columns])
    return frame.astype({"parking_id": "string", "name": "string"})


class Shops:
    """Everything that the system stores, with runs of its jobs."""

    def __init__(self, workshop: Any, domain: ForecastDomain, warehouse: WarehouseResource) -> None:
        self.domain, self.workshop, self.warehouse = domain, workshop, warehouse
        workshop.resources |= {"warehouse": warehouse, "tables": TableIOManager(warehouse=warehouse)}
        self.series = [series_asset(domain), series_check(domain)]

    def open(self, first: str, last: str, frozen_from: datetime | None = None) -> dg.ExecuteInProcessResult:
        """Stores the hours as `enriched`."""
        table = self.domain.table(self.domain.observations)

        @table_asset(self.domain, "enriched", table, "Visitors.", backfill_policy=dg.BackfillPolicy.single_run())
        def enriched(context: dg.AssetExecutionContext) -> Any:
            return Partitioned(context.partition_keys, lambda key: visitors([hour_of(key)], self.domain, frozen_from))

        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        return dg.materialize([enriched], instance=self.workshop.instance, resources=self.workshop.resources, tags=tags)

    def train(self, hour: str) -> dg.ExecuteInProcessResult:
        """The comparison, up to the champion."""
        return self._run([*self.series, *method_assets(self.domain), *method_checks(self.domain)], hour)

    def forecast(self, hour: str) -> dg.ExecuteInProcessResult:
        """The champion's forecast."""
        return self._run([*self.series, *forecast_assets(self.domain)], hour)

    def rows(self, name: str) -> pd.DataFrame:
        """A table."""
        frame: pd.DataFrame = self.warehouse.warehouse.rows(self.domain.table(name)).to_pandas()
        return frame

    def champion(self) -> str | None:
        """The champion's version."""
        version = registry.by_alias(self.workshop.client, self.domain.model_name, registry.CHAMPION)
        return str(version.version) if version else None

    def stored(self) -> dg.AssetSpec:
        """`enriched` as an asset that is there already."""
        spec = dg.AssetSpec(["shops", "enriched"], metadata=table_metadata(self.domain.table(self.domain.observations)))
        return spec.with_io_manager_key("tables")._replace(partitions_def=partitions_of(self.domain.cadence))

    def _run(self, assets: list[Any], hour: str) -> dg.ExecuteInProcessResult:
        result: dg.ExecuteInProcessResult = self.workshop.materialize([*assets, self.stored()], hour)
        return result


@pytest.fixture
def open_shops(workshop: Any, shops: ForecastDomain, tmp_path: Any) -> Callable[..., Shops]:
    """Opens shops with some history."""

    def opened(first: str = "2026-02-01T00", last: str = LAST, **options: Any) -> Shops:
        found = Shops(workshop, shops, WarehouseResource(url=f"duckdb:///{tmp_path}/warehouse.duckdb"))
        assert found.open(first, last, **options).success
        return found

    return opened


def test_the_champion_forecasts_hours_that_lie_wholly_in_the_future_of_its_run(open_shops: Callable[..., Shops]) -> None:
    shops = open_shops()

    assert shops.train(LAST).success
    assert shops.forecast(LAST).success

    created_at = hour_of(LAST) + HOUR
    predictions = shops.rows("predictions")
    assert set(predictions["created_at"]) == {created_at}
    assert sorted(set(predictions["timestamp"])) == [created_at + ahead * HOUR for ahead in range(1, 25)]
    assert predictions.groupby(predictions["parking_id"].fillna("")).size().to_dict() == dict.fromkeys(["", *SHOPS], 24)
    assert set(predictions["model_version"]) == {shops.champion()} == {"1"}
    assert (predictions["yhat_lower"] <= predictions["yhat"]).all()
    assert (predictions["yhat"] <= predictions["yhat_upper"]).all()
    (metrics,) = shops.rows("model_metrics").to_dict("records")
    assert (metrics["run_at"], metrics["train_points"], metrics["method"]) == (created_at, DAYS * 24, "seasonal_naive_day")
    assert metrics["mae"] < 20
    candidates = shops.rows("candidate_metrics")
    assert candidates["points"].nunique() == candidates["cutoffs"].nunique() == 1, "all on the same hours"
    assert candidates.set_index("method")["is_winner"].to_dict() == {"seasonal_naive_day": True, "last_value": False}


def test_running_an_hour_again_changes_nothing(open_shops: Callable[..., Shops]) -> None:
    shops = open_shops()
    assert shops.train(LAST).success
    assert shops.forecast(LAST).success
    before = {name: shops.rows(name) for name in ("predictions", "model_metrics", "candidate_metrics", "forecast_accuracy")}

    assert shops.train(LAST).success
    assert shops.forecast(LAST).success

    for name, rows in before.items():
        pd.testing.assert_frame_equal(shops.rows(name), rows)
    assert len(registry.versions(shops.workshop.client, shops.domain.model_name)) == 1


def test_a_frozen_feed_stops_the_forecast_and_says_since_when(open_shops: Callable[..., Shops], failures: Failures) -> None:
    since = hour_of(LAST) - 8 * HOUR
    shops = open_shops(frozen_from=since)

    result = shops.forecast(LAST)

    (check,) = [item for item in result.get_asset_check_evaluations() if item.check_name == "feed_is_not_frozen"]
    assert not result.success
    assert not check.passed
    assert f"{since:%Y-%m-%d %H:%M} UTC" in str(check.description)
    assert not shops.warehouse.warehouse.exists(shops.domain.table("predictions"))
    found = due(shops.domain, shops.warehouse, shops.workshop.lake, hour_of(LAST) + HOUR)
    assert found is not None
    assert (found.frozen_since, found.training, found.forecast) == (since, False, False)


def test_what_was_forecast_is_scored_once_it_has_come(open_shops: Callable[..., Shops]) -> None:
    shops = open_shops()
    assert shops.train(LAST).success
    assert shops.forecast(LAST).success
    then = hour_key(hour_of(LAST) + 3 * HOUR)
    assert shops.open(hour_key(hour_of(LAST) + HOUR), then).success

    assert shops.forecast(then).success

    scored = shops.rows("forecast_accuracy")
    assert set(scored["timestamp"]) == {hour_of(then)}
    assert set(scored["horizon"]) == {2}
    assert len(scored) == len(SHOPS) + 1
    came = visitors([hour_of(then)], shops.domain)
    assert dict(zip(scored["parking_id"].fillna(""), scored["actual"], strict=True)) == dict(
        zip(came["parking_id"].fillna(""), came["free"], strict=True)
    )
    assert np.allclose(scored["absolute_error"], (scored["yhat"] - scored["actual"]).abs())
    assert scored["is_within"].tolist() == scored["actual"].between(scored["yhat_lower"], scored["yhat_upper"]).tolist()


def test_a_challenger_that_is_not_better_leaves_the_champion_forecasting(open_shops: Callable[..., Shops]) -> None:
    shops = open_shops()
    assert shops.train(LAST).success
    worse = Shops(shops.workshop, replace(shops.domain, methods=(LAST_VALUE,)), shops.warehouse)

    result = worse.train(LAST)

    (verdict,) = [item for item in result.get_asset_check_evaluations() if item.check_name == "challenger_beats_champion"]
    assert not verdict.passed
    assert "mase" in str(verdict.description)
    assert shops.champion() == "1"
    assert shops.forecast(LAST).success
    assert shops.rows("model_metrics")["method"].tolist() == ["seasonal_naive_day"]


def test_one_reading_is_enough_for_a_forecast_that_says_what_it_is(open_shops: Callable[..., Shops]) -> None:
    shops = open_shops(first=LAST)

    assert shops.train(LAST).success
    assert shops.forecast(LAST).success

    (metrics,) = shops.rows("model_metrics").to_dict("records")
    assert metrics["train_points"] == 1
    assert np.isnan(metrics["mae"])
    assert "last_value" in metrics["model_desc"]
    total = shops.rows("predictions")[lambda rows: rows["parking_id"].isna()]
    assert set(total["yhat"]) == {float(visitors([hour_of(LAST)], shops.domain)["free"].iloc[-1])}


def test_the_hour_that_is_running_is_not_forecast_from(open_shops: Callable[..., Shops], failures: Failures) -> None:
    running = hour_key(datetime.now(UTC))
    shops = open_shops(first=running, last=running)

    result = shops.forecast(running)

    assert "has not ended" in str(failures(result))
    assert due(shops.domain, shops.warehouse, shops.workshop.lake, datetime.now(UTC)) is None


def test_due_is_what_an_hour_lacks(open_shops: Callable[..., Shops]) -> None:
    shops, now = open_shops(), hour_of(LAST) + timedelta(minutes=61)

    def asked(moment: datetime = now) -> tuple[str, bool, bool] | None:
        found = due(shops.domain, shops.warehouse, shops.workshop.lake, moment)
        return (found.hour, found.training, found.forecast) if found else None

    assert asked() == (LAST, True, True)
    assert shops.train(LAST).success
    assert asked() == (LAST, False, True)
    assert shops.forecast(LAST).success
    assert asked() == (LAST, False, False)
    later = hour_key(hour_of(LAST) + HOUR)
    assert shops.open(later, later).success
    assert asked() == (LAST, False, False), "the next hour has not ended"
    assert asked(now + HOUR) == (later, False, True)
    assert asked(now + timedelta(days=3)) is None


def test_a_series_that_has_expired_makes_nothing_due_and_comes_back_with_its_hour(open_shops: Callable[..., Shops]) -> None:
    shops, later = open_shops(), hour_key(hour_of(LAST) + HOUR)
    assert shops.train(LAST).success
    assert shops.forecast(LAST).success
    assert shops.open(later, later).success
    tables = {name: shops.rows(name) for name in ("predictions", "model_metrics", "forecast_accuracy")}

    shops.workshop.lake.lake.delete(f"shops/series/{LAST}.parquet")

    found = due(shops.domain, shops.warehouse, shops.workshop.lake, hour_of(later) + timedelta(minutes=61))
    assert found is not None
    assert (found.hour, found.training, found.forecast) == (later, False, True)
    assert shops.forecast(LAST).success
    for name, rows in tables.items():
        pd.testing.assert_frame_equal(shops.rows(name), rows)
    assert shops.workshop.lake.partitions("shops/series") == [LAST]


def _sensor(shops: Shops) -> tuple[dg.SensorDefinition, dg.RepositoryDefinition]:
    domain = shops.domain
    series = [series_asset(domain), series_check(domain)]
    training = domain_job(domain, "training", [series[0], *method_assets(domain)], "a champion.")
    forecast = domain_job(domain, "forecast", [series[0], *forecast_assets(domain)], "a forecast.")
    sensor = new_hour_sensor(domain, training, forecast)
    assets = [series[0], *method_assets(domain), *forecast_assets(domain), shops.stored()]
    defs = dg.Definitions(assets=assets, jobs=[training, forecast], sensors=[sensor], resources=shops.workshop.resources)
    return sensor, defs.get_repository_def()


def _tick(shops: Shops, repository: dg.RepositoryDefinition, cursor: str | None = None) -> dg.SensorEvaluationContext:
    resources = {"warehouse": shops.warehouse, "lake": shops.workshop.lake}
    return dg.build_sensor_context(instance=shops.workshop.instance, repository_def=repository, cursor=cursor, resources=resources)


def test_the_sensor_asks_for_a_training_first_and_for_the_forecast_once_there_is_a_champion(open_shops: Callable[..., Shops]) -> None:
    hour = hour_key(datetime.now(UTC) - HOUR)
    shops = open_shops(first=hour_key(hour_of(hour) - 9 * 24 * HOUR), last=hour)
    sensor, repository = _sensor(shops)

    def asked() -> set[tuple[str | None, str | None]]:
        context = _tick(shops, repository)
        requests = sensor.evaluate_tick(context).run_requests or []
        assert all("max_retries" in " ".join(request.tags) for request in requests)
        return {(request.job_name, request.partition_key) for request in requests}

    assert asked() == {("shops_training", hour)}
    assert shops.train(hour).success
    assert asked() == {("shops_forecast", hour)}
    assert shops.forecast(hour).success
    assert asked() == set()


def test_a_frozen_feed_is_told_to_the_webhook_once(open_shops: Callable[..., Shops], webhook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hour = hour_key(datetime.now(UTC) - HOUR)
    shops = open_shops(first=hour_key(hour_of(hour) - 24 * HOUR), last=hour, frozen_from=hour_of(hour) - 9 * HOUR)
    sensor, repository = _sensor(shops)
    monkeypatch.setenv("MLOPS_ALERT_WEBHOOK_URL", webhook.url)
    cursor = None

    for _ in range(3):
        context = _tick(shops, repository, cursor)
        tick = sensor.evaluate_tick(context)
        cursor = tick.cursor
        assert "no series has moved since" in str(tick.skip_message)
        assert not tick.run_requests

    (message,) = webhook.messages
    assert message["frozen_since"] == f"{hour_of(hour) - 9 * HOUR:%Y-%m-%d %H:%M} UTC"
