"""The tables that Grafana reads beside the systems' own: what the registry and the stores hold of every system. Declarations only."""

from collections.abc import Iterable

from mlops_assets.domain import Column, Domain, Table

MODEL_VERSIONS = Table(
    name="model_versions",
    description="Every registered version of every system, as the registry has it: a row for each metric, one without where there is none.",
    columns=(
        Column("system", "string", "The system."),
        Column("model", "string", "The registered model's name."),
        Column("version", "long", "Its version."),
        Column("registered_at", "timestamp", "When it was registered."),
        Column("partition", "string", "The partition that it was trained for."),
        Column("candidate", "string", "The candidate or method that it is."),
        Column("aliases", "string", "The aliases that it has, by comma."),
        Column("is_champion", "boolean", "Whether it is the champion."),
        Column("is_challenger", "boolean", "Whether it is the challenger."),
        Column("was_champion", "boolean", "Whether it is or ever was the champion."),
        Column("metric", "string", "The metric."),
        Column("value", "double", "Its value on the rows that judged the version when it was registered."),
        Column("is_gate", "boolean", "Whether the metric decides about promotion."),
        Column("run_id", "string", "The MLflow run that logged the model."),
    ),
    partition_column="system",
    mode="replace",
)
PARTITION_ROWS = Table(
    name="partition_rows",
    description="How many rows the newest partitions of the raw, rejected and enriched stages hold, in the lake or in the warehouse.",
    columns=(
        Column("system", "string", "The system."),
        Column("stage", "string", "The stage."),
        Column("partition", "string", "The partition key."),
        Column("starts_at", "timestamp", "The partition's first moment; null where partitions are no spans of time."),
        Column("row_count", "long", "Its rows."),
    ),
    partition_column="system",
    mode="replace",
)


def monitored_tables(domains: Iterable[Domain]) -> tuple[Table, ...]:
    """Every table that Grafana may read: those of all systems, and the two of this module."""
    return (*(table for domain in domains for table in domain.tables), MODEL_VERSIONS, PARTITION_ROWS)
