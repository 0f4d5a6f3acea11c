"""Stamps and the merging of lineages."""

import pytest

from mlops_assets.storage.stamp import Stamp, merge_lineage


def test_stamp_comes_back_from_json() -> None:
    stamp = Stamp("v1", {"raw": {"2024-01": "r1"}}, "code", {"rows": 3, "updated_at": None})

    assert Stamp.from_json(stamp.to_json()) == stamp


def test_stamp_json_does_not_depend_on_the_order_of_keys() -> None:
    one = Stamp("v1", {"a": {"1": "x", "2": "y"}, "b": {}}, note={"m": 1, "n": 2})
    other = Stamp("v1", {"b": {}, "a": {"2": "y", "1": "x"}}, note={"n": 2, "m": 1})

    assert one.to_json() == other.to_json()


def test_an_older_release_reads_the_stamp_of_a_newer_one() -> None:
    newer = Stamp("v1", {"raw": {"2024-01": "r1"}}).to_json().replace(b"{", b'{"signature":"abc",', 1)

    assert Stamp.from_json(newer) == Stamp("v1", {"raw": {"2024-01": "r1"}})


@pytest.mark.parametrize("text", [b"[]", b"{}", b"not JSON"])
def test_what_is_no_stamp_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match="a stamp names its data_version|Expecting value"):
        Stamp.from_json(text)


def test_reader_inherits_the_object_and_all_that_it_was_made_from() -> None:
    stamp = Stamp("e1", {"raw": {"2024-01": "r1"}})

    assert stamp.as_input("enriched", "2024-01") == {"enriched": {"2024-01": "e1"}, "raw": {"2024-01": "r1"}}
    assert stamp.lineage == {"raw": {"2024-01": "r1"}}


def test_merge_keeps_every_partition_and_sorts() -> None:
    merged = merge_lineage([{"b": {"2": "x"}}, {"b": {"1": "y"}, "a": {"1": "z"}}, {}])

    assert merged == {"a": {"1": "z"}, "b": {"1": "y", "2": "x"}}
    assert [list(merged), list(merged["b"])] == [["a", "b"], ["1", "2"]]


def test_merge_keeps_two_versions_of_one_partition_once_each() -> None:
    old_and_new = merge_lineage([{"raw": {"1": "v2"}}, {"raw": {"1": "v1"}}])

    assert old_and_new == {"raw": {"1": "v1+v2"}}
    assert merge_lineage([old_and_new, {"raw": {"1": "v2"}}, old_and_new]) == old_and_new
