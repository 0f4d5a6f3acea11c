"""What every engine promises: modes, exact types, whole transactions, evolution, queries. One suite, the same answers everywhere."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from mlops_assets.domain import Column, Table, WriteMode
from mlops_assets.storage.warehouse import Transaction, Warehouse, WarehouseError, Written, arrow_schema

ALL_TYPES: dict[str, list[Any]] = {
    "id": ["a", 'it\'s \\ "ü"\n;--', "z"],
    "batch": [-(2**63), 2**63 - 1, None],
    "ratio": [0.1, -1.5e300, None],
    "flag": [True, False, None],
    "day": [date(1600, 1, 1), date(9999, 12, 31), None],
    "seen_at": [datetime(1900, 1, 1, tzinfo=UTC), datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC), None],
    "price": [Decimal("-99999999.99"), Decimal("0.10"), None],
}
"""The ends of each type's range, awkward text, and nulls; ordered by id."""


def rows_of(*ids: str, batch: int = 1, **values: Any) -> pa.Table:
    return pa.table({"id": pa.array(ids, pa.string()), "batch": [batch] * len(ids), **{k: [v] * len(ids) for k, v in values.items()}})


def content(warehouse: Warehouse, table: Table, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in warehouse.rows(table).to_pylist()]


def mode(table: Table, name: WriteMode) -> Table:
    return replace(table, mode=name)


def test_every_type_comes_back_exactly(warehouse: Warehouse, observations: Table) -> None:
    data = pa.table(ALL_TYPES, schema=arrow_schema(observations))

    assert warehouse.write(observations, data) == Written(inserted=3)

    stored = warehouse.rows(observations)
    assert stored.schema == arrow_schema(observations)
    assert stored.to_pydict() == ALL_TYPES
    assert warehouse.query("SELECT * FROM observations ORDER BY id", arrow_schema(observations)).to_pydict() == ALL_TYPES


def test_add_keeps_the_first_of_each_key(warehouse: Warehouse, observations: Table) -> None:
    added = mode(observations, "add")
    assert warehouse.write(added, rows_of("a", "b", ratio=1.0), partition="1") == Written(inserted=2)

    twice = pa.concat_tables([rows_of("b", "c", batch=2, ratio=2.0), rows_of("c", batch=2, ratio=3.0)])

    assert warehouse.write(added, twice, partition="02") == Written(inserted=1)
    assert content(warehouse, added, "id", "batch", "ratio") == [("a", 1, 1.0), ("b", 1, 1.0), ("c", 2, 2.0)]


def test_merge_keeps_the_last_of_each_key_and_changes_only_what_differs(warehouse: Warehouse, observations: Table) -> None:
    warehouse.write(observations, rows_of("a", "b", "c", ratio=1.0))
    new = pa.concat_tables([rows_of("a", "b", ratio=2.0), rows_of("b", "c", "d", ratio=1.0)])

    assert warehouse.write(observations, new) == Written(inserted=1, updated=1)
    assert content(warehouse, observations, "id", "ratio") == [("a", 2.0), ("b", 1.0), ("c", 1.0), ("d", 1.0)]
    assert warehouse.write(observations, rows_of("a")) == Written(updated=1)
    assert content(warehouse, observations, "id", "ratio")[0] == ("a", None)


def test_replace_swaps_one_partition(warehouse: Warehouse, observations: Table) -> None:
    table = replace(observations, mode="replace", keys=())
    warehouse.write(table, rows_of("a", "a", batch=1), partition="1")
    warehouse.write(table, rows_of("b", batch=2), partition="2")

    assert warehouse.write(table, rows_of("c", "d", "d", batch=1), partition="01") == Written(inserted=3, deleted=2)
    assert content(warehouse, table, "id") == [("b",), ("c",), ("d",), ("d",)]
    assert warehouse.write(table, rows_of("d", "c", "d", batch=1), partition="1") == Written()
    assert warehouse.write(table, rows_of(batch=1), partition="1") == Written(deleted=3)
    assert content(warehouse, table, "id") == [("b",)]


