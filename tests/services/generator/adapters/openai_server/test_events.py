"""Events come out whole, wherever the stream was cut."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.adapters.openai_server.events import EventReader, LineTooLongError

DATA = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=40).map(
    lambda text: text.strip().encode()
)


@given(st.lists(DATA, max_size=6), st.data())
def test_any_cut_gives_the_same_events(told: list[bytes], draw: st.DataObject) -> None:
    stream = b"".join(b"data: " + data + b"\n\n" for data in told)
    reader, read = EventReader(), list[bytes]()
    while stream:
        cut = draw.draw(st.integers(1, len(stream)))
        piece, stream = stream[:cut], stream[cut:]
        read += reader.read(piece)
    assert read == [data.strip() for data in told]


def test_comments_names_and_half_lines_are_no_events() -> None:
    reader = EventReader()
    assert list(reader.read(b": ping\n\nevent: x\nid: 5\ndata:1\n\nda")) == [b"1"]
    assert list(reader.read(b"ta: 2\r\n\r\ndata: 3")) == [b"2"]


def test_a_line_is_bounded_in_pieces_too() -> None:
    reader = EventReader(most_line_bytes=8)
    assert list(reader.read(b"data: 12\n" * 3)) == [b"12"] * 3
    assert list(reader.read(b"data: ")) == []
    with pytest.raises(LineTooLongError):
        list(reader.read(b"123"))


def test_a_line_in_the_smallest_pieces_takes_its_own_length() -> None:
    reader, size = EventReader(), 64 * 1024
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(size):
            assert list(reader.read(b"x")) == []
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held - before < 2 * size
