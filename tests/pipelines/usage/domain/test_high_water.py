from hypothesis import given
from hypothesis import strategies as st

from pipelines.usage.domain.high_water import MAX_PRODUCERS, HighWater
from services.contract.events import Kind
from services.contract.frame import Frame


def frame(producer: int, kind: Kind = Kind.GENERATION) -> Frame:
    return Frame(kind, 1, producer, 1, 1, 0, b"")


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1))
def test_it_is_the_highest_of_what_was_stored_in_whatever_order(sequences: list[int]) -> None:
    water = HighWater()
    for sequence in sequences:
        water.rise(frame(1), sequence)
    assert water.of(frame(1)) == max(sequences)


def test_each_producer_and_kind_has_its_own() -> None:
    water = HighWater()
    water.rise(frame(1), 5)
    assert water.of(frame(2)) is None
    assert water.of(frame(1, Kind.ADMISSION)) is None


def test_after_the_partitions_went_to_another_member_nothing_is_known() -> None:
    water = HighWater()
    water.rise(frame(1), 5)
    water.forget()
    assert water.of(frame(1)) is None


def test_the_number_of_producers_that_are_remembered_is_bounded() -> None:
    water = HighWater()
    for producer in range(MAX_PRODUCERS + 1):
        water.rise(frame(producer), 1)
    assert water.of(frame(0)) is None
    assert all(water.of(frame(producer)) for producer in range(1, MAX_PRODUCERS + 1))
