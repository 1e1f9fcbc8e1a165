"""Requests of the KV-cache contest: tenants of known habits, as many as fill the caches and more."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# What every client asks for at most, as libraries do by themselves.
MAX_OUTPUT_TOKENS: Final = 4_096
_MOST_INPUT_TOKENS: Final = 16_000
_LEAST_TOKENS: Final = 8


@dataclass(frozen=True, slots=True)
class Habit:
    """What a tenant's prompts and answers are like: log-normal, by the median and the spread."""

    input_tokens: int
    input_sigma: float
    output_tokens: int
    output_sigma: float


@dataclass(frozen=True, slots=True)
class KvShape:
    """Tenants that ask equally often; `rate` requests per second fill the cache of one replica."""

    name: str
    rate: float
    habits: tuple[Habit, ...]


@dataclass(frozen=True, slots=True)
class KvRequest:
    """One request: when it comes, whose it is, and its true size."""

    number: int
    arrived_seconds: float
    tenant: int
    input_tokens: int
    output_tokens: int


def kv_requests(
    shape: KvShape, *, replicas: int, seconds: float, seed: int, share: float
) -> Iterator[KvRequest]:
    """Yields the requests of one run by their arrival; `share` is that of the rate that fills the caches."""
    draw = random.Random(f"{shape.name} {replicas} {seed}")
    now_seconds, number = 0.0, 0
    while True:
        now_seconds += draw.expovariate(shape.rate * replicas * share)
        if now_seconds >= seconds:
            return
        number += 1
        tenant = draw.randrange(len(shape.habits))
        habit = shape.habits[tenant]
        input_tokens = round(draw.lognormvariate(0, habit.input_sigma) * habit.input_tokens)
        output_tokens = round(draw.lognormvariate(0, habit.output_sigma) * habit.output_tokens)
        yield KvRequest(
            number,
            now_seconds,
            tenant + 1,
            max(_LEAST_TOKENS, min(_MOST_INPUT_TOKENS, input_tokens)),
            max(_LEAST_TOKENS, min(MAX_OUTPUT_TOKENS, output_tokens)),
        )


# A writer's answers are longer than its prompts, a reader's prompts are a hundred times its answers.
_WRITER: Final = Habit(200, 0.5, 700, 0.6)
_READER: Final = Habit(3_000, 0.7, 80, 0.6)
_CHAT: Final = Habit(500, 1.2, 150, 0.8)
KV_SHAPES: Final = (
    KvShape("long answers", 3.3, (_WRITER,)),
    KvShape("long prompts", 3.0, (_READER,)),
    KvShape("writers, readers and chat", 4.3, (_WRITER, _READER, _CHAT)),
)
