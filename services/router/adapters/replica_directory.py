"""The replicas that hold a report stream to this router, in memory: after a restart they register anew."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.router.domain.placement import Load, Registration, Replica
from services.runtime.errors import ComptoirError, Reason
from services.runtime.identity import Identity


@dataclass(slots=True)
class _Entry:
    session: Identity
    registration: Registration
    reported_at_seconds: float
    load: Load | None = None
    leases: set[Identity] = field(default_factory=set)


class MemoryReplicaDirectory:
    """One entry per replica number; the newest registration owns it."""

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._replica_of_lease: dict[Identity, int] = {}

    def register(self, registration: Registration, now_seconds: float) -> Identity:
        """Take a replica in, in place of an older registration of its number; return the session."""
        for entry in self._entries.values():
            other = entry.registration
            if other.address == registration.address and other.replica != registration.replica:
                raise ComptoirError(Reason.REQUEST_INVALID, field="registration.address")
        self._drop(registration.replica)
        session = Identity.random()
        self._entries[registration.replica] = _Entry(session, registration, now_seconds)
        return session

    def report(self, session: Identity, load: Load, now_seconds: float) -> None:
        """Keep the load; ignored if the session was replaced."""
        entry = self._entry(session)
        if entry is not None:
            entry.load = load
            entry.reported_at_seconds = now_seconds

    def leave(self, session: Identity) -> None:
        """Forget the replica, unless it was registered anew since."""
        entry = self._entry(session)
        if entry is not None:
            self._drop(entry.registration.replica)

    def pool(self, model: int, region: int) -> Sequence[Replica]:
        """Return the replicas that serve a model in a region, ready or not."""
        return [
            Replica(entry.registration, entry.load, entry.reported_at_seconds, len(entry.leases))
            for entry in self._entries.values()
            if entry.registration.model == model and entry.registration.region == region
        ]

    def assign(self, lease_id: Identity, replica: int) -> None:
        """Count a request in flight on a replica."""
        entry = self._entries.get(replica)
        if entry is not None:
            entry.leases.add(lease_id)
            self._replica_of_lease[lease_id] = replica

    def unassign(self, lease_id: Identity) -> None:
        """End that count; safe to repeat."""
        replica = self._replica_of_lease.pop(lease_id, None)
        entry = self._entries.get(replica) if replica is not None else None
        if entry is not None:
            entry.leases.discard(lease_id)

    def _entry(self, session: Identity) -> _Entry | None:
        return next((entry for entry in self._entries.values() if entry.session == session), None)

    def _drop(self, replica: int) -> None:
        # A stream that ended takes its count along: what still runs there shows in the next load report.
        entry = self._entries.pop(replica, None)
        for lease_id in entry.leases if entry else ():
            self._replica_of_lease.pop(lease_id, None)
