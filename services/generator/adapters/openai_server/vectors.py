"""What is asked of `/v1/embeddings`, and the vectors in what it says."""

import array
import base64
import binascii
import math
import sys
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from services.generator.adapters.openai_server.reading import BrokenStreamError, Fault

BYTES_PER_NUMBER: Final = 4
# Of the largest number: rounding came to 3e-5 of the whole here, another input's part to a tenth and more.
_ROUNDING: Final = 1e-2


class _Vector(msgspec.Struct):
    embedding: str
    index: int = 0


class _Usage(msgspec.Struct):
    prompt_tokens: int


class _Answer(msgspec.Struct):
    data: list[_Vector]
    usage: _Usage | None = None


def body_of(inputs: Sequence[Sequence[int]], *, served_model: str) -> dict[str, Any]:
    """Returns the body for these inputs, of token ids each."""
    return {
        "model": served_model,
        "input": [list(ids) for ids in inputs],
        # As they are computed, and a third of their digits.
        "encoding_format": "base64",
    }


def vectors_of(content: bytes, inputs: Sequence[Sequence[int]]) -> list[bytes]:
    """Returns the inputs' vectors: numbers of 32 bits each, least significant byte first.

    Raises BrokenStreamError where there are none, or others. The server counts the inputs' tokens too, and
    what it did not read whole has another vector.
    """
    try:
        told = msgspec.json.decode(content, type=_Answer)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise BrokenStreamError(Fault.NO_VECTOR) from None
    if told.usage is None:
        raise BrokenStreamError(Fault.COUNT_MISSING)
    if told.usage.prompt_tokens != sum(map(len, inputs)):
        raise BrokenStreamError(Fault.INPUT_NOT_COUNTED)
    found = sorted(told.data, key=lambda vector: vector.index)
    if [vector.index for vector in found] != list(range(len(inputs))):
        raise BrokenStreamError(Fault.NO_VECTOR)
    return [_numbers_of(vector.embedding) for vector in found]


def are_alike(one: bytes, other: bytes) -> bool:
    """Whether two vectors are of one input, but for the rounding of sums in another order."""
    values, others = array.array("f", one), array.array("f", other)
    longest = max(map(abs, values))
    pairs = zip(values, others, strict=False)
    return len(values) == len(others) and all(abs(a - b) <= _ROUNDING * longest for a, b in pairs)


def _numbers_of(text: str) -> bytes:
    try:
        vector = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BrokenStreamError(Fault.NO_VECTOR) from None
    if not vector or len(vector) % BYTES_PER_NUMBER or not _are_numbers(vector):
        raise BrokenStreamError(Fault.NO_VECTOR)
    return vector


def _are_numbers(vector: bytes) -> bool:
    values = array.array("f", vector)
    if sys.byteorder == "big":
        values.byteswap()
    return all(map(math.isfinite, values))
