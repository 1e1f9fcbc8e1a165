"""Shows, as metrics, which replicas are registered and how busy they said that they are."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from services.router.domain.lease import Process
from services.router.domain.placement.replica import Load, Registration, State
from services.router.domain.roster import Roster, Standing
from services.runtime.metrics.registry import router as metrics
from services.runtime.telemetry import Observations, counter, gauges

_INTERVAL_SECONDS: Final = 1.0
_PERMILLE: Final = 1000


class RegistrationCounter:
    """Counts the registrations of replicas, by model and replica.

    A process that starts registers before it knows what its engine can, and again when it does: that is one.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names
        self._registrations = counter(metrics.REPLICA_REGISTRATIONS)
        # One per number of a replica: the processes whose engine is not known yet.
        self._starting: dict[int, Process] = {}

    def count(self, registration: Registration) -> None:
        """Counts one, unless it ends the start of a process that is counted."""
        started = self._starting.pop(registration.replica, None)
        if registration.engine == 0:
            self._starting[registration.replica] = registration.process
        elif started == registration.process:
            return
        model = self._names.get(registration.model, "")
        replica = str(registration.replica)
        self._registrations.add(1, {"gen_ai.request.model": model, "comptoir.replica": replica})


class ReplicaWatch:
    """Looks every second: metrics are read by another thread, and replicas change on this one."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names
        self._seen: Sequence[Standing] = ()
        gauges(metrics.REPLICAS, self._replicas)
        gauges(metrics.REPLICA_REPORT_AGE, lambda: self._each(lambda one: one.report_age_seconds))
        gauges(metrics.REPLICA_RUNNING, lambda: self._loads(lambda load: load.running_requests))
        gauges(metrics.REPLICA_WAITING, lambda: self._loads(lambda load: load.waiting_requests))
        gauges(metrics.REPLICA_KV_USAGE, lambda: self._loads(_kv_usage))

    async def run(self, roster: Roster) -> None:
        """Runs until cancelled."""
        while True:
            self.look(roster)
            await asyncio.sleep(_INTERVAL_SECONDS)

    def look(self, roster: Roster) -> None:
        """Looks once."""
        self._seen = roster.standings()

    def _replicas(self) -> Observations:
        # A model without a replica has none, which is a number too.
        found = Counter((one.replica.registration.model, one.state) for one in self._seen)
        for model, name in self._names.items():
            for state in State:
                attributes = {"gen_ai.request.model": name, "state": state.name.lower()}
                yield float(found[model, state]), attributes

    def _loads(self, read: Callable[[Load], float | None]) -> Observations:
        return self._each(lambda one: None if one.replica.load is None else read(one.replica.load))

    def _each(self, read: Callable[[Standing], float | None]) -> Observations:
        for one in self._seen:
            value = read(one)
            if value is not None:
                registration = one.replica.registration
                attributes = {
                    "gen_ai.request.model": self._names.get(registration.model, ""),
                    "comptoir.replica": str(registration.replica),
                }
                yield value, attributes


def _kv_usage(load: Load) -> float | None:
    return None if load.kv_usage_permille is None else load.kv_usage_permille / _PERMILLE
