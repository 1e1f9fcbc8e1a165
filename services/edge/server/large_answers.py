"""How many bytes of large answers an edge holds at once, and how these are sent."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from services.edge.server.http.exchange import JSON_TYPE, Exchange, HeaderList
from services.edge.server.places import Places
from services.kernel.errors import ComptoirError, Numbers, Reason

_MEBIBYTE: Final = 1024 * 1024
# What is held at once and not read yet, of all keys and of one; no one answer is larger than the second.
MAX_HELD_BYTES: Final = 256 * _MEBIBYTE
MAX_HELD_BYTES_OF_KEY: Final = 64 * _MEBIBYTE
# An answer up to this size is sent whole, with its length; every open connection may have one.
WHOLE_BYTES: Final = 64 * 1024


class LargeAnswers(Places):
    """The answers that an edge holds in memory until their clients have read them.

    A replica settles the lease of such an answer as soon as it has made it, so the quota of the key does not
    bound how many of them wait to be read. Where its size is known beforehand, a request that finds no place
    waits before it is admitted; the others take theirs as they grow.
    """

    def __init__(
        self,
        *,
        wait_seconds: float,
        max_bytes: int = MAX_HELD_BYTES,
        max_bytes_of_key: int = MAX_HELD_BYTES_OF_KEY,
    ) -> None:
        super().__init__(wait_seconds=wait_seconds, max_bytes=max_bytes, max_bytes_of_key=max_bytes_of_key)
        self._max_bytes_of_answer = max_bytes_of_key

    @contextmanager
    def growing(self, key: str) -> Iterator["GrowingPlace"]:
        """While entered, holds the place of an answer of `key` of which nobody knows how long it will be."""
        place = GrowingPlace(self, key, max_bytes=self._max_bytes_of_answer)
        try:
            yield place
        finally:
            place.give_back()


class GrowingPlace:
    """The place of one answer, which is taken for what it has beyond its first 64 KiB.

    A text comes in the turn of the loop that it shares with the texts of others, where nothing may be raised:
    `refusal` says from then on that no more of it may be held.
    """

    def __init__(self, answers: LargeAnswers, key: str, *, max_bytes: int) -> None:
        self._answers = answers
        self._key = key
        self._max_bytes = max_bytes
        self._taken_bytes = WHOLE_BYTES
        self.refusal: ComptoirError | None = None

    def grow(self, held_bytes: int) -> None:
        """Takes note that the answer holds `held_bytes` by now."""
        if held_bytes <= self._taken_bytes or self.refusal is not None:
            return
        if held_bytes > self._max_bytes:
            self.refusal = ComptoirError(Reason.ANSWER_TOO_LARGE, numbers=Numbers(limit=self._max_bytes))
            return
        # In large steps, and never less than it holds.
        more_bytes = max(WHOLE_BYTES, held_bytes - self._taken_bytes)
        self.refusal = self._answers.refusal_of(self._key, more_bytes)
        if self.refusal is None:
            self._answers.take(self._key, more_bytes)
            self._taken_bytes += more_bytes

    def check(self) -> None:
        """Raises ANSWER_TOO_LARGE for an answer that nobody may hold, or as `Places.place` does."""
        if self.refusal is not None:
            raise self.refusal

    def give_back(self) -> None:
        """Gives the place back."""
        taken_bytes, self._taken_bytes = self._taken_bytes - WHOLE_BYTES, WHOLE_BYTES
        if taken_bytes:
            self._answers.give_back(self._key, taken_bytes)


async def send_parts(exchange: Exchange, parts: Iterator[bytes], headers: HeaderList) -> None:
    """Sends a JSON answer as it is written: with its length where it is small, in chunks otherwise.

    Of a large one no more is written than its client reads, and others have their turn behind each part.
    """
    held = bytearray()
    for part in parts:
        held += part
        if len(held) > WHOLE_BYTES:
            if not exchange.is_started:
                await exchange.begin(200, [JSON_TYPE, *headers])
            await exchange.write(bytes(held))
            held.clear()
        await asyncio.sleep(0)
    if exchange.is_started:
        await exchange.end(bytes(held))
    else:
        await exchange.answer(200, bytes(held), headers)
