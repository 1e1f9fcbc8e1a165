"""A long serialized message in pieces: each is a message, and one behind the other they are the whole."""

from collections.abc import Iterator
from typing import Final

from google.protobuf.message import DecodeError

_KIND_BITS: Final = 3
_VARINT: Final = 0
_DELIMITED: Final = 2
# By the kinds of fields whose length is known.
_FIXED_BYTES: Final = {1: 8, 5: 4}
_MOST_VARINT_BYTES: Final = 10
_HAS_MORE: Final = 0x80


def pieces_of(content: bytes, *, least_bytes: int) -> Iterator[bytes]:
    """Yields whole fields of a message, so many together as are `least_bytes`; raises DecodeError.

    A list of numbers that was written in several parts is in as many fields.
    """
    begin = at = 0
    while at < len(content):
        at = _end_of_field(content, at)
        if at - begin >= least_bytes:
            yield content[begin:at]
            begin = at
    if begin < len(content):
        yield content[begin:]


def _end_of_field(content: bytes, at: int) -> int:
    key, at = _varint(content, at)
    kind = key & ((1 << _KIND_BITS) - 1)
    if kind == _VARINT:
        return _varint(content, at)[1]
    if kind == _DELIMITED:
        length, at = _varint(content, at)
        return at + length
    if kind not in _FIXED_BYTES:
        raise DecodeError
    return at + _FIXED_BYTES[kind]


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Returns a number of variable length, and where it ends."""
    number = 0
    for index, byte in enumerate(content[at : at + _MOST_VARINT_BYTES]):
        number |= (byte & ~_HAS_MORE) << (7 * index)
        if not byte & _HAS_MORE:
            return number, at + index + 1
    raise DecodeError
