"""Dashboards and alert rules: files are what the generator gives, fit Grafana's schema, and real warehouses answer their SQL."""

import inspect
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml

from deploy.grafana.alerts import alert_file, alerts
from deploy.grafana.files import FOLDER, SYSTEMS, dashboards, generated, write
from deploy.grafana.panels import Dashboard, Heading
from deploy.grafana.stores import BIGQUERY, POSTGRESQL, STORES, Query, Store
from mlops_assets.domain import ForecastDomain
from mlops_assets.domains.donostia_parking.spec import DONOSTIA_PARKING
from mlops_assets.ml.forecast.panel import frozen_since
from mlops_assets.serving import metrics
from mlops_assets.storage.warehouse import Warehouse
from mlops_assets_tests.deploy.conftest import Filled, ask
from mlops_assets_tests.deploy.grafana_macros import filled_in
from mlops_assets_tests.deploy.grafana_schema import problems
from mlops_assets_tests.deploy.small_rows import END, fill

DASHBOARDS = dashboards()
FIXED = {"series": DONOSTIA_PARKING.total}
MAY_BE_EMPTY = ("time", "challenger")
"""Columns of times, and of what a system without refused versions has none of."""
METRIC = re.compile(r"\bmlops_\w+")


def _panels(dashboard: Dashboard, store: Store) -> Iterator[dict[str, Any]]:
    yield from (panel for panel in dashboard.to_json(store)["panels"] if panel["type"] != "row")