def test_append_repeats(warehouse: Warehouse, observations: Table) -> None:
    table = mode(observations, "append")
    assert [warehouse.write(table, rows_of("a", "a")).inserted for _ in range(2)] == [2, 2]
    assert warehouse.rows(table).num_rows == 4


@pytest.mark.parametrize("name", ["add", "merge", "replace"])
def test_same_rows_again_change_nothing(warehouse: Warehouse, observations: Table, name: WriteMode) -> None:
    table = mode(observations, name)
    rows = rows_of("b", "a", ratio=0.1, price=Decimal("1.20"), day=date(2024, 1, 1), flag=True)
    warehouse.write(table, rows, partition="1")
    before = warehouse.rows(table)

    assert warehouse.write(table, rows, partition="1") == Written()
    assert warehouse.rows(table).equals(before)


def test_rows_of_a_partition_by_every_type_of_partition_column(warehouse: Warehouse, observations: Table) -> None:
    warehouse.write(observations, pa.table({"id": ["b", "a"], "batch": [3, 3], "day": [date(2024, 1, 1)] * 2}))
    hour = datetime(2024, 1, 1, 5, tzinfo=UTC)
    warehouse.write(observations, pa.table({"id": ["c"], "batch": [4], "seen_at": [hour]}))

    def ids(column: str, key: str) -> list[str]:
        return warehouse.rows(replace(observations, partition_column=column), key)["id"].to_pylist()

    assert ids("batch", "03") == ["a", "b"]
    assert ids("day", "2024-01-01") == ["a", "b"]
    assert ids("seen_at", "2024-01-01T05") == ids("seen_at", "2024-01-01T05:00") == ids("seen_at", "2024-01-01T06:00+01:00") == ["c"]
    assert ids("id", "a") == ["a"]
    with pytest.raises(ValueError, match=r"observations: partition '2024-01' is no long, as column batch is"):
        ids("batch", "2024-01")


def hourly(table: Table, **changes: Any) -> Table:
    """The same columns, replaced by the hour of `seen_at`."""
    return replace(table, mode="replace", keys=(), partition_column="seen_at", **changes)


def hour(number: int, **values: Any) -> pa.Table:
    """One row of an hour of 2024-02-29 and the next day."""
    return pa.table({"id": [f"{number:02}"], "seen_at": [datetime(2024, 2, 29, tzinfo=UTC) + timedelta(hours=number)], **values})


def test_partition_of_a_run_hour_is_stored_under_the_hour_after_it(warehouse: Warehouse, observations: Table) -> None:
    table = hourly(observations, partition_offset_hours=1)

    assert warehouse.write(table, hour(9), partition="2024-02-29T08") == Written(inserted=1)
    with pytest.raises(ValueError, match=r"observations\.seen_at is .* in 1 of 1 rows of partition 2024-02-29T08"):
        warehouse.write(table, hour(8), partition="2024-02-29T08")

    assert [warehouse.rows(table, f"2024-02-29T{number:02}").num_rows for number in (7, 8, 9)] == [0, 1, 0]
    assert warehouse.rows_between(table, "2024-02-29T08", "2024-02-29T08").num_rows == 1


def test_several_partitions_are_replaced_at_once(warehouse: Warehouse, observations: Table) -> None:
    table = hourly(observations)
    keys = [f"2024-02-29T{number:02}" for number in range(20, 24)]
    first = {key: hour(number) for key, number in zip(keys, range(20, 24), strict=True)}
    warehouse.transact([table], lambda transaction: transaction.write_partitions(table, first))

    second = {
        keys[0]: hour(20),
        keys[1]: pa.concat_tables([hour(21, ratio=[2.0]), hour(21, ratio=[1.0])]),
        keys[2]: hour(22).slice(0, 0),
        "2024-03-01T00": hour(24),
    }
    written = warehouse.transact([table], lambda transaction: transaction.write_partitions(table, second))

    assert {key: changes for key, (changes, _) in written.items()} == {
        keys[0]: Written(),
        keys[1]: Written(inserted=2, deleted=1),
        keys[2]: Written(deleted=1),
        "2024-03-01T00": Written(inserted=1),
    }
    assert [rows["ratio"].to_pylist() for _, rows in written.values()] == [[None], [1.0, 2.0], [], [None]]
    assert content(warehouse, table, "id", "ratio") == [("20", None), ("21", 1.0), ("21", 2.0), ("23", None), ("24", None)]


