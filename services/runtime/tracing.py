"""Spans of requests, made of the numbers that are recorded of each anyway, and of nothing else.

A request's trace has the request's own identity, and its first span one that follows from that: processes
agree on both, and on whether the request is sampled, without a word on the wire.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple

from services.kernel.identity import Identity
from services.runtime.span_attributes import ATTRIBUTES, Value

_ALL: Final = 2**64
_NANOSECONDS: Final = 1_000
_SPAN_BYTES: Final = 8


class Kind(IntEnum):
    """How a span stands to others, by OpenTelemetry's numbers."""

    INTERNAL = 0
    SERVER = 1


class Moment(NamedTuple):
    """Something within a span that has a time and no duration."""

    name: str
    at_microseconds: int


@dataclass(frozen=True, slots=True)
class Span:
    """One part of a request: when, how long, and numbers and names of the code; `parts` are within it.

    `is_first` is the span that the others of the request stand below. An error is told by its type's name.
    """

    name: str
    started_at_microseconds: int
    duration_microseconds: int
    attributes: Mapping[str, Value]
    kind: Kind = Kind.SERVER
    is_first: bool = False
    error: str = ""
    moments: Sequence[Moment] = ()
    parts: "Sequence[Span]" = ()


class Spans:
    """Where spans go; nowhere until `open` was called, and then a share of all requests'."""

    def __init__(self) -> None:
        self._bound = 0
        self._models: frozenset[str] = frozenset()
        self._end: Callable[[Any], None] = lambda _: None
        self._resource: Any = None

    def open(
        self, end: Callable[[Any], None], resource: Any, *, ratio: float, models: frozenset[str]
    ) -> None:
        """Gives the spans of that share of requests to `end`; attributes may name those models."""
        self._end, self._resource, self._models = end, resource, models
        self._bound = round(ratio * _ALL)

    def close(self) -> None:
        """Lets no more out."""
        self._bound = 0

    def is_sampled(self, request_id: Identity) -> bool:
        """Returns whether a request has spans: all processes of one ratio say the same."""
        return request_id.low < self._bound

    def end(self, request_id: Identity, span: Span) -> None:
        """Takes a span that has ended, unless its request is not sampled."""
        if self.is_sampled(request_id):
            first = first_span_number(request_id)
            self._send(request_id, span, None if span.is_first else first)

    def _send(self, request_id: Identity, span: Span, parent: int | None) -> None:
        # Who exports nothing goes without what the library takes to import.
        from opentelemetry.sdk.trace import Event, ReadableSpan  # noqa: PLC0415
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags  # noqa: PLC0415

        def context(number: int) -> SpanContext:
            trace = request_id.high << 64 | request_id.low
            return SpanContext(trace, number, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

        number = first_span_number(request_id) if span.is_first else _random_number()
        start = span.started_at_microseconds
        self._end(
            ReadableSpan(
                span.name,
                context(number),
                None if parent is None else context(parent),
                self._resource,
                permitted(span.attributes, self._models),
                [Event(moment.name, None, moment.at_microseconds * _NANOSECONDS) for moment in span.moments],
                kind=SpanKind(span.kind),
                status=Status(StatusCode.ERROR if span.error else StatusCode.UNSET),
                start_time=start * _NANOSECONDS,
                end_time=(start + span.duration_microseconds) * _NANOSECONDS,
                instrumentation_scope=InstrumentationScope("comptoir"),
            )
        )
        for part in span.parts:
            self._send(request_id, part, number)


SPANS: Final = Spans()


def first_span_number(request_id: Identity) -> int:
    """Returns the identity of the request's first span, which every process derives for itself."""
    digest = hashlib.sha256(f"first span {request_id.hex}".encode()).digest()
    return int.from_bytes(digest[:_SPAN_BYTES], "big") or 1


def permitted(attributes: Mapping[str, Value], models: frozenset[str]) -> dict[str, Value]:
    """Returns the attributes that are declared and have a value that they may have."""
    return {
        name: value
        for name, value in attributes.items()
        if name in ATTRIBUTES and ATTRIBUTES[name].permits(value, models)
    }


def _random_number() -> int:
    return secrets.randbits(64) or 1
