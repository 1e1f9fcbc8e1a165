"""Where a request stands in the engine's queue: by class and by age, in one number that never changes."""

from dataclasses import dataclass
from typing import Final

# The classes of tickets; a number between two of them is of the class before it.
_DEFAULT: Final = 10
_BATCH: Final = 20
_MILLISECONDS: Final = 1000


@dataclass(frozen=True, slots=True)
class QueueOrder:
    """Orders by arrival, as if a request had come its class's seconds later than it did.

    Interactive requests go first among those that came together. Whatever waited for its seconds
    goes before every request that comes then, so nobody can keep it waiting by sending more.
    """

    default_yields_seconds: float = 5.0
    batch_yields_seconds: float = 60.0

    def number(self, ticket_priority: int, arrived_seconds: float) -> int:
        """The engine's priority, lower sooner: milliseconds on the clock of `arrived_seconds`."""
        return round((arrived_seconds + self._yields_seconds(ticket_priority)) * _MILLISECONDS)

    def _yields_seconds(self, ticket_priority: int) -> float:
        if ticket_priority >= _BATCH:
            return self.batch_yields_seconds
        return self.default_yields_seconds if ticket_priority >= _DEFAULT else 0.0
