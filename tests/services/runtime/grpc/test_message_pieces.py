"""Pieces of a message are messages, and together they are the message."""

import pytest
from comptoir.generator.v1 import generator_pb2
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.grpc.message_pieces import pieces_of

LISTS = st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=5), max_size=5)


def read(content: bytes, least_bytes: int) -> list[bytes]:
    return list(pieces_of(content, least_bytes=least_bytes))


@given(tokens=st.integers(0, 2**32 - 1), lists=LISTS, least_bytes=st.integers(1, 20))
def test_pieces_together_are_the_message(tokens: int, lists: list[list[int]], least_bytes: int) -> None:
    written = [generator_pb2.CountTokensResponse(input_tokens=tokens)]
    written += [generator_pb2.CountTokensResponse(token_ids=each) for each in lists]
    content = b"".join(each.SerializeToString() for each in written)
    merged = generator_pb2.CountTokensResponse()
    for piece in read(content, least_bytes):
        merged.MergeFromString(piece)
    assert merged == generator_pb2.CountTokensResponse.FromString(content)
    assert list(merged.token_ids) == [number for each in lists for number in each]


def test_fields_of_a_fixed_length_are_passed_by() -> None:
    # Fields 1 and 2, of 8 and of 4 bytes.
    fixed = b"\x09" + bytes(8), b"\x15" + bytes(4)
    assert read(b"".join(fixed), 1) == list(fixed)


@pytest.mark.parametrize("content", [b"\xff" * 11, b"\x0f", b"\x08"], ids=["number", "kind", "cut"])
def test_what_is_no_message_is_refused(content: bytes) -> None:
    with pytest.raises(DecodeError):
        read(content, 1)