def _sql_targets(store: Store) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of every panel and variable: where it stands, and what is asked."""
    for dashboard in DASHBOARDS:
        for panel in _panels(dashboard, store):
            for target in panel["targets"]:
                if "rawSql" in target:
                    yield f"{dashboard.name}: {panel['title']} {target['refId']}", target
        for variable in dashboard.to_json(store)["templating"]["list"]:
            if variable["type"] == "query":
                query = variable["query"]
                yield f"{dashboard.name}: ${variable['name']}", query if isinstance(query, dict) else {"rawSql": query, "format": "table"}


def test_checked_in_files_are_what_the_generator_gives(tmp_path: Path) -> None:
    stored = {path.relative_to(FOLDER).as_posix(): path.read_text() for path in FOLDER.glob("**/*.json")}

    assert stored == generated(), "run: python -m deploy.grafana"
    (tmp_path / "dashboards/postgresql").mkdir(parents=True)
    (tmp_path / "dashboards/postgresql/gone.json").write_text("{}")
    assert write(folder=tmp_path) == sorted(tmp_path.glob("**/*.json"))


def test_every_system_has_a_dashboard_for_each_warehouse_that_fits_grafanas_schema() -> None:
    found = {dashboard.name: [problems(dashboard.to_json(store)) for store in STORES] for dashboard in DASHBOARDS}

    assert found == {name: [[], []] for name in (*(domain.name for domain in SYSTEMS), "api_and_platform")}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda panel: panel.update(titel="x"), "titel is no field"),
        (lambda panel: panel["options"]["legend"].update(placement="left"), "placement"),
        (lambda panel: panel["fieldConfig"]["defaults"].update(unit=3), "unit"),
        (lambda panel: panel["gridPos"].update(w="12"), "w is '12'"),
    ],
)
def test_the_schema_check_finds_what_grafana_would_not_understand(change: Any, problem: str) -> None:
    dashboard = DASHBOARDS[-1].to_json(POSTGRESQL)
    change(next(panel for panel in dashboard["panels"] if panel["type"] == "timeseries"))

    assert problem in " ".join(problems(dashboard))


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.name)
def test_panels_fill_the_grid_without_overlap_and_have_unique_ids(store: Store) -> None:
    for dashboard in DASHBOARDS:
        cells: set[tuple[int, int]] = set()
        placed = dashboard.to_json(store)["panels"]
        for panel in placed:
            where = panel["gridPos"]
            taken = {(where["x"] + x, where["y"] + y) for x in range(where["w"]) for y in range(where["h"])}
            assert not cells & taken, panel["title"]
            assert max(x for x, _ in taken) < 24, panel["title"]
            cells |= taken
        assert len({panel["id"] for panel in placed}) == len(placed)
        assert all(item.description for item in dashboard.content if not isinstance(item, Heading))
        assert len(dashboard.uid(store)) <= 40


def test_every_query_returns_rows_from_postgresql(filled_postgresql: Filled) -> None:
    empty = []
    for where, target in _sql_targets(POSTGRESQL):
        rows = filled_postgresql.ask(filled_in(target, filled_postgresql.start, filled_postgresql.end, FIXED))
        values = {name: column for name, column in zip(rows.column_names, rows.columns, strict=True) if name not in MAY_BE_EMPTY}
        nulls = [name for name, column in values.items() if column.null_count == len(column)]
        if nulls or not rows.num_rows:
            empty.append(f"{where}: {nulls}: {rows.to_pylist()[:2]}")
        if target["format"] == "time_series":
            times = rows["time"].to_pylist()
            assert times == sorted(times), where

    assert empty == []


def test_panels_show_what_the_rows_say(small_postgresql: Filled) -> None:
    def shown(title: str, query: str = "A") -> list[dict[str, Any]]:
        targets = dict(_sql_targets(POSTGRESQL))
        target = targets[f"donostia_parking: {title} {query}"]
        return list(small_postgresql.ask(filled_in(target, small_postgresql.start, small_postgresql.end, FIXED)).to_pylist())

    assert shown("Champion") == [{"version": 2}]
    assert shown("Hours without a reading") == [{"missing": 2.0}]
    assert [(gap["last reading"], gap["next reading"], gap["missing"]) for gap in shown("Gaps")] == [
        (END - timedelta(hours=22), END - timedelta(hours=19), 2.0)
    ]
    stuck = {row["series"]: row["unchanged"] for row in shown("Stuck series")}
    assert stuck == {"Cataluña": 71.0, "Atotxa": 0.0, "Boulevard": 0.0, DONOSTIA_PARKING.total: 0.0}
    forecast = shown("Last forecast", "B")
    assert [row["time"] for row in forecast] == [END + timedelta(hours=hour) for hour in range(1, 25)]
    assert {(row["lower end"], row["upper end"]) for row in forecast} == {(90.0, 150.0)}
    assert [row["hours"] for row in shown("Error by horizon")] == [str(hour) for hour in range(1, 25)]
    assert [row["version"] for row in shown("Versions")] == [3, 2, 1]
    assert [(row["champion"], row["challenger"]) for row in shown("Champion history: mase")] == [(0.6, None), (0.7, None), (None, 0.8)]


def test_every_query_is_bigquerys() -> None:
    for where, target in _sql_targets(BIGQUERY):
        sql = filled_in(target, END, END, {**FIXED, "dataset": "tables"})
        tree = sqlglot.parse_one(sql, read="bigquery")
        defined = {cte.alias for cte in tree.find_all(sqlglot.exp.CTE)}
        assert {table.db for table in tree.find_all(sqlglot.exp.Table) if table.name not in defined} == {"tables"}, where
        assert not list(tree.find_all(sqlglot.exp.Command)), where
        unknown = {node.name for node in tree.find_all(sqlglot.exp.Anonymous)}
        assert unknown == set(), where


def test_every_query_returns_rows_from_bigquerys_emulator(filled_bigquery: str, bigquery_options: dict[str, Any]) -> None:
    from google.cloud import bigquery

    client = bigquery.Client(project="test", **bigquery_options)
    empty = []
    for where, target in _sql_targets(BIGQUERY):
        sql = filled_in(target, END - timedelta(days=7), END + timedelta(days=1), {**FIXED, "dataset": filled_bigquery})
        rows = client.query(sql).result().to_arrow(create_bqstorage_client=False)
        if not rows.num_rows or any(column.null_count == len(column) for column in rows.columns):
            empty.append(where)
    client.close()

    assert empty == []


def test_a_time_filter_survives_translation_and_tables_get_their_dataset() -> None:
    query = Query('WITH a AS (SELECT hour FROM t WHERE $__timeFilter("hour")) SELECT epoch(hour) AS seconds FROM a', "table")

    postgres, big = (" ".join(store.sql(query, "d").split()) for store in STORES)
    assert 'FROM t WHERE $__timeFilter("hour")' in postgres
    assert "FROM `d`.t WHERE $__timeFilter(`hour`)" in big
    assert "SELECT UNIX_SECONDS(hour) AS seconds FROM a" in big


def test_every_metric_that_panels_and_rules_ask_for_is_one_of_the_apis() -> None:
    declared = set(re.findall(r'"(mlops_\w+)"', inspect.getsource(metrics)))
    known = {f"{name}{ending}" for name in declared for ending in ("", "_total", "_bucket")} | {"mlops_api"}  # the scrape job's name
    sources = [json.dumps(dashboard.to_json(POSTGRESQL)) for dashboard in DASHBOARDS]
    expressions = [expr for text in sources for expr in re.findall(r'"expr": "((?:[^"\\]|\\.)*)"', text)]
    rules = yaml.safe_load((FOLDER.parent / "prometheus/rules/mlops_api.yml").read_text())
    expressions += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]

    assert len(expressions) > 20
    assert {name for expr in expressions for name in METRIC.findall(expr)} - known == set()


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.name)
def test_provisioning_leaves_addresses_and_credentials_to_the_environment(store: Store) -> None:
    folder = FOLDER / "provisioning" / store.name
    warehouse, prometheus = (
        yaml.safe_load((folder / f"datasources/{name}.yml").read_text())["datasources"][0] for name in ("warehouse", "prometheus")
    )
    (provider,) = yaml.safe_load((folder / "dashboards/mlops_assets.yml").read_text())["providers"]

    assert (warehouse["type"], warehouse["uid"], prometheus["uid"]) == (store.plugin, store.uid, "mlops-prometheus")
    assert provider["options"]["path"] == f"${{MLOPS_GRAFANA_FOLDER}}/dashboards/{store.name}"
    secrets = [
        *(warehouse[name] for name in ("url", "user") if name in warehouse),
        *(
            warehouse["jsonData"][name]
            for name in ("database", "sslmode", "defaultProject", "processingLocation")
            if name in warehouse["jsonData"]
        ),
        *warehouse.get("secureJsonData", {}).values(),
        prometheus["url"],
    ]
    assert all(re.fullmatch(r"(\$\{[A-Z_]+\}:?)+", value) for value in secrets), secrets
    readme = (FOLDER.parent / "README.md").read_text()
    named = {name for path in folder.glob("*/*.yml") for name in re.findall(r"\$\{([A-Z_]+)\}", path.read_text())}
    assert {name for name in named if f"`{name}`" not in readme} == set()


@pytest.mark.parametrize(
    ("ago", "frozen_for", "mase", "firing"),
    [
        (0, 0, 0.9, set()),
        (0, 4, 0.9, set()),
        (0, 5, 0.9, {"frozen"}),
        (1, 0, 0.9, set()),
        (2, 0, 0.9, {"silent"}),
        (0, 0, 2.5, {"inaccurate"}),
        (24 * 30, 0, 0.9, {"silent"}),
    ],
)
def test_alerts_fire_on_their_fault_only(postgresql_url: str, ago: int, frozen_for: int, mase: float, firing: set[str]) -> None:
    running = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    warehouse = Warehouse(postgresql_url)
    fill(warehouse, [DONOSTIA_PARKING], running - timedelta(hours=ago), frozen_for=frozen_for, mase=mase)

    rules = alert_file([DONOSTIA_PARKING], POSTGRESQL, "unused")["groups"][0]["rules"]
    fired = set()
    for rule, alert in zip(rules, alerts(DONOSTIA_PARKING), strict=True):
        question, condition = (item["model"] for item in rule["data"])
        rows = ask(postgresql_url, filled_in(question, running - timedelta(days=3), running + timedelta(hours=1), {}))
        values = [value for value in rows.columns[0].to_pylist() if value is not None]
        (threshold,) = condition["conditions"][0]["evaluator"]["params"]
        if values[0] > threshold if values else rule["noDataState"] == "Alerting":
            fired.add(alert.name)

    assert fired == firing
    history = warehouse.rows(DONOSTIA_PARKING.table(DONOSTIA_PARKING.observations)).to_pandas()
    columns = (DONOSTIA_PARKING.time_column, DONOSTIA_PARKING.id_column, DONOSTIA_PARKING.target)
    newest = history[DONOSTIA_PARKING.time_column].max().to_pydatetime()
    stands = frozen_since(history, last=newest, frozen_hours=DONOSTIA_PARKING.frozen_hours, columns=columns)
    assert (stands is not None) == ("frozen" in fired), "the pipeline and the alert do not agree"


def test_alert_rules_are_whole() -> None:
    for store in STORES:
        file = json.loads((FOLDER / f"provisioning/{store.name}/alerting/warehouse.json").read_text())
        rules = [rule for group in file["groups"] for rule in group["rules"]]
        assert [group["name"] for group in file["groups"]] == [domain.name for domain in SYSTEMS if isinstance(domain, ForecastDomain)]
        assert len({rule["uid"] for rule in rules}) == len(rules) == 3
        for rule in rules:
            question, condition = rule["data"]
            assert question["datasourceUid"] == store.uid
            assert rule["condition"] == condition["refId"] == "B"
            assert condition["model"]["expression"] == question["refId"] == "A"
            assert "${" not in question["model"]["rawSql"]
            assert len(rule["uid"]) <= 40
