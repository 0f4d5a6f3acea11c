"""The two warehouses that Grafana reads: how their SQL is written from one source, and how a query is asked of their plugins."""

from dataclasses import dataclass
from typing import Any, Literal

MACRO = "$__timeFilter("
STAND_IN = "GRAFANA_TIME_FILTER("
"""Grafana's macro as a function that passes through any dialect."""
DATASET = "${dataset:raw}"
"""The variable of BigQuery's dashboards; its plugin knows no default dataset."""
WAREHOUSE = "${warehouse}"
"""The variable that chooses the data source, so that the dashboards fit any Grafana."""

Shape = Literal["time_series", "table"]


@dataclass(frozen=True, slots=True)
class Query:
    """One SELECT in DuckDB's dialect, times filtered by `$__timeFilter("column")`.

    As a `time_series` it is sorted by its column `time`; a text column names the series.
    """

    sql: str
    shape: Shape = "time_series"


@dataclass(frozen=True, slots=True)
class Store:
    """A warehouse as Grafana's plugin `plugin` reads it."""

    name: str
    title: str
    plugin: str
    dialect: Literal["postgres", "bigquery"]
    uid: str
    """Of the provisioned data source."""

    def sql(self, query: Query, dataset: str = DATASET) -> str:
        """The query in the store's dialect, Grafana's macros as they were. BigQuery's tables are those of `dataset`."""
        import sqlglot
        from sqlglot import exp

        tree = sqlglot.parse_one(query.sql.replace(MACRO, STAND_IN), read="duckdb")
        if self.dialect == "bigquery":
            defined = {cte.alias for cte in tree.find_all(exp.CTE)}
            for table in tree.find_all(exp.Table):
                if table.name not in defined:
                    table.set("db", exp.to_identifier(dataset, quoted=True))
            for seconds in list(tree.find_all(exp.TimeToUnix)):  # which sqlglot writes as a function that BigQuery does not have
                seconds.replace(exp.Anonymous(this="UNIX_SECONDS", expressions=[seconds.this]))
        return tree.sql(self.dialect, pretty=True).replace(STAND_IN, MACRO)

    def target(self, query: Query, ref_id: str) -> dict[str, Any]:
        """The query as a panel's target."""
        return {
            "refId": ref_id,
            "datasource": {"type": self.plugin, "uid": WAREHOUSE},
            "editorMode": "code",
            "rawQuery": True,
            "rawSql": self.sql(query),
            "format": self._format(query.shape),
        }

    def alert_model(self, query: Query, dataset: str) -> dict[str, Any]:
        """The query in an alert rule, where no variables are filled in."""
        model = {"refId": "A", "editorMode": "code", "rawQuery": True, "rawSql": self.sql(query, dataset)}
        return {**model, "format": self._format(query.shape)}

    def variable_query(self, query: Query) -> dict[str, Any] | str:
        """The query of a variable's values."""
        if self.dialect == "postgres":
            return self.sql(query)
        return {"refId": "values", "editorMode": "code", "rawQuery": True, "rawSql": self.sql(query), "format": self._format("table")}

    def _format(self, shape: Shape) -> str | int:
        return shape if self.dialect == "postgres" else int(shape == "table")


POSTGRESQL = Store("postgresql", "PostgreSQL", "grafana-postgresql-datasource", "postgres", "mlops-postgresql")
BIGQUERY = Store("bigquery", "BigQuery", "grafana-bigquery-datasource", "bigquery", "mlops-bigquery")
STORES = (POSTGRESQL, BIGQUERY)
