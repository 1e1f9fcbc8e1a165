"""Requests that arrive at a scheduler in random steps: what both schedulers are told, as plain data."""

import random
from dataclasses import asdict, dataclass, field
from typing import Any

VOCABULARY_TOKENS = 1000


@dataclass(frozen=True)
class Arrival:
    """A request: its prompt, the step before which it comes, and that before which it is aborted."""

    number: int
    step: int
    ids: list[int]
    salt: str
    priority: int
    output_tokens: int
    abort_step: int | None = None


@dataclass(frozen=True)
class Trace:
    """A small engine and what it is asked."""

    kv_blocks: int
    block_tokens: int
    running_requests: int
    batched_tokens: int
    is_prefill_chunked: bool
    arrivals: list[Arrival] = field(default_factory=list)

    @property
    def context_tokens(self) -> int:
        """Returns what a request may have at most, which all blocks hold."""
        return self.kv_blocks * self.block_tokens

    def told(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return asdict(self)


def token_of(number: int, position: int) -> int:
    """Returns the token that a request gets for a position: both engines choose the same."""
    return (31 * number + 7 * position) % VOCABULARY_TOKENS


def random_trace(seed: int) -> Trace:
    """Returns a trace in which blocks, places and tokens of a step are short, each in some."""
    chance = random.Random(seed)
    block_tokens = chance.choice([2, 4, 16])
    kv_blocks = chance.randint(4, 40)
    is_chunked = chance.random() < 0.7
    whole = kv_blocks * block_tokens
    trace = Trace(
        kv_blocks,
        block_tokens,
        chance.randint(1, 8),
        # Without chunks a step holds every prompt whole.
        max(8, chance.choice([whole // 4, whole // 2, whole])) if is_chunked else whole + 8,
        is_chunked,
    )
    shared = [[chance.randrange(VOCABULARY_TOKENS) for _ in range(whole)] for _ in range(3)]
    step = 0
    for number in range(chance.randint(2, 24)):
        step += chance.choice([0, 0, 1, 3, 12])
        length = chance.randint(1, max(1, whole // chance.choice([1, 2, 4]) - 1))
        begun = chance.choice(shared)[: chance.choice([0, length // 2, length])]
        ids = begun + [chance.randrange(VOCABULARY_TOKENS) for _ in range(length - len(begun))]
        output_tokens = chance.randint(1, max(1, min(40, whole - length)))
        abort_step = step + chance.randint(0, 20) if chance.random() < 0.15 else None
        trace.arrivals.append(
            Arrival(
                number, step, ids, chance.choice("ab"), chance.choice([0, 10, 20]), output_tokens, abort_step
            )
        )
    return trace
