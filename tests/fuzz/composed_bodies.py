"""Bodies of requests whose fields have values of their types, or nearly, which bytes alone seldom become."""

import json
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct

from services.edge.domain.openai.chat.body import ChatBody
from services.edge.domain.openai.completions.body import CompletionBody
from services.edge.domain.openai.counts.bodies import InputTokensBody, TokenizeBody
from services.edge.domain.openai.embeddings.body import EmbeddingBody
from services.edge.domain.openai.responses.body import ResponsesBody
from services.edge.domain.openai.understood import UNDERSTOOD
from tests.fuzz.bytes_source import BytesSource

_MESSAGE: Final = {"role": "user", "content": "Bonjour"}
_STARTS: Final[tuple[tuple[type[Struct], dict[str, Any]], ...]] = (
    (ChatBody, {"messages": [_MESSAGE]}),
    (CompletionBody, {"prompt": "Bonjour"}),
    (TokenizeBody, {"prompt": "Bonjour"}),
    (InputTokensBody, {"input": [_MESSAGE]}),
    (EmbeddingBody, {"input": ["Bonjour"]}),
    (ResponsesBody, {"input": [_MESSAGE]}),
)
_MOST_MEMBERS: Final = 6
_MOST_DEPTH: Final = 6
# One value in so many is of another type than its field's.
_ODD_ONE_IN: Final = 16
_NO_RANGE: Final = Meta(ge=-(2**64), le=2**64)


def composed_body(data: bytes) -> bytes:
    """Returns the body that `data` spells; mostly a valid one."""
    source = BytesSource(data)
    kind, start = _STARTS[source.number(len(_STARTS))]
    hints = get_type_hints(kind, include_extras=True)
    names = (*hints, *UNDERSTOOD[kind])
    body: dict[str, Any] = {"model": "tiny-eu", **start}
    while not source.is_empty:
        name = names[source.number(len(names))]
        body[name] = _of_type(source, hints.get(name, NoneType), _NO_RANGE)
    return json.dumps(body).encode()


def _of_type(source: BytesSource, hint: Any, bounds: Meta) -> Any:  # a JSON value of any type
    if hasattr(hint, "__metadata__"):
        return _of_type(source, hint.__origin__, hint.__metadata__[0])
    if source.number(_ODD_ONE_IN) == _ODD_ONE_IN - 1 or hint is Any:
        return _anything(source, 0)
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _of_type(source, inner[source.number(len(inner))], bounds)
    if origin is Literal:
        return inner[source.number(len(inner))]
    if origin in (list, dict):
        return _container(source, *inner)
    return _single(source, hint, bounds)


def _container(source: BytesSource, *inner: Any) -> Any:  # types, and a JSON array or object
    members = [
        [_of_type(source, each, _NO_RANGE) for each in inner] for _ in range(source.number(_MOST_MEMBERS))
    ]
    return [value for (value,) in members] if len(inner) == 1 else {str(key): value for key, value in members}


def _single(source: BytesSource, hint: Any, bounds: Meta) -> Any:  # a type, and a JSON value
    if issubclass(hint, Struct):
        hints = get_type_hints(hint, include_extras=True)
        return {name: _of_type(source, inner, _NO_RANGE) for name, inner in hints.items() if source.number(2)}
    low, high = bounds.ge or 0, bounds.le or bounds.lt or 2**31
    if hint is float:
        return low + (high - low) * source.number(2**16) / (2**16 - 1)
    if hint is int:
        return int(low) + int.from_bytes(source.take(8), "little") % int(high - low + 1)
    return {bool: bool(source.number(2)), str: source.text(64)}.get(hint)


def _anything(source: BytesSource, depth: int) -> Any:  # a JSON value of any type
    kind = source.number(7 if depth < _MOST_DEPTH else 5)
    if kind == 5:
        return [_anything(source, depth + 1) for _ in range(source.number(_MOST_MEMBERS))]
    if kind == 6:
        members = range(source.number(_MOST_MEMBERS))
        return {source.text(24): _anything(source, depth + 1) for _ in members}
    # Around powers of two, where the ranges of fields end.
    edge = 2 ** source.number(70) - source.number(3)
    return (None, bool(edge % 2), edge, -edge / 1000, source.text(300))[kind]
