"""Traces of lengths and arrivals: JSON, one request a line, in the form that Mooncake published.

`{"timestamp": 27, "input_length": 6758, "output_length": 500}`: milliseconds from the start, and tokens.
Fields beside these, such as `hash_ids`, are skipped. Source: Mooncake (Qin et al., FAST 2025).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from services.cli.bench.errors import BenchError
from services.cli.bench.lengths import MOST_TOKENS

_MILLISECONDS: Final = 1000.0


@dataclass(frozen=True, slots=True)
class TracedRequest:
    """Lengths of a request, and when it was sent, from the trace's start on; None where that is not said."""

    input_tokens: int
    output_tokens: int
    at_seconds: float | None = None


def read_trace(lines: Iterable[str], name: str) -> list[TracedRequest]:
    """Returns the requests, by time where they have one; BenchError names the line that cannot be used."""
    found = list(_requests(lines, name))
    if not found:
        raise BenchError(f"{name} has no request.")
    timed = sum(request.at_seconds is not None for request in found)
    if timed not in {0, len(found)}:
        raise BenchError(f"{name}: either each request has a timestamp, or none has.")
    return sorted(found, key=lambda request: request.at_seconds or 0.0)


def _requests(lines: Iterable[str], name: str) -> Iterator[TracedRequest]:
    for count, line in enumerate(lines, start=1):
        if line.strip():
            yield _request(line, f"{name}, line {count}")


def _request(line: str, place: str) -> TracedRequest:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise BenchError(f"{place}: this is no JSON object.")
    counts = (_tokens(content.get(name), f"{place}: {name}") for name in ("input_length", "output_length"))
    input_tokens, output_tokens = counts
    at = content.get("timestamp")
    if at is None:
        return TracedRequest(input_tokens, output_tokens)
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at <= 1e12:  # noqa: PLR2004 - 30 years
        raise BenchError(f"{place}: timestamp must be milliseconds from the start.")
    return TracedRequest(input_tokens, output_tokens, at / _MILLISECONDS)


def _tokens(value: Any, place: str) -> int:  # whatever the line holds
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_TOKENS:
        raise BenchError(f"{place} must be a whole number of tokens, 1 to {MOST_TOKENS}.")
    return value
