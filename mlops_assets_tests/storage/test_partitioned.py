"""The lazy mapping: nothing is computed before it is asked for, nothing is kept."""

import pytest

from mlops_assets.storage.partitioned import Partitioned


def test_values_are_computed_on_access_and_never_kept() -> None:
    computed: list[str] = []
    values = Partitioned(["2024-02", "2024-01"], lambda key: computed.append(key) or [key])

    assert (list(values), len(values), "2024-01" in values, computed) == (["2024-02", "2024-01"], 2, True, [])
    assert values["2024-01"] == ["2024-01"]
    assert values["2024-01"] is not values["2024-01"]
    assert dict(values.items()) == {"2024-02": ["2024-02"], "2024-01": ["2024-01"]}
    assert computed == ["2024-01"] * 3 + ["2024-02", "2024-01"]


def test_key_outside_the_partitions_is_a_key_error_and_computes_nothing() -> None:
    def compute(key: str) -> str:
        raise AssertionError(key)

    with pytest.raises(KeyError, match="2024-03"):
        Partitioned(["2024-01"], compute)["2024-03"]


def test_nothing_is_unchanged_or_noted_unless_the_producer_says_so() -> None:
    values = Partitioned(["2024-01"], str)

    assert (values.unchanged("2024-01"), values.note("2024-01"), values.code) == (False, {}, "")
