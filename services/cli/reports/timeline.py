"""The life of one request in counts: what each part noted of it, in the order of time."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from deploy.local.stack.errors import StackError
from services.kernel.identity import Identity

# As `x-request-id` has it, or the id of an answer behind its prefix.
_ID: Final = re.compile(r"(?:[a-z]+[-_])?([0-9a-f]{32})")
# A decision takes about a millisecond; what took longer waited for a replica, a place or a quota.
_HELD_MICROSECONDS: Final = 50_000
_Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """What one part did at a moment, by its own clock."""

    at: datetime
    who: str
    what: str


@dataclass(frozen=True, slots=True)
class Noted:
    """All rows of one request."""

    admissions: Sequence[_Row] = field(default=())
    generations: Sequence[_Row] = field(default=())
    edge_requests: Sequence[_Row] = field(default=())

    @property
    def is_empty(self) -> bool:
        """Tells whether nothing is known of the request."""
        return not (self.admissions or self.generations or self.edge_requests)

    @property
    def is_open(self) -> bool:
        """Tells whether it was admitted, and nothing says how it ended."""
        return any(row["decided"] == "admitted" for row in self.admissions) and not self.generations


def parse_id(text: str) -> Identity:
    """Returns the identity in what a caller saw; StackError where it is none."""
    found = _ID.fullmatch(text.strip().lower())
    if found is None:
        raise StackError(
            "A request's ID is 32 hexadecimal digits, as x-request-id has them, or an answer's id."
        )
    return Identity(int(found[1][:16], 16), int(found[1][16:], 16))


def steps_of(noted: Noted) -> list[Step]:
    """Returns what happened, earliest first; steps of one moment in the order in which parts act."""
    steps = [
        *(step for row in noted.edge_requests for step in _of_edge(row)),
        *(step for row in noted.admissions for step in _of_router(row)),
        *(step for row in noted.generations for step in _of_replica(row)),
    ]
    return sorted(steps, key=lambda step: step.at)


def _of_edge(row: _Row) -> Iterator[Step]:
    at = _clock(row)
    retry = f", retry {row['client_retry_count']} of its SDK" if row["client_retry_count"] else ""
    yield Step(at(0), "edge", f"received: {row['route']}, {row['request_bytes']:,} bytes{retry}")
    if row["admitted_microseconds"]:
        yield Step(at(row["admitted_microseconds"]), "edge", "has a ticket")
    if row["first_byte_microseconds"]:
        yield Step(at(row["first_byte_microseconds"]), "edge", "first byte of content sent")
    gone = ", the caller was gone" if row["is_client_cancelled"] else ""
    end = f"ended: HTTP {row['http_status']}{_because(row)}, {row['response_bytes']:,} bytes sent{gone}"
    yield Step(at(row["duration_microseconds"]), "edge", end)


def _of_router(row: _Row) -> Iterator[Step]:
    at, took = _clock(row), row["duration_microseconds"]
    yield Step(at(0), "router", f"asked to admit: {row['model']}, class {row['class']}")
    held = f" after {_seconds(took)} held" if took >= _HELD_MICROSECONDS else ""
    if row["decided"] == "admitted":
        what = (
            f"admitted{held}: replica {row['replica']}, {row['reserved_tokens']:,} tokens reserved,"
            f" at most {row['max_output_tokens']:,} of output"
        )
    else:
        what = f"refused{held}{_because(row)}"
    yield Step(at(took), "router", what)


def _of_replica(row: _Row) -> Iterator[Step]:
    at, who = _clock(row), f"replica {row['replica']}"
    yield Step(at(0), who, f"received: attempt {row['attempt']}")
    if row["ttft_microseconds"]:
        if row["prefill_microseconds"]:
            scheduled = max(0, row["ttft_microseconds"] - row["prefill_microseconds"])
            yield Step(at(scheduled), who, f"scheduled after {_seconds(row['queue_microseconds'])} queued")
        yield Step(at(row["ttft_microseconds"]), who, "first token")
    counts = (
        f"{row['input_tokens']:,} input tokens ({row['cached_input_tokens']:,} cached),"
        f" {row['output_tokens']:,} output"
    )
    blocks = f", KV blocks {row['actual_kv_blocks']:,} ({row['predicted_kv_blocks']:,} predicted)"
    end = f"ended: {row['ended']}{_because(row)}; {counts}{blocks if row['actual_kv_blocks'] else ''}"
    yield Step(at(row["duration_microseconds"]), who, end)


def _clock(row: _Row) -> Callable[[int], datetime]:
    """Returns what makes a moment of so many microseconds after the row began."""
    begin: datetime = row["started_at"]
    return lambda microseconds: begin + timedelta(microseconds=microseconds)


def _because(row: _Row) -> str:
    return "" if row["why"] == "none" else f", {row['why']}"


def _seconds(microseconds: int) -> str:
    return f"{microseconds / 1e6:.3f} s"
