"""How far each producer's events are stored: what comes above is new, and only what does not is looked up."""

from typing import Final

from services.contract.events import Kind
from services.contract.frame import Frame

# Producers are spools, one per emitter; of more than any deployment has, the oldest is asked for again.
MAX_PRODUCERS: Final = 4_096


class HighWater:
    """Per kind and producer, the highest sequence that the store is known to hold.

    A producer's frames are in the log in order, so one that begins above it holds nothing that is stored.
    """

    def __init__(self) -> None:
        self._sequences: dict[tuple[Kind, int], int] = {}

    def of(self, frame: Frame) -> int | None:
        """Returns the highest sequence of the frame's producer, or None where the store must be asked."""
        return self._sequences.get((frame.kind, frame.producer_id))

    def rise(self, frame: Frame, sequence: int) -> None:
        """Takes the highest sequence that the store holds of the frame's producer; 0 if it never held one."""
        place = frame.kind, frame.producer_id
        highest = max(sequence, self._sequences.pop(place, 0))
        if len(self._sequences) >= MAX_PRODUCERS:
            del self._sequences[next(iter(self._sequences))]
        self._sequences[place] = highest

    def forget(self) -> None:
        """Forgets all: another member may store what comes now."""
        self._sequences.clear()
