"""The first place of a request: one of the class batch gets it when nothing holds its class back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from services.kernel.identity import Identity
from services.router.domain.batch_gate import BatchGate
from services.router.domain.offers import Offers, Want
from services.router.domain.placement.kinds import Kinds
from services.router.domain.placement.placing import Placement
from services.router.domain.tenancy import Priority


class FirstPlaces:
    """Asks the gate for those of the class batch; others never wait for it."""

    def __init__(self, offers: Offers, gate: BatchGate) -> None:
        self._offers = offers
        self._gate = gate

    @contextmanager
    def asked(
        self, lease_id: Identity, want: Want, asked_seconds: float
    ) -> Iterator[Callable[[Kinds], Placement]]:
        """Yields what finds the place of a request on a replica of no barred kind.

        Once it has one, or has gone, no room is kept for it.
        """
        in_turn = replace(want, due_seconds=self._offers.due_seconds(want.priority))

        def place(barred: Kinds) -> Placement:
            # Hardly ever is a kind barred, and each request comes by here.
            wanted = replace(in_turn, barred=barred) if barred else in_turn
            return self.place(lease_id, wanted, asked_seconds)

        try:
            yield place
        finally:
            self._offers.leave(lease_id, want)

    def place(self, lease_id: Identity, want: Want, asked_seconds: float | None = None) -> Placement:
        """Returns the best replica; BATCH_HELD_BACK where the class has to wait, else as `Offers.place`.

        `asked_seconds` is when the request came, on the monotonic clock.
        """
        if want.priority < Priority.BATCH:
            return self._offers.place(lease_id, want)
        # While its class has to wait, it takes nobody's room.
        self._offers.leave(lease_id, want)
        is_free = self._gate.check(want.model, asked_seconds)
        return self._offers.place(lease_id, replace(want, may_spill=is_free))

    def note_begun(self, want: Want) -> None:
        """Notes that a request that was placed has its lease too."""
        if want.priority >= Priority.BATCH:
            self._gate.note_begun(want.model)
