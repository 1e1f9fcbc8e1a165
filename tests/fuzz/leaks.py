"""Whether an error body repeats what was sent: pieces of it that stand in the input, and in no table."""

import json
import re
from typing import Final

from services.edge.domain.body_faults import BodyFault
from services.edge.domain.openai.errors import HTTP_ERRORS, PUBLIC_ERRORS
from services.edge.domain.openai.public_names import _expected
from services.edge.domain.timeline import Endpoint

PIECE_BYTES: Final = 8
_PUBLIC: Final = (*PUBLIC_ERRORS.values(), *HTTP_ERRORS)
_EXPECTED: Final = {pair for endpoint in Endpoint for pair in _expected(endpoint).items()}
NAMES: Final = tuple(sorted({name for name, _ in _EXPECTED}))
_SENTENCES: Final = (
    *(public.message for public in _PUBLIC),
    *(fault.value for fault in BodyFault),
    *(f"Invalid '{name}': expected {words}." for name, words in _EXPECTED),
    *(f"Unsupported parameter: '{name}' is not supported; it must be {words}." for name, words in _EXPECTED),
)
# Everything that the texts of an error are made of, but for numbers.
VOCABULARY: Final = "\n".join(
    [*_SENTENCES, *NAMES, *(public.code for public in _PUBLIC), *(public.type for public in _PUBLIC)]
).encode()
_INDEX: Final = re.compile(rb"\[([0-9]{1,4})\]")


class LeakError(Exception):
    """A piece of what was sent stands in an error body. It is not in this error."""


def check_no_leak(error_body: bytes, sent: bytes) -> None:
    """Raises LeakError where an error body repeats PIECE_BYTES of what was sent, or a number from it.

    Words of the tables are no leak: they are the same for everybody. An index is a place in a list, so there
    are as many commas in front of it.
    """
    if any(int(index) > sent.count(b",") for index in _INDEX.findall(error_body)):
        raise LeakError("an index of an error body is no place in a list")
    for name, text in json.loads(error_body)["error"].items():
        said = _INDEX.sub(b"[]", (text or "").encode())
        pieces = (said[start : start + PIECE_BYTES] for start in range(len(said) - PIECE_BYTES + 1))
        if any(piece in sent and piece not in VOCABULARY for piece in pieces):
            raise LeakError(f"in `{name}` of an error body")
