"""How busy a replica is: what the router is told, and what is sampled for the store."""

from dataclasses import dataclass
from typing import Final

from services.contract.first_tokens import FirstTokens
from services.kernel.identity import Identity

_BIG_CHANGE_REQUESTS: Final = 4
_BIG_CHANGE_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class LoadReport:
    """A replica's load at one moment.

    The engine's own numbers are `age_seconds` old: 0 without open requests, and never older than the
    first of those that are open. None is what it does not know, which is not 0.
    """

    open_streams: int
    unfinished_requests: int
    running_requests: int | None
    waiting_requests: int | None
    kv_usage_permille: int | None
    age_seconds: float
    is_draining: bool
    kv_free_blocks: int | None = None
    waiting_input_tokens: int | None = None
    input_tokens_per_second: int | None = None
    output_tokens_per_second: int | None = None
    first_tokens: FirstTokens | None = None
    kv_growth_blocks: int | None = None


@dataclass(frozen=True, slots=True)
class LoadTotals:
    """What an engine has done since it started."""

    output_tokens: int = 0
    preempted_requests: int = 0


@dataclass(frozen=True, slots=True)
class LoadSample:
    """A report as it is stored, with what the engine did since the sample before."""

    event_id: Identity
    started_at_microseconds: int
    report: LoadReport
    since_last: LoadTotals


def is_whole(report: LoadReport) -> bool:
    """Tells whether a report can be stored: a row has a place for numbers, and none for what is not known."""
    said = (report.running_requests, report.waiting_requests, report.kv_usage_permille)
    return None not in said


def permille(share: float | None) -> int | None:
    """Returns a share between 0 and 1 in thousandths; anything outside is cut to the bounds."""
    return None if share is None else min(1000, max(0, round(share * 1000)))


def free_blocks(kv_blocks: int, kv_usage: float | None) -> int | None:
    """Returns the blocks of the KV cache that are free; None where that is not known."""
    if kv_usage is None or not kv_blocks:
        return None
    return round(kv_blocks * (1 - min(1.0, max(0.0, kv_usage))))


def waiting(said: int | None, running: int | None, unfinished: int) -> int | None:
    """Returns how many requests wait: what came since the engine's last step does, although it said less."""
    if said is None or running is None:
        return said
    return max(said, unfinished - running)


def since(earlier: LoadTotals, later: LoadTotals) -> LoadTotals:
    """Returns what was done between two moments; never negative."""
    return LoadTotals(
        output_tokens=max(0, later.output_tokens - earlier.output_tokens),
        preempted_requests=max(0, later.preempted_requests - earlier.preempted_requests),
    )


def is_big_change(told: LoadReport, now: LoadReport) -> bool:
    """Returns True if the router should know before the next regular report."""
    if told.is_draining != now.is_draining:
        return True
    change = abs(now.unfinished_requests - told.unfinished_requests)
    return change >= max(_BIG_CHANGE_REQUESTS, _BIG_CHANGE_SHARE * told.unfinished_requests)