def test_any_number_of_partitions_is_asked_for_at_once(warehouse: Warehouse, observations: Table) -> None:
    warehouse.write(observations, pa.table({"id": ["a", "b", "c"], "batch": [3, 3, 250]}))

    with warehouse.read() as reader:
        found = reader.partitions(observations, [str(number) for number in range(200, 0, -1)])
        assert reader.partitions(observations, []) == {}

    assert len(found) == 200
    assert {key: rows["id"].to_pylist() for key, rows in found.items() if rows.num_rows} == {"3": ["a", "b"]}


def test_range_of_partitions_is_read_in_order_with_both_its_ends(warehouse: Warehouse, observations: Table) -> None:
    table = hourly(observations)
    assert warehouse.rows_between(table, "2024-02-29T00", "2024-03-01T00").schema == arrow_schema(table)
    for number in (25, 24, 3, 23):
        key = f"2024-03-01T0{number - 24}" if number > 23 else f"2024-02-29T{number:02}"
        warehouse.write(table, hour(number), partition=key)

    assert warehouse.rows_between(table, "2024-02-29T04", "2024-03-01T00")["id"].to_pylist() == ["23", "24"]
    with pytest.raises(ValueError, match="id is text, which has no order"):
        warehouse.rows_between(replace(table, partition_column="id"), "a", "b")


def test_day_of_another_column_is_the_partitions_own(warehouse: Warehouse, observations: Table) -> None:
    columns = (*observations.columns, Column("hour", "timestamp", ""))
    for day_column in ("seen_at", "day"):
        table = replace(hourly(observations), name=f"by_{day_column}", columns=columns, partition_column="hour", day_column=day_column)

        def reading(minute: int, day: int = 29, table: Table = table) -> Written:
            seen_at, at = datetime(2024, 2, day, 23, minute, tzinfo=UTC), datetime(2024, 2, 29, 23, tzinfo=UTC)
            rows = pa.table({"id": [str(minute)], "hour": [at], "seen_at": [seen_at], "day": [seen_at.date()]})
            return warehouse.write(table, rows, partition="2024-02-29T23")

        reading(50)
        assert reading(59) == Written(inserted=1, deleted=1)
        assert warehouse.rows(table, "2024-02-29T23")["id"].to_pylist() == ["59"]
        assert warehouse.rows_between(table, "2024-02-29T00", "2024-03-01T00").num_rows == 1
        with pytest.raises(ValueError, match=rf"by_{day_column}\.{day_column} is .* in 1 of 1 rows: it is not of the day of hour"):
            reading(59, day=28)


