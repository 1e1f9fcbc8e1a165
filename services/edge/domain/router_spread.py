"""Which of several routers is asked: one for prompts that begin alike, and none for more than its share."""

from collections.abc import Sequence
from hashlib import blake2b
from math import ceil
from typing import Final

from services.edge.domain.generation import GenerationRequest
from services.edge.domain.prefixes import PrefixDigests
from services.kernel.identity import Identity

# The longest of them has 2,048 bytes, some 500 tokens: less in common is worth little in a cache.
BEGINNINGS: Final = 4
# Consistent hashing with bounded loads: so much of its share a router is asked, and so many questions more.
MOST_OF_SHARE: Final = 1.25
FREE_QUESTIONS: Final = 8
# Questions after which those so far count half.
REMEMBERED: Final = 1024


class RouterSpread:
    """Divides what one edge asks among the routers that are equally near.

    Each router learns from what it places where a prompt is cached, so questions go by how their prompt
    begins (rendezvous hashing), which is the same in every edge that has the same secret of prefixes. One
    that would have more than its share of them, as where all prompts begin alike, is passed over.
    """

    def __init__(self, routers: Sequence[str], prefixes: PrefixDigests) -> None:
        self._keys = [blake2b(router.encode(), digest_size=32).digest() for router in routers]
        self._prefixes = prefixes
        self._among: tuple[int, ...] = ()
        self._counts: dict[int, int] = {}

    def turn_of(self, key: str, request: GenerationRequest, request_id: Identity) -> int:
        """Returns what decides who is asked for an admission."""
        digests = self._prefixes.of(key, request)[:BEGINNINGS]
        return digests[-1] if digests else request_id.low

    def choose(self, among: Sequence[int], turn: int) -> int:
        """Returns one of the places in the list; counts nothing, since who waits looks again and again."""
        self._begin_anew_where_others(tuple(among))
        most = most_of(sum(self._counts.values()) + 1, len(among))
        ranked = self.ranked(among, turn)
        # There is always one: not all can be above the mean.
        return next(place for place in ranked if self._counts[place] < most)

    def count(self, place: int) -> None:
        """Counts a question that is asked there."""
        if place in self._counts:
            self._counts[place] += 1

    def ranked(self, among: Sequence[int], turn: int) -> list[int]:
        """Returns places in the order of a turn: where a router comes or goes, that of the others stays."""
        text = turn.to_bytes(8)

        def weight(place: int) -> bytes:
            return blake2b(text, digest_size=8, key=self._keys[place]).digest()

        return sorted(among, key=weight, reverse=True)

    def _begin_anew_where_others(self, among: tuple[int, ...]) -> None:
        """One that comes back is not given at once what it missed."""
        if among != self._among:
            self._among, self._counts = among, dict.fromkeys(among, 0)
        elif sum(self._counts.values()) >= REMEMBERED:
            self._counts = {place: count // 2 for place, count in self._counts.items()}


def most_of(questions: int, routers: int) -> int:
    """Returns how many of so many questions one of so many routers is asked at most."""
    return ceil(MOST_OF_SHARE * questions / routers) + FREE_QUESTIONS
