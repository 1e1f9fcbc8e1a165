import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.http.bodies import (
    CHUNKS_PER_CALL,
    MAX_EXTENSION_BYTES,
    MAX_SMALL_CHUNKS,
    MAX_TRAILER_BYTES,
    Body,
    ChunkedBody,
    LengthBody,
)
from services.runtime.http.bounds import Refusal, RefusedError

CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=30)


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


def fed(body: Body, wire: bytes, sizes: list[int]) -> tuple[bytes, bytes]:
    """The data, and what is left, of `wire` that comes in pieces of these sizes."""
    data, buffer, position, turn = b"", bytearray(), 0, 0
    while position < len(wire) and not body.is_complete:
        size = sizes[turn % len(sizes)]
        buffer += wire[position : position + size]
        position, turn = position + size, turn + 1
        data += body.take(buffer)
        while body.has_more_work:
            data += body.take(buffer)
    return data, bytes(buffer) + wire[position:]


@given(st.binary(max_size=200), st.binary(max_size=50), CUTS)
def test_a_body_of_a_length_ends_where_it_says(data: bytes, rest: bytes, cuts: list[int]) -> None:
    body = LengthBody(len(data))
    if not data:
        assert body.is_complete
        return
    assert fed(body, data + rest, cuts) == (data, rest)
    assert body.is_complete


@given(
    st.lists(st.binary(min_size=1, max_size=60), max_size=8),
    st.binary(max_size=50),
    CUTS,
    st.sampled_from([b"", b";a", b" ;a=b", b';q="x"']),
    st.sampled_from([b"", b"authorization: Bearer x\r\n", b"a:\r\nb: c\r\n"]),
)
def test_chunks_are_joined_however_they_come(
    parts: list[bytes], rest: bytes, cuts: list[int], extension: bytes, trailers: bytes
) -> None:
    wire = b"".join([chunk(part, extension) for part in parts]) + b"0\r\n" + trailers + b"\r\n"
    body = ChunkedBody()
    assert fed(body, wire + rest, cuts) == (b"".join(parts), rest)
    assert body.is_complete


@pytest.mark.parametrize(
    "wire",
    [
        b"x\r\n",
        b"-1\r\na\r\n",
        b"0x1\r\na\r\n",
        b"1_0\r\n",
        b"\r\n",
        b" 1\r\na\r\n",
        b"1\na\r\n",
        b"1\r\nab\r\n",
        b"1\r\na\n\n",
        b"ffffffffffffffff\r\n",
        b"1;a\x00\r\na\r\n",
        b"1;a\rb\r\na\r\n",
        b"0\r\n a: b\r\n\r\n",
        b"0\r\na\r\n\r\n",
        b"0\r\na: b\n\r\n",
        b"0\r\na: \x00\r\n\r\n",
        b"0\n\n",
    ],
)
def test_what_is_no_chunk_is_refused(wire: bytes) -> None:
    with pytest.raises(RefusedError) as raised:
        fed(ChunkedBody(), wire, [len(wire)])
    assert raised.value.refusal is Refusal.MALFORMED


def endless(start: bytes, piece: bytes) -> tuple[Refusal, int]:
    """What ends `piece` without end behind `start`, and how many bytes were held at most."""
    body, buffer, held = ChunkedBody(), bytearray(start), 0
    for _ in range(1_000_000):
        buffer += piece
        held = max(held, len(buffer))
        try:
            body.take(buffer)
        except RefusedError as error:
            return error.refusal, held
    raise AssertionError


@pytest.mark.parametrize("piece", [b"a: b\r\n", b"a: " + b"b" * 500 + b"\r\n", b"a"])
def test_trailers_without_end_are_refused(piece: bytes) -> None:
    refusal, held = endless(b"0\r\n", piece)
    assert refusal is Refusal.HEAD_TOO_LARGE
    assert held <= MAX_TRAILER_BYTES + len(piece)


@pytest.mark.parametrize("piece", [b"e", b"e\r\na\r\n1;" + b"e" * 100])
def test_extensions_without_end_are_refused(piece: bytes) -> None:
    refusal, held = endless(b"1;", piece)
    assert refusal is Refusal.HEAD_TOO_LARGE
    assert held <= MAX_EXTENSION_BYTES + len(piece)


def test_a_body_of_tiny_chunks_is_taken_up_to_a_bound() -> None:
    body, buffer = ChunkedBody(), bytearray(chunk(b"a") * MAX_SMALL_CHUNKS)
    taken = 0
    while buffer:
        taken += len(body.take(buffer))
    assert taken == MAX_SMALL_CHUNKS
    with pytest.raises(RefusedError) as raised:
        body.take(bytearray(chunk(b"a")))
    assert raised.value.refusal is Refusal.BODY_WASTEFUL


def test_one_call_takes_a_bounded_number_of_chunks() -> None:
    body, buffer = ChunkedBody(), bytearray(chunk(b"a") * 10 * CHUNKS_PER_CALL)
    assert len(body.take(buffer)) == CHUNKS_PER_CALL
    assert body.has_more_work


@given(st.binary(max_size=200), CUTS)
def test_no_bytes_make_the_decoder_fail_in_another_way(wire: bytes, cuts: list[int]) -> None:
    with contextlib.suppress(RefusedError):
        fed(ChunkedBody(), wire, cuts)
