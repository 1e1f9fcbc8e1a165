"""What happened to leases that a router lent by itself, in its order, until the store has been told of it."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypeAlias

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.domain.lease import (
    Acceptance,
    Freed,
    Issue,
    Process,
    Reservation,
    Settlement,
)
from services.router.domain.ports import LeaseStore

# Some 80 MB, where each has three steps.
MOST_LEASES: Final = 65_536
_SHORTEST_SECONDS: Final = 0.001


@dataclass(frozen=True, slots=True)
class Release:
    """A lease was given back unused."""

    lease_id: Identity


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A lease was undone of which no ticket left the router."""

    lease_id: Identity


@dataclass(frozen=True, slots=True)
class Loss:
    """A process was gone, and freed the places of those holders."""

    process: Process
    holders: frozenset[Identity]


Happening: TypeAlias = Reservation | Issue | Acceptance | Settlement | Release | Cancellation | Loss


class Step(NamedTuple):
    """One that happened, and until when what it lent lasts, where it lent."""

    happening: Happening
    until_seconds: float = 0.0

    async def tell(self, store: LeaseStore, now_seconds: float) -> Sequence[Freed]:
        """Has the store do the same, also again; returns the places of a loss that only the store knew."""
        lasts_seconds = max(_SHORTEST_SECONDS, self.until_seconds - now_seconds)
        match self.happening:
            case Reservation():
                await store.reserve(replace(self.happening, is_lent=True, lasts_seconds=lasts_seconds))
            case Issue():
                await _issue(store, replace(self.happening, quotas=None, lasts_seconds=lasts_seconds))
            case Acceptance():
                await store.accept(replace(self.happening, lasts_seconds=lasts_seconds))
            case Settlement():
                await store.settle(self.happening)
            case Release(lease_id):
                await store.release(lease_id)
            case Cancellation(lease_id):
                await store.cancel(lease_id)
            case Loss(process, holders):
                return [one for one in await store.lose(process) if one.holder not in holders]
        return []


class LeaseJournal:
    """Steps that the store has not heard, oldest first; those of a lease that is settled are two."""

    def __init__(self, most_leases: int = MOST_LEASES) -> None:
        self._most_leases = most_leases
        self._numbers = itertools.count()
        self._steps: dict[int, Step] = {}
        self._of_lease: dict[Identity, list[int]] = {}

    def __len__(self) -> int:
        """Returns how many steps are not told."""
        return len(self._steps)

    @property
    def leases(self) -> int:
        """Returns of how many leases something is not told."""
        return len(self._of_lease)

    @property
    def is_full(self) -> bool:
        """Tells whether no more leases are to be lent."""
        return self.leases >= self._most_leases

    def note(self, happening: Happening, until_seconds: float = 0.0) -> None:
        """Notes what happened last; the same once more in a row changes nothing."""
        if self._is_last(happening):
            return
        number = next(self._numbers)
        self._steps[number] = Step(happening, until_seconds)
        lease_id = _lease_of(happening)
        if lease_id is not None:
            self._of_lease.setdefault(lease_id, []).append(number)

    def _is_last(self, happening: Happening) -> bool:
        lease_id = _lease_of(happening)
        numbers = [] if lease_id is None else self._of_lease.get(lease_id, [])
        return len(numbers) > 0 and self._steps[numbers[-1]].happening == happening

    def shorten(self, lease_id: Identity) -> None:
        """Forgets who held a lease that is settled: what was lent and what was used is all that counts."""
        self.drop(
            number
            for number in tuple(self._of_lease.get(lease_id, ()))
            if isinstance(self._steps[number].happening, Issue | Acceptance)
        )

    def head(self, most: int) -> dict[int, Step]:
        """Returns the oldest steps by their numbers, none behind a loss: what is lost is known by then."""
        found: dict[int, Step] = {}
        for number, step in itertools.islice(self._steps.items(), most):
            found[number] = step
            if isinstance(step.happening, Loss):
                break
        return found

    def drop(self, numbers: Iterable[int]) -> None:
        """Forgets steps that were told; some may be forgotten already."""
        for number in numbers:
            step = self._steps.pop(number, None)
            lease_id = None if step is None else _lease_of(step.happening)
            if lease_id is None:
                continue
            self._of_lease[lease_id].remove(number)
            if not self._of_lease[lease_id]:
                del self._of_lease[lease_id]


async def _issue(store: LeaseStore, issue: Issue) -> None:
    try:
        await store.issue(issue)
    except ComptoirError as error:
        # Said again, or its time was over first.
        if error.reason is not Reason.LEASE_ENDED:
            raise


def _lease_of(happening: Happening) -> Identity | None:
    match happening:
        case Issue(claims):
            return claims.lease_id
        case Loss():
            return None
        case _:
            return happening.lease_id
