"""Pairs of texts that belong together: a question of the corpus of tiny-eu and its answer."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from deploy.models.tiny_eu_training.corpus import conversations

if TYPE_CHECKING:
    from collections.abc import Iterator

# Questions that are answered alike would push each other away.
_TRIES = 20


def pairs(seed: int, count: int) -> list[tuple[str, str]]:
    """Return questions with their answers; the same seed gives the same ones."""
    found: dict[str, str] = {}
    for sample in conversations(seed, count):
        roles = [turn.role for turn in sample.turns]
        if "user" in roles:
            place = roles.index("user")
            found.setdefault(sample.turns[place].text, sample.turns[place + 1].text)
    return list(found.items())


def batches(found: list[tuple[str, str]], size: int, seed: int) -> Iterator[list[tuple[str, str]]]:
    """Yield batches for ever, in each of which no answer stands twice."""
    rng = random.Random(seed)
    while True:
        batch: dict[str, str] = {}
        for _ in range(size * _TRIES):
            question, answer = rng.choice(found)
            batch[answer] = question
            if len(batch) == size:
                break
        yield [(question, answer) for answer, question in batch.items()]
