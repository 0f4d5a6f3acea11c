"""Reading ahead: few reads where partitions are asked for in order, none that is not needed where they are not, nothing kept."""

from collections.abc import Sequence

from mlops_assets.storage.read_ahead import ReadAhead

KEYS = [f"{number:02}" for number in range(20)]


class Store:
    """Holds every partition but those that are `absent`, gives `most` at once, and remembers what was asked of it."""

    def __init__(self, absent: Sequence[str] = (), most: int = 100) -> None:
        self.absent, self.most, self.asked = set(absent), most, []

    def read(self, partitions: Sequence[str]) -> dict[str, str]:
        self.asked.append(list(partitions))
        return {partition: f"value of {partition}" for partition in partitions[: self.most] if partition not in self.absent}


def test_partitions_in_order_are_read_together_ever_more_of_them() -> None:
    store = Store()
    ahead = ReadAhead(KEYS, store.read, most=8)

    assert [ahead.get(key) for key in KEYS] == [f"value of {key}" for key in KEYS]
    assert [len(asked) for asked in store.asked] == [2, 4, 8, 6]


def test_partitions_here_and_there_are_read_one_by_one() -> None:
    store = Store()
    ahead = ReadAhead(KEYS, store.read, most=8)

    for key in ("05", "02", "09", "17"):
        assert ahead.get(key) == f"value of {key}"
    assert store.asked == [["05"], ["02"], ["09"], ["17"]]


def test_value_is_given_once_and_read_anew_the_next_time() -> None:
    store = Store()
    ahead = ReadAhead(KEYS, store.read, most=8)

    assert (ahead.get("00"), ahead.get("00")) == ("value of 00", "value of 00")
    assert store.asked == [["00", "01"], ["00"]]


def test_absent_partition_is_none_and_what_did_not_come_is_asked_for_again() -> None:
    absent, meagre = Store(absent=["01"]), Store(most=1)
    for store, expected in ((absent, [True, False, True, True]), (meagre, [True] * 4)):
        ahead = ReadAhead(KEYS, store.read, most=8)
        assert [ahead.get(key) is not None for key in KEYS[:4]] == expected
