from hypothesis import given, settings
from hypothesis import strategies as st

from services.contract.events import Kind
from services.emitter.domain.spool_format import (
    Position,
    Positions,
    Record,
    Sealed,
    decode_positions,
    decode_record,
    encode_positions,
    encode_record,
    newest_positions_in,
    records_in,
)

U64 = st.integers(0, 2**64 - 1)
RECORDS = st.builds(
    Record, st.sampled_from(Kind), U64, U64, U64, st.binary(min_size=16, max_size=16), st.binary(max_size=400)
)
SEALED = st.builds(Sealed, U64, *[st.integers(0, 2**32 - 1)] * 3)


def position(kind: Kind) -> st.SearchStrategy[Position]:
    return st.builds(
        Position,
        st.just(kind),
        U64,
        U64,
        U64,
        st.none() | st.integers(0, 2**31 - 1),
        st.lists(SEALED, max_size=5).map(tuple),
        st.lists(st.tuples(U64, U64), max_size=3).map(tuple),
    )


POSITIONS = st.builds(Positions, U64, U64, st.fixed_dictionaries({kind: position(kind) for kind in Kind}))


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@given(RECORDS)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    assert decode_record(encode_record(record)) == record


@given(RECORDS, st.data())
def test_a_record_of_which_any_bit_was_changed_is_none(record: Record, data: st.DataObject) -> None:
    content = encode_record(record)
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    assert decode_record(flipped(content, bit)) is None


@given(RECORDS, st.data())
def test_a_record_that_was_cut_is_none(record: Record, data: st.DataObject) -> None:
    content = encode_record(record)
    assert decode_record(content[: data.draw(st.integers(0, len(content) - 1))]) is None


@settings(max_examples=50)
@given(POSITIONS)
def test_positions_come_back_as_they_were(positions: Positions) -> None:
    assert decode_positions(encode_positions(positions)) == positions


@given(POSITIONS, st.data())
def test_positions_of_which_any_bit_was_changed_are_none(positions: Positions, data: st.DataObject) -> None:
    content = encode_positions(positions)
    assert decode_positions(flipped(content, data.draw(st.integers(0, 8 * len(content) - 1)))) is None


@given(st.lists(st.one_of(RECORDS, st.binary(max_size=60)), max_size=8))
def test_whole_records_are_found_wherever_they_lie(parts: list[Record | bytes]) -> None:
    content = b"".join(part if isinstance(part, bytes) else encode_record(part) for part in parts)
    assert [*records_in(content)] == [part for part in parts if isinstance(part, Record)]


@settings(max_examples=40)  # each has up to four, and takes 10 ms
@given(st.lists(POSITIONS, min_size=1, max_size=4, unique_by=lambda each: each.generation), st.binary())
def test_the_newest_positions_are_found(positions: list[Positions], noise: bytes) -> None:
    content = noise.join(encode_positions(each) for each in positions)
    assert newest_positions_in(content) == max(positions, key=lambda each: each.generation)


def test_events_in_gaps_are_in_no_run_and_do_not_count() -> None:
    at = Position(Kind.GENERATION, next_sequence=21, sealed_through=5, gaps=((6, 7), (10, 12), (20, 20)))
    assert (at.run(), at.unsealed, at.first_sequence) == ((8, 9), 9, 8)
    assert Position(Kind.GENERATION, next_sequence=8, sealed_through=5, gaps=((6, 7),)).events == 0
