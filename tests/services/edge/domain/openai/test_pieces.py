"""What is held of an answer is what is sent, in few large parts."""

from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.pieces import Pieces, joined

PART_BYTES = 64 * 1024


@given(st.lists(st.text(max_size=8)))
def test_what_was_added_is_there_in_order(texts: list[str]) -> None:
    pieces = Pieces(b",")
    held_bytes = sum(map(pieces.add, texts))
    whole = b"".join(pieces.parts())
    assert whole.decode() == ",".join(filter(None, texts))
    assert len(whole) == held_bytes
    assert bool(pieces) == any(texts)


def test_many_small_pieces_are_few_objects() -> None:
    pieces = Pieces()
    for _ in range(100_000):
        pieces.add("été ")
    parts = list(pieces.parts())
    assert sum(map(len, parts)) == 600_000
    assert len(parts) == 10


@given(st.lists(st.sampled_from([0, 1, 100, PART_BYTES - 1, PART_BYTES, 3 * PART_BYTES]), max_size=6))
def test_joined_pieces_are_the_same_bytes_in_large_parts(sizes: list[int]) -> None:
    pieces = [bytes([index]) * size for index, size in enumerate(sizes)]
    parts = list(joined(pieces))
    assert b"".join(parts) == b"".join(pieces)
    assert all(len(part) >= PART_BYTES for part in parts[:-1])
    assert all(parts)
