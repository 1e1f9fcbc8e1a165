"""Who may be connected to the operations port: none for long, and none so often that others find no place.

A probe comes from an address of its own, as a kubelet does: a flood of another one leaves it its place, and
where many addresses hold all there is, one of theirs gives way.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

# Connections that one address may have open.
MAX_CONNECTIONS: Final = 4
# Places that one address may take: those of connections that end are given back a moment later.
MAX_PLACES_OF_ONE: Final = 2 * MAX_CONNECTIONS
# Connections that all addresses together may have open.
MAX_OPEN: Final = 8 * MAX_CONNECTIONS
# Places, each with a thread.
MAX_PLACES: Final = 2 * MAX_OPEN

Connection = TypeVar("Connection")


@dataclass(eq=False, slots=True)
class Place(Generic[Connection]):
    """A place that is taken, until a time at most."""

    connection: Connection
    address: str
    end_seconds: float
    # Whether its request has come, so that it is answered and gone soon.
    has_asked: bool = False


class Places(Generic[Connection]):
    """The connections that are open, the one that is open longest first, and how many places are taken."""

    def __init__(self) -> None:
        self._open: list[Place[Connection]] = []
        self._taken: Counter[str] = Counter()

    def enter(
        self, connection: Connection, address: str, end_seconds: float
    ) -> tuple[Place[Connection] | None, Place[Connection] | None]:
        """Returns the place of a caller, if it has one, and the place whose connection is to end for it.

        Where its address has too many open, that is one of its own that has asked nothing yet, though it be
        the caller's; where all together have, one of those that have asked nothing, of the address with most.
        """
        if self._taken[address] >= MAX_PLACES_OF_ONE or self._taken.total() >= MAX_PLACES:
            return None, None
        self._taken[address] += 1
        place = Place(connection, address, end_seconds)
        self._open.append(place)
        ended = self._gives_way(place)
        if ended is not None:
            self._open.remove(ended)
        return place, ended

    def leave(self, place: Place[Connection]) -> None:
        """Gives a place back."""
        if place in self._open:
            self._open.remove(place)
        self._taken[place.address] -= 1
        if not self._taken[place.address]:
            del self._taken[place.address]

    def _gives_way(self, newcomer: Place[Connection]) -> Place[Connection] | None:
        open_of = Counter(other.address for other in self._open)
        if open_of[newcomer.address] > MAX_CONNECTIONS:
            theirs = (other for other in self._open if other.address == newcomer.address)
            return next(other for other in theirs if not other.has_asked)
        if len(self._open) <= MAX_OPEN:
            return None
        # Of equal ones the first, which is open longest.
        others = (other for other in self._open if other is not newcomer)
        return min(others, key=lambda other: (other.has_asked, -open_of[other.address]))

    def overdue(self, now_seconds: float) -> list[Place[Connection]]:
        """Returns, once, those whose time is over: they are to end, however busy they look."""
        late = [place for place in self._open if place.end_seconds < now_seconds]
        self._open = [place for place in self._open if place not in late]
        return late
