"""Months that a query leaves alone stay unread, and reading them would give the same answer."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.sandbox.socrata.binding import bind
from mlops_assets.sandbox.socrata.chicago import GeneratedCrimes
from mlops_assets.sandbox.socrata.evaluation import holds_for
from mlops_assets.sandbox.socrata.execution import execute
from mlops_assets.sandbox.socrata.soql import parse_query
from mlops_assets.sandbox.socrata.tables import CRIME_TYPES, Partition

MONTHS = [*GeneratedCrimes(seed=5, rows_per_month=40).partitions(date(2003, 1, 1))]


def _run(parameters: dict[str, str], months: list[Partition]) -> list[dict[str, object]]:
    query = bind(parse_query(parameters), CRIME_TYPES, system_fields=False)
    return execute(query, months, CRIME_TYPES, np.random.default_rng(0)).table.to_pylist()


def _unreadable(partition: Partition) -> Partition:
    def load() -> pa.Table:
        raise AssertionError(f"{partition.month} was read")

    return Partition(partition.month, partition.rows, partition.newest, load)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("date >= '2001-05-01' and date < '2001-06-01'", True),
        ("date < '2001-05-01'", False),
        ("date > '2001-05-10'", None),
        ("date_trunc_ym(date) = '2001-05-01'", True),
        ("date_extract_m(date) != 5", False),
        ("date <= '2001-05-01'", None),
        ("year = 2001", True),
        ("year = '2001'", True),
        ("year in (2002, 2003)", False),
        ("not (date < '2001-05-01') and beat = '0111'", None),
        (":updated_at > '2001-06-08'", False),
        ("beat is null", None),
    ],
)
def test_a_condition_is_decided_for_a_whole_month(condition: str, expected: bool | None) -> None:
    may = MONTHS[4]
    where = bind(parse_query({"$where": condition}), CRIME_TYPES, system_fields=False).where
    assert may.month == "2001-05"
    assert holds_for(where, may) is expected


def test_only_months_of_the_condition_are_read() -> None:
    months = [partition if partition.month == "2001-05" else _unreadable(partition) for partition in MONTHS]
    assert len(_run({"$where": "date between '2001-05-01' and '2001-05-31T23:59:59.999'"}, months)) == 40


def test_a_page_reads_only_its_months() -> None:
    months = [partition if partition.month == "2001-03" else _unreadable(partition) for partition in MONTHS]
    rows = _run({"$select": "date", "$order": ":id", "$limit": "10", "$offset": "90"}, months)
    assert len(rows) == 10
    assert all(str(row["date"]).startswith("2001-03") for row in rows)


def test_pages_of_a_filter_cover_every_row_once() -> None:
    query = {"$select": "id", "$where": "primary_type = 'THEFT'", "$order": ":id"}
    whole = _run({**query, "$limit": "9999"}, MONTHS)
    pages = [row for offset in range(0, len(whole), 7) for row in _run({**query, "$limit": "7", "$offset": str(offset)}, MONTHS)]
    assert len(whole) > 100
    assert pages == whole


def test_counts_of_whole_months_equal_counts_of_their_rows() -> None:
    by_month = {"$select": "date_trunc_ym(date) as month, count(*), max(:updated_at)", "$group": "month", "$order": "month"}
    known = _run(by_month, [_unreadable(partition) for partition in MONTHS])
    assert known == _run({**by_month, "$where": "id > 0"}, MONTHS)


def test_partial_groups_are_merged_over_months() -> None:
    query = {"$select": "year, min(id), max(id), sum(ward), count(ward)", "$group": "year", "$order": "year"}
    frame = pa.concat_tables(partition.load() for partition in MONTHS).to_pandas()
    numbers = frame.assign(id=frame["id"].astype(int), ward=frame["ward"].astype(float)).groupby("year")
    expected = numbers.agg(min_id=("id", "min"), max_id=("id", "max"), sum_ward=("ward", "sum"), count_ward=("ward", "count"))
    found = [[int(str(row[name])) for name in expected.columns] for row in _run(query, MONTHS)]
    assert found == expected.astype(int).to_numpy().tolist()


def test_missing_values_sort_last() -> None:
    months = MONTHS[:12]
    for direction in ("ASC", "DESC"):
        values = [
            row["x_coordinate"]
            for row in _run({"$select": "x_coordinate", "$order": f"x_coordinate {direction}", "$limit": "9999"}, months)
        ]
        present = [float(str(value)) for value in values if value is not None]
        assert None in values
        assert values.index(None) == len(present)
        assert present == sorted(present, reverse=direction == "DESC")
