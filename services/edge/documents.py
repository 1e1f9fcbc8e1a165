"""JSON documents of callers, within the edge's bounds."""

import secrets
from typing import Any

import orjson

from services.edge.domain.body_faults import (
    UTF8_MARK,
    BodyError,
    BodyFault,
    encoding_fault,
    half_pair_at,
    path_to,
    with_mark,
)
from services.edge.domain.openai.public_names import is_public
from services.edge.domain.structure import check_count, check_shape, outside_strings


def decode_json(document: bytes) -> Any:  # a JSON value of any type
    """Returns the value of a JSON document within the edge's bounds; raises REQUEST_INVALID, with no value.

    orjson refuses NaN, infinite numbers, lone surrogates and broken UTF-8. A byte order mark is skipped.
    """
    text = document.removeprefix(UTF8_MARK)
    outside = outside_strings(text)
    check_count(outside)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        fault = _fault_of(text, error)
        fault.position += len(document) - len(text)
        # The decoder's error holds the whole document, so it must not travel as the cause.
        raise fault from None
    check_shape(value, outside)
    return value


def _fault_of(text: bytes, error: orjson.JSONDecodeError) -> BodyError:
    fault = encoding_fault(text)
    if fault is not None:
        return fault
    position = half_pair_at(text)
    if position is None:
        # The decoder counts characters.
        return BodyError(BodyFault.NOT_JSON, position=len(text.decode()[: error.pos].encode()))
    mark = secrets.token_hex(16)
    try:
        value = orjson.loads(with_mark(text, position, mark.encode()))
    except orjson.JSONDecodeError:
        return BodyError(BodyFault.HALF_PAIR, position=position)
    return BodyError(BodyFault.HALF_PAIR, position=position, field=path_to(mark, value, is_public))
