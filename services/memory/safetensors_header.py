"""The header of a file of weights (safetensors): its tensors, and their bytes as they are loaded."""

import json
import math
import operator
import struct
from collections.abc import Mapping
from typing import Any, Final

from services.memory.errors import UnknownModelError

LENGTH_BYTES: Final = 8
MOST_HEADER_BYTES: Final = 100_000_000
_MOST_BYTES: Final = 2**50
_FLOATS: Final = frozenset({"F64", "F32", "F16", "BF16"})


def header_length(begin: bytes) -> int:
    """Returns how many bytes of header follow the first eight; UnknownModelError where they cannot be one."""
    if len(begin) < LENGTH_BYTES:
        raise UnknownModelError("a file of weights ends within its first 8 bytes")
    (length,) = struct.unpack("<Q", begin[:LENGTH_BYTES])
    if not 2 <= length <= MOST_HEADER_BYTES:  # noqa: PLR2004 - an empty object
        raise UnknownModelError(f"a file of weights says a header of {length} bytes, which is none")
    return int(length)


def loaded_bytes(header: bytes, number_bytes: int) -> int:
    """Returns the bytes of all tensors where those of plain numbers are loaded as numbers of so many bytes.

    What is quantised has a type of its own and stays as it is.
    """
    try:
        tensors: Mapping[str, Any] = json.loads(header)
        return sum(_bytes(tensor, number_bytes) for name, tensor in tensors.items() if name != "__metadata__")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UnknownModelError("the header of a file of weights cannot be read") from None


def _bytes(tensor: Mapping[str, Any], number_bytes: int) -> int:
    if tensor["dtype"] in _FLOATS:
        sizes = [operator.index(size) for size in tensor["shape"]]
        size = math.prod(sizes) * number_bytes if all(size >= 0 for size in sizes) else -1
    else:
        begin, end = tensor["data_offsets"]
        size = operator.index(end) - operator.index(begin)
    if not 0 <= size <= _MOST_BYTES:
        raise ValueError
    return size
