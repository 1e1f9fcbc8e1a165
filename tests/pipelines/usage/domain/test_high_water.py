from hypothesis import given
from hypothesis import strategies as st

from pipelines.usage.domain.frame import Header, Kind
from pipelines.usage.domain.high_water import MAX_PRODUCERS, HighWater


def header(producer: int, kind: Kind = Kind.GENERATION) -> Header:
    return Header(kind, 1, producer, 1, 1, 0)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1))
def test_it_is_the_highest_of_what_was_stored_in_whatever_order(sequences: list[int]) -> None:
    water = HighWater()
    for sequence in sequences:
        water.rise(header(1), sequence)
    assert water.of(header(1)) == max(sequences)


def test_each_producer_and_kind_has_its_own() -> None:
    water = HighWater()
    water.rise(header(1), 5)
    assert water.of(header(2)) is None
    assert water.of(header(1, Kind.ADMISSION)) is None


def test_after_the_partitions_went_to_another_member_nothing_is_known() -> None:
    water = HighWater()
    water.rise(header(1), 5)
    water.forget()
    assert water.of(header(1)) is None


def test_the_number_of_producers_that_are_remembered_is_bounded() -> None:
    water = HighWater()
    for producer in range(MAX_PRODUCERS + 1):
        water.rise(header(producer), 1)
    assert water.of(header(0)) is None
    assert all(water.of(header(producer)) for producer in range(1, MAX_PRODUCERS + 1))
