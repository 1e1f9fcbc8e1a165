"""Whether it is the emitter's own clock or program that is wrong, or one producer's."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from services.contract.events import Kind

# A producer that has not been heard of for so long vouches for nothing.
REMEMBER_SECONDS: Final = 300.0
# A word that is repeated within it is not written down anew.
_MOMENT_SECONDS: Final = 1.0
# Producers send their own numbers; more of them than any deployment has are not remembered.
MAX_SOURCES: Final = 1_024


@dataclass(frozen=True, slots=True)
class Source:
    """Who made events of a kind: the router, an edge, or the replica of a number."""

    kind: Kind
    replica: int = 0


class Agreement:
    """The last word of each producer about this emitter's clock, schema and region.

    The rule: while the latest event of any producer is acceptable, those that are not are their producers'
    fault, and the emitter is well. Where nobody's latest event is acceptable, it is the emitter's.
    """

    def __init__(self) -> None:
        self._words: dict[Source, tuple[bool, float]] = {}
        self.is_well = True

    def accepted(self, sources: Iterable[Source], now_seconds: float) -> list[Source]:
        """Notes that events of these producers were acceptable; returns those whose latest were not."""
        news = [source for source in sources if self._is_news(source, now_seconds)]
        if not news:
            return []
        changed = [source for source in news if self._note(source, now_seconds, is_accepted=True) is False]
        self._judge(now_seconds)
        return changed

    def refused(self, sources: Iterable[Source], now_seconds: float) -> list[Source]:
        """Notes that these producers disagree; returns those that did not just before."""
        changed = [s for s in sources if self._note(s, now_seconds, is_accepted=False) is not False]
        self._judge(now_seconds)
        return changed

    def forget(self) -> None:
        """Forgets every word: nobody has spoken for so long that nothing is known."""
        self._words.clear()
        self.is_well = True

    def _is_news(self, source: Source, now_seconds: float) -> bool:
        """Returns False for a producer whose word a moment ago was the same."""
        is_accepted, said_at_seconds = self._words.get(source, (False, 0.0))
        return not is_accepted or now_seconds - said_at_seconds >= _MOMENT_SECONDS

    def _note(self, source: Source, now_seconds: float, *, is_accepted: bool) -> bool | None:
        """Writes down a producer's word and returns the one before."""
        before, _ = self._words.pop(source, (None, 0.0))
        if len(self._words) >= MAX_SOURCES:
            del self._words[next(iter(self._words))]
        self._words[source] = (is_accepted, now_seconds)
        return before

    def _judge(self, now_seconds: float) -> None:
        oldest = now_seconds - REMEMBER_SECONDS
        self._words = {source: word for source, word in self._words.items() if word[1] >= oldest}
        words = [is_accepted for is_accepted, _ in self._words.values()]
        self.is_well = not words or any(words)