def test_null_that_stands_for_the_whole_is_a_value_like_any_other_where_there_are_no_keys(
    warehouse: Warehouse, observations: Table
) -> None:
    table = replace(observations, mode="replace", keys=())
    rows = pa.table({"id": ["a", None, "b"], "batch": [1, 1, 1], "ratio": [1.0, 3.0, 2.0]})

    assert warehouse.write(table, rows, partition="1") == Written(inserted=3)
    assert warehouse.write(table, rows.take([1, 0, 2]), partition="1") == Written()
    assert warehouse.rows(table, "1")["id"].to_pylist() == ["a", "b", None]
    assert warehouse.query("SELECT ratio FROM observations WHERE id IS NULL").to_pylist() == [{"ratio": 3.0}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"day_column": "id"}, "'id' has no day"),
        ({"day_column": "other"}, "'other' has no day"),
        ({"partition_offset_hours": 1}, "'batch' is no timestamp"),
    ],
)
def test_declared_times_are_checked(warehouse: Warehouse, observations: Table, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        warehouse.write(replace(observations, **changes), rows_of("a"))


def test_new_columns_are_added_and_missing_ones_are_null(warehouse: Warehouse, observations: Table) -> None:
    small = replace(observations, columns=observations.columns[:3])
    warehouse.write(small, rows_of("a", ratio=1.0))
    grown = replace(small, columns=(*small.columns, Column("price", "decimal", "")))

    assert content(warehouse, grown, "id", "price") == [("a", None)]
    warehouse.write(grown, rows_of("b", price=Decimal("2.50")))
    warehouse.write(small, rows_of("c"))

    assert content(warehouse, grown, "id", "ratio", "price") == [("a", 1.0, None), ("b", None, Decimal("2.50")), ("c", None, None)]


def test_type_of_a_column_does_not_change(warehouse: Warehouse, observations: Table) -> None:
    warehouse.write(observations, rows_of("a", ratio=1.0))
    columns = tuple(replace(column, type="string") if column.name == "ratio" else column for column in observations.columns)
    stored = {"duckdb": "DOUBLE", "postgresql": "double precision", "bigquery": "FLOAT64"}

    with pytest.raises(ValueError, match=r"observations\.ratio is declared as string, but stored as (\w+ ?\w+)\. .* new name") as error:
        warehouse.write(replace(observations, columns=columns), rows_of("b", ratio="much"))

    assert any(name in str(error.value) for name in stored.values())
    assert content(warehouse, observations, "id") == [("a",)]


UTC_PLUS_2 = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("ratio", "0.5", r"observations\.ratio is a double, not string, such as '0\.5'"),
        ("flag", 1, r"observations\.flag is a boolean, not int64, such as 1"),
        ("batch", 1.5, r"observations\.batch cannot hold a value as int64: .*1\.5"),
        ("price", 1.005, r"observations\.price has two digits after the point, 1\.005 has more"),
        ("price", Decimal("123456789.00"), r"observations\.price cannot hold a value as decimal128\(10, 2\)"),
        ("seen_at", datetime(2024, 1, 1), r"observations\.seen_at is a timestamp, not timestamp\[us\] without a time zone"),
        ("day", datetime(2024, 1, 1, tzinfo=UTC_PLUS_2), r"observations\.day is a date, not timestamp"),
        ("altitude", 1.0, r"table observations has no column altitude"),
        ("id", None, r"observations\.id is a key and null in 1 of 1 rows"),
    ],
)
def test_value_that_does_not_fit_is_named_and_nothing_is_stored(
    warehouse: Warehouse, observations: Table, column: str, value: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        warehouse.write(observations, pa.table({"id": ["a"], **{column: [value]}}))

    assert warehouse.rows(observations).num_rows == 0


def test_rows_of_another_partition_are_refused(warehouse: Warehouse, observations: Table) -> None:
    with pytest.raises(ValueError, match=r"observations\.batch is 2 in 1 of 2 rows of partition 01"):
        warehouse.write(observations, pa.concat_tables([rows_of("a"), rows_of("b", batch=2)]), partition="01")
    with pytest.raises(ValueError, match="replaced by partition: say which"):
        warehouse.write(mode(observations, "replace"), rows_of("a"))


def test_transaction_is_stored_whole_or_not_at_all(warehouse: Warehouse, observations: Table) -> None:
    other = replace(observations, name="others")

    def both(transaction: Transaction) -> int:
        transaction.write(observations, rows_of("a", "b"))
        seen = transaction.rows(observations).num_rows
        transaction.write(other, rows_of(*(f"{number} rows" for number in [seen])))
        return seen

    def failing(transaction: Transaction) -> None:
        both(transaction)
        transaction.write(other, rows_of("c", ratio="text"))

    assert warehouse.transact([observations, other], both) == 2
    before = content(warehouse, observations, "id"), content(warehouse, other, "id")
    assert before == ([("a",), ("b",)], [("2 rows",)])
    warehouse.write(observations, rows_of("e"))
    with pytest.raises(ValueError, match="others.ratio"):
        warehouse.transact([observations, other], failing)
    with pytest.raises(ValueError, match="table others is none of the transaction's tables: observations"):
        warehouse.transact([observations], both)

    assert (content(warehouse, observations, "id"), content(warehouse, other, "id")) == ([("a",), ("b",), ("e",)], before[1])


def test_reading_before_anything_is_written(warehouse: Warehouse, observations: Table) -> None:
    assert not warehouse.exists(observations)
    assert warehouse.rows(observations).schema == arrow_schema(observations)
    assert warehouse.query("SELECT count(*) AS n FROM observations AS o WHERE o.ratio > :least", least=0.5).to_pylist() == [{"n": 0}]

    warehouse.write(observations, rows_of())

    assert warehouse.exists(observations)
    assert warehouse.rows(observations).num_rows == 0


def test_query_binds_values_and_gives_usual_or_asked_for_types(warehouse: Warehouse, observations: Table) -> None:
    warehouse.write(observations, pa.table(ALL_TYPES, schema=arrow_schema(observations)))

    for name, values in ALL_TYPES.items():
        sql = f"SELECT id FROM observations WHERE {name} = :value AND :value = {name}"  # noqa: S608  # declared names
        found = warehouse.query(sql, value=values[1])
        assert found.to_pylist() == [{"id": ALL_TYPES["id"][1]}], name
    injection = "' OR TRUE --"
    assert warehouse.query("SELECT id FROM observations WHERE id = :id", id=injection).num_rows == 0

    totals = "SELECT sum(price) AS total, count(*) FILTER (WHERE flag) AS flags, max(seen_at) AS newest FROM observations"
    usual = warehouse.query(totals)
    assert usual.schema.types == [pa.float64(), pa.int64(), pa.timestamp("us", "UTC")]
    assert usual.to_pylist() == [{"total": -99999999.89, "flags": 1, "newest": ALL_TYPES["seen_at"][1]}]
    schema = pa.schema([("flags", pa.int64()), ("total", pa.decimal128(10, 2))])
    assert warehouse.query(totals, schema).to_pylist() == [{"flags": 1, "total": Decimal("-99999999.89")}]
    with pytest.raises(ValueError, match="gives no column mean; it gives total, flags, newest"):
        warehouse.query(totals, pa.schema([("mean", pa.float64())]))


def test_query_of_a_known_table_only(warehouse: Warehouse, observations: Table) -> None:
    warehouse.write(observations, rows_of("a"))

    named = "WITH named AS (SELECT id FROM observations) SELECT count(*) AS n FROM named JOIN observations USING (id)"
    assert warehouse.query(named).to_pylist() == [{"n": 1}]
    for sql in ("SELECT * FROM other", "SELECT * FROM information_schema.tables", "SELECT * FROM read_csv('/etc/passwd')"):
        with pytest.raises(ValueError, match="the query reads .*; it may read observations"):
            warehouse.query(sql)
    for sql in ("DROP TABLE observations", "SELECT 1; DELETE FROM observations", "UPDATE observations SET id = 'b'"):
        with pytest.raises(ValueError, match="a query is one SELECT"):
            warehouse.query(sql)
    with pytest.raises(ValueError, match="no SQL"):
        warehouse.query("SELECT FROM WHERE")
    with pytest.raises(ValueError, match=":id, for which no value"):
        warehouse.query("SELECT * FROM observations WHERE id = :id")
    with pytest.raises(ValueError, match="no parameter :ids"):
        warehouse.query("SELECT * FROM observations WHERE id = :id", id="a", ids="b")
    with pytest.raises(WarehouseError, match="altitude"):
        warehouse.query("SELECT altitude FROM observations")


@pytest.mark.parametrize("name", ['x"; DROP TABLE y; --', "Upper", "", "a" * 64, "1a"])
def test_declared_names_are_checked(warehouse: Warehouse, observations: Table, name: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        warehouse.write(replace(observations, name=name), rows_of("a"))
    with pytest.raises(ValueError, match="is no name"):
        warehouse.rows(replace(observations, columns=(*observations.columns, Column(name, "long", ""))))
