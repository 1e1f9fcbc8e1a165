"""The replicas that hold a report stream to this router, in memory: after a restart they register anew."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.router.domain.placement import Load, Registration, Replica
from services.router.domain.registering import Session, check_free
from services.runtime.identity import Identity


@dataclass(slots=True)
class _Entry:
    session: Identity
    registration: Registration
    reported_at_seconds: float
    load: Load | None = None
    leases: set[Identity] = field(default_factory=set)


class MemoryReplicaDirectory:
    """One entry per replica number, held for as long as its process speaks."""

    def __init__(self, *, silent_seconds: float = 10.0) -> None:
        self._silent_seconds = silent_seconds
        self._entries: dict[int, _Entry] = {}
        # Outlives the stream: what a dead process held is known until its next process registers.
        self._process_of_lease: dict[Identity, tuple[int, int]] = {}

    def register(self, registration: Registration, now_seconds: float) -> Identity:
        """Take a replica in, in place of its own earlier session or of a silent one; return the session."""
        entries = list(self._entries.values())
        check_free(
            registration,
            (Session(entry.registration, entry.reported_at_seconds) for entry in entries),
            now_seconds=now_seconds,
            silent_seconds=self._silent_seconds,
        )
        for entry in entries:
            if entry.registration.address == registration.address:
                self._drop(entry.registration.replica)
        self._drop(registration.replica)
        session = Identity.random()
        self._entries[registration.replica] = _Entry(session, registration, now_seconds)
        return session

    def report(self, session: Identity, load: Load | None, now_seconds: float) -> bool:
        """Keep the load; False if the session is over: it was replaced."""
        entry = self._entry(session)
        if entry is None:
            return False
        entry.load = load or entry.load
        entry.reported_at_seconds = now_seconds
        return True

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
            self._process_of_lease[lease_id] = (replica, entry.registration.incarnation)

    def unassign(self, lease_id: Identity) -> None:
        """End that count; safe to repeat."""
        process = self._process_of_lease.pop(lease_id, None)
        entry = self._entries.get(process[0]) if process is not None else None
        if entry is not None:
            entry.leases.discard(lease_id)

    def orphans(self, registration: Registration) -> Sequence[Identity]:
        """Return the requests that were sent to an earlier process of that replica and have not ended."""
        known = (0, registration.incarnation)
        return [
            lease_id
            for lease_id, (replica, incarnation) in self._process_of_lease.items()
            if replica == registration.replica and registration.incarnation and incarnation not in known
        ]

    def _entry(self, session: Identity) -> _Entry | None:
        return next((entry for entry in self._entries.values() if entry.session == session), None)

    def _drop(self, replica: int) -> None:
        # A stream that ended takes its count along: what still runs there shows in the next load report.
        self._entries.pop(replica, None)
