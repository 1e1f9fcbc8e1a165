"""JSON documents of callers, within the edge's bounds."""

import secrets
from typing import Any

import orjson

from services.edge.domain.body_faults import (
    UTF8_MARK,
    BodyError,
    BodyFault,
    encoding_fault,
    half_pair_steps,
    path_to,
    with_mark,
)
from services.edge.domain.openai.public_names import is_public
from services.edge.domain.structure import check_count, outside_steps, shape_steps
from services.kernel.steps import Steps, finished


def decode_json(document: bytes) -> Any:  # a JSON value of any type
    """Returns what `decode_steps` does, at once."""
    return finished(decode_steps(document))


def decode_steps(document: bytes) -> Steps[Any]:  # a JSON value of any type
    """Returns the value of a JSON document within the edge's bounds; raises REQUEST_INVALID, with no value.

    orjson refuses NaN, infinite numbers, lone surrogates and broken UTF-8. A byte order mark is skipped.
    """
    text = document.removeprefix(UTF8_MARK)
    outside = yield from outside_steps(text)
    check_count(outside)
    yield
    broken_at = None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        broken_at = error.pos
    # Outside of the handler: the decoder's error holds the whole document, so it is no context of the fault.
    if broken_at is not None:
        fault = yield from _fault_steps(text, broken_at)
        fault.position += len(document) - len(text)
        raise fault
    yield
    yield from shape_steps(value, outside)
    return value


def _fault_steps(text: bytes, broken_at: int) -> Steps[BodyError]:
    yield
    fault = encoding_fault(text)
    if fault is not None:
        return fault
    yield
    position = yield from half_pair_steps(text)
    if position is None:
        # The decoder counts characters.
        return BodyError(BodyFault.NOT_JSON, position=len(text.decode()[:broken_at].encode()))
    yield
    mark = secrets.token_hex(16)
    try:
        value = orjson.loads(with_mark(text, position, mark.encode()))
    except orjson.JSONDecodeError:
        return BodyError(BodyFault.HALF_PAIR, position=position)
    return BodyError(BodyFault.HALF_PAIR, position=position, field=path_to(mark, value, is_public))
