"""The one event in which every accepted generation ends: counts and timings, no text."""

from dataclasses import dataclass
from enum import IntEnum

from services.generator.domain.ticket import Claims
from services.generator.domain.timeline import Timings
from services.kernel.errors import Reason
from services.kernel.identity import Identity


class Outcome(IntEnum):
    """How a generation ended; the numbers of `comptoir.usage.v1.Outcome`, which documents each."""

    STOP = 1
    LENGTH = 2
    TOOL_CALLS = 3
    CLIENT_CANCELLED = 4
    DEADLINE = 5
    SHED = 6
    PREEMPTED = 7
    ENGINE_FAILED = 8
    REFUSED = 9


@dataclass(frozen=True, slots=True)
class Ending:
    """How, and why if not by itself."""

    outcome: Outcome
    reason: Reason = Reason.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens of one generation; cached ones are input tokens, and those of reasoning are output tokens.

    `longest_choice_tokens` are the output tokens of the longest of its choices.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    longest_choice_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TerminalEvent:
    """What is recorded of one generation."""

    event_id: Identity
    claims: Claims
    ending: Ending
    counts: Counts
    timings: Timings
    actual_kv_blocks: int
    started_at_microseconds: int
    is_streamed: bool


def kv_blocks_for(counts: Counts, kv_block_tokens: int) -> int:
    """Returns the KV-cache blocks that the counted tokens fill; 0 where the block size is not known."""
    if kv_block_tokens == 0:
        return 0
    return -(-(counts.input_tokens + counts.output_tokens) // kv_block_tokens)
