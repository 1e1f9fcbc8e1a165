"""The replicas that hold a report stream to this router, in memory: after a restart they register anew."""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from services.kernel.identity import Identity
from services.router.adapters.replica_entry import Entry
from services.router.domain.lease import Process
from services.router.domain.limits import RouterLimits
from services.router.domain.placement.circuit import CLOSED, Circuit
from services.router.domain.placement.expected_replicas import NO_MODELS, ExpectedReplicas
from services.router.domain.placement.filters import state_of
from services.router.domain.placement.kinds import NOTHING_REQUIRED, Requirement
from services.router.domain.placement.replica import (
    Claims,
    Load,
    Registration,
    Replica,
    State,
)
from services.router.domain.registering import Session, check_free

# A model and a region, by their catalog numbers.
_Pool: TypeAlias = tuple[int, int]


class MemoryReplicaDirectory:
    """One entry per replica number, held for as long as its process speaks.

    A process whose stream ended is away, and gone once it has not come back for `replica_return_seconds`.
    One that says nothing for `replica_silent_seconds` is gone too, whatever became of its stream.
    """

    def __init__(
        self,
        limits: RouterLimits,
        started_at_seconds: float,
        *,
        scaled_models: Mapping[int, int] = NO_MODELS,
        on_register: Callable[[Registration], None] = lambda _: None,
    ) -> None:
        self._on_register = on_register
        self._limits = limits
        self._ended: Counter[tuple[_Pool, int]] = Counter()
        self.expected: Final = ExpectedReplicas(limits, started_at_seconds, scaled_models)
        self._entries: dict[int, Entry] = {}
        # Their numbers by session and address: to look through all of them is felt where they are many.
        self._replica_in, self._replica_at = dict[Identity, int](), dict[str, int]()
        self._away: dict[Process, float] = {}
        self._replica_of: dict[Identity, int] = {}
        self._unclaimed: dict[Identity, float] = {}
        # Of processes that failed lately.
        self._circuits: dict[Process, Circuit] = {}
        # Whether an operator wants a process to drain, until it says so itself.
        self._drain_wishes: dict[Process, bool] = {}

    def register(self, registration: Registration, now_seconds: float) -> Identity:
        """Takes a replica in, in place of its earlier session or of a silent one; returns the session."""
        # Nobody else can stand in its way.
        numbers = {registration.replica, self._replica_at.get(registration.address, 0)}
        held = [self._entries[number] for number in sorted(numbers) if number in self._entries]
        check_free(
            registration,
            (Session(entry.registration, entry.reported_at_seconds) for entry in held),
            now_seconds=now_seconds,
            silent_seconds=self._limits.replica_silent_seconds,
        )
        for entry in held:
            self._drop(entry, -math.inf, now_seconds)
        for process in self._away:
            if process.replica == registration.replica:
                # Another process has its number, so it is gone for good.
                self._away[process] = -math.inf
        self._away.pop(registration.process, None)
        self._on_register(registration)
        session = Identity.random()
        self._entries[registration.replica] = Entry(session, registration, now_seconds, now_seconds)
        self.expected.register(registration)
        self._replica_in[session] = self._replica_at[registration.address] = registration.replica
        return session

    def report(
        self,
        session: Identity,
        load: Load | None,
        now_seconds: float,
        *,
        clock_offset_seconds: float | None = None,
    ) -> bool:
        """Keeps the load; False if the session is over: it was replaced, or silent for too long."""
        entry = self._entry(session)
        if entry is None:
            return False
        entry.known = None
        if load is not None:
            entry.hear(load, now_seconds)
        if load is not None and self._drain_wishes.get(entry.registration.process) == load.is_draining:
            del self._drain_wishes[entry.registration.process]
        entry.clock_offset_seconds = clock_offset_seconds
        entry.reported_at_seconds = now_seconds
        if state_of(self._seen(entry), self._limits, now_seconds) is State.READY:
            self.expected.note_ready(entry.registration.replica, now_seconds)
        return True

    def leave(self, session: Identity, now_seconds: float) -> None:
        """Forgets the replica, unless it was registered anew since; its process may come back."""
        entry = self._entry(session)
        if entry is not None:
            self._drop(entry, now_seconds, now_seconds)

    def pool(self, model: int, region: int) -> Sequence[Replica]:
        """Returns the replicas that serve a model in a region, ready or not."""
        # With every request: what did not change is not looked at.
        return [
            entry.known or self._seen(entry)
            for entry in self._entries.values()
            if entry.registration.model == model and entry.registration.region == region
        ]

    def expected_seconds(
        self, model: int, region: int, now_seconds: float, required: Requirement = NOTHING_REQUIRED
    ) -> float:
        """Returns for how much longer a replica that may serve a request is expected; 0 if none is."""
        pool = self.pool(model, region)
        return self.expected.seconds(pool, model, region, now_seconds, required)

    def ended_requests(self, model: int, region: int, tenant: int = 0) -> int:
        """Returns how many requests have ended on a model's replicas, ever, that serve all or that tenant."""
        return self._ended[(model, region), tenant]

    def everyone(self) -> Sequence[Replica]:
        """Returns all replicas that are registered, by number."""
        return [self._seen(self._entries[number]) for number in sorted(self._entries)]

    def want_drain(self, replica: int, *, is_wanted: bool) -> bool:
        """Notes that a replica's process is to be drained, or no longer; False if none has that number."""
        entry = self._entries.get(replica)
        if entry is not None:
            entry.known = None
            self._drain_wishes[entry.registration.process] = is_wanted
        return entry is not None

    def drain_wish(self, session: Identity) -> bool | None:
        """Returns what a replica is to be told of its drain; None where it says the same, or nobody asked."""
        entry = self._entry(session)
        return None if entry is None else self._drain_wishes.get(entry.registration.process)

    def assign(self, holder: Identity, replica: int) -> None:
        """Counts a request in flight on a replica: a ticket that it accepted."""
        self._forget(holder)
        entry = self._entries.get(replica)
        if entry is not None:
            entry.known = None
            entry.holders.add(holder)
            self._replica_of[holder] = replica

    def claim(self, holder: Identity, replica: int, claims: Claims, now_seconds: float) -> None:
        """Counts a request in flight on a replica that has not accepted it yet: a lease meant for it."""
        self.assign(holder, replica)
        entry = self._entries.get(replica)
        if entry is not None:
            entry.claim(holder, claims, now_seconds)
            self._unclaimed[holder] = claims.until_seconds
            process = entry.registration.process
            if process in self._circuits:
                self._set_circuit(process, self._circuits[process].sent(now_seconds))

    def unassign(self, holder: Identity) -> None:
        """Ends that count; safe to repeat."""
        entry = self._forget(holder)
        if entry is not None:
            self._ended[_pool_of(entry), entry.registration.tenant] += 1

    def judge(self, process: Process, now_seconds: float, *, has_failed: bool) -> None:
        """Notes that a process answered a request, or that its request has to be sent elsewhere."""
        circuit = self._circuits.get(process, CLOSED)
        if has_failed:
            self._set_circuit(process, circuit.failed(now_seconds, self._limits.placement.circuit))
        elif circuit != CLOSED:
            self._set_circuit(process, circuit.served(now_seconds))

    def drop_unclaimed(self, now_seconds: float) -> None:
        """Ends the counts whose time is over."""
        # All have the same time, so the first to end stand first.
        unclaimed = self._unclaimed.items()
        for holder in [one for one, _ in itertools.takewhile(lambda it: it[1] <= now_seconds, unclaimed)]:
            self._forget(holder)

    def gone(self, now_seconds: float) -> Sequence[Process]:
        """Returns, once each, the processes that were replaced, or did not come back, or fell silent."""
        for entry in list(self._entries.values()):
            if now_seconds - entry.reported_at_seconds > self._limits.replica_silent_seconds:
                self._drop(entry, -math.inf, now_seconds)
        over_seconds = now_seconds - self._limits.replica_return_seconds
        gone = [process for process, since_seconds in self._away.items() if since_seconds <= over_seconds]
        for process in gone:
            del self._away[process]
            self._drain_wishes.pop(process, None)
            self._circuits.pop(process, None)
        return gone

    def _forget(self, holder: Identity) -> Entry | None:
        self._unclaimed.pop(holder, None)
        replica = self._replica_of.pop(holder, None)
        if replica is None:
            return None
        entry = self._entries[replica]
        entry.known = None
        entry.holders.discard(holder)
        entry.unclaim(holder)
        return entry

    def _seen(self, entry: Entry) -> Replica:
        if entry.known is None:
            entry.known = Replica(
                registration=entry.registration,
                load=entry.load,
                reported_at_seconds=entry.reported_at_seconds,
                in_flight=len(entry.holders),
                registered_at_seconds=entry.registered_at_seconds,
                clock_offset_seconds=entry.clock_offset_seconds,
                is_drain_wanted=self._drain_wishes.get(entry.registration.process, False),
                claims=entry.claimed,
                backlog=entry.backlog,
                circuit=self._circuits.get(entry.registration.process, CLOSED),
            )
        return entry.known

    def _set_circuit(self, process: Process, circuit: Circuit) -> None:
        entry = self._entries.get(process.replica)
        if circuit == CLOSED:
            self._circuits.pop(process, None)
        elif process in self._circuits or (entry is not None and entry.registration.process == process):
            self._circuits[process] = circuit
        if entry is not None:
            entry.known = None

    def _entry(self, session: Identity) -> Entry | None:
        replica = self._replica_in.get(session)
        return None if replica is None else self._entries[replica]

    def _drop(self, entry: Entry, since_seconds: float, now_seconds: float) -> None:
        del self._entries[entry.registration.replica]
        self.expected.leave(entry.registration, since_seconds, now_seconds)
        del self._replica_in[entry.session], self._replica_at[entry.registration.address]
        self._away[entry.registration.process] = since_seconds
        # A stream that ended takes its count along; if its process comes back, it says anew what it has.
        for holder in entry.holders:
            self._replica_of.pop(holder, None)
            self._unclaimed.pop(holder, None)


def _pool_of(entry: Entry) -> _Pool:
    return entry.registration.model, entry.registration.region
