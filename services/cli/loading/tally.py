"""How far requests are, counted while they run: by one process, or joined over several."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from services.cli.bench.exchange import INTERRUPTED, Exchange

_RECENT: Final = 200


@dataclass(slots=True)
class Tally:
    """Counts; `recent` are seconds to the first output, or to the end where that is all there is."""

    in_flight: int = 0
    done: int = 0
    failed: int = 0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def began(self) -> None:
        """One more is under way."""
        self.in_flight += 1

    def ended(self, exchange: Exchange) -> None:
        """One ended so."""
        self.in_flight -= 1
        self.done += 1
        if exchange.failure:
            self.failed += exchange.failure != INTERRUPTED
            return
        first = exchange.ttft_seconds
        self.recent.append(exchange.e2e_seconds if first is None else first)


def joined(tallies: Iterable[Tally]) -> Tally:
    """Returns the sums, and what was lately seen by any of them."""
    whole = Tally(recent=deque())
    for tally in tallies:
        whole.in_flight += tally.in_flight
        whole.done += tally.done
        whole.failed += tally.failed
        whole.recent += tally.recent
    return whole
