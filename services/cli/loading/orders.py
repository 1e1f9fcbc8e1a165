"""What each request of a stage asks, by its number alone: the same whichever process sends it."""

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from services.cli.bench.arrivals import due_seconds
from services.cli.bench.load import Bound, Closed, Load
from services.cli.bench.prompts import CountTokens, PromptWriter, Ratio
from services.cli.loading.plan import Plan

# How much is written before a level begins: requests of it, and megabytes.
_AHEAD: Final = 1000
_AHEAD_CHARACTERS: Final = 8_000_000


@dataclass(frozen=True, slots=True)
class Order:
    """What one request asks: a prompt, and how many tokens at most."""

    prompt: str
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One run of a load, warm-up or measured; its purpose is the seed of all that is drawn for it."""

    purpose: str
    load: Load
    bound: Bound
    ratios: Mapping[str, Ratio]


class Orders:
    """The orders of one stage."""

    def __init__(self, plan: Plan, stage: Stage, count_tokens: CountTokens | None = None) -> None:
        self._plan = plan
        self._stage = stage
        self._count_tokens = count_tokens
        self._ready: dict[int, Order] = {}

    def write_ahead(self, numbers: Iterable[int]) -> None:
        """Writes the first of these now: writing takes time from a load."""
        characters = 0
        for number in itertools.islice(numbers, min(_AHEAD, self._stage.bound.requests or _AHEAD)):
            order = self._ready[number] = self._written(number)
            characters += len(order.prompt)
            if characters > _AHEAD_CHARACTERS:
                return

    def take(self, numbers: Iterable[int]) -> Iterator[Order]:
        """Yields the order of each number, as it is asked for."""
        for number in numbers:
            yield self._ready.pop(number) if number in self._ready else self._written(number)

    def _written(self, number: int) -> Order:
        plan, rng = self._plan, rng_of(self._plan, f"{self._stage.purpose} request {number}")
        if plan.trace:
            traced = plan.trace[number % len(plan.trace)]
            lengths = traced.input_tokens, traced.output_tokens
        else:
            lengths = plan.input_lengths.draw(rng), plan.output_lengths.draw(rng)
        writer = PromptWriter(plan.grammars, rng, self._stage.ratios, self._count_tokens)
        return Order(writer.write(lengths[0]), lengths[1])


def due_in(plan: Plan, stage: Stage) -> Iterator[float]:
    """Yields when each request of an open stage is due, in seconds from its begin; none in a closed one."""
    if isinstance(stage.load, Closed):
        return iter(())
    if stage.load.arrivals is None:
        return (request.at_seconds or 0.0 for request in plan.trace)
    return due_seconds(stage.load.arrivals, rng_of(plan, f"{stage.purpose} arrivals"))


def rng_of(plan: Plan, purpose: str) -> random.Random:
    """Returns a generator of its own for each purpose, so that more of one draws no other differently."""
    return random.Random(f"{plan.seed} {purpose}")  # noqa: S311 - no secret is drawn
