"""The replicas for operators: which there are, which get requests, and why the others do not."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.router.domain.limits import RouterLimits
from services.router.domain.placement.filters import state_of
from services.router.domain.placement.replica import Replica, State
from services.router.domain.ports import ReplicaDirectory


@dataclass(frozen=True, slots=True)
class Standing:
    """One replica at one moment."""

    replica: Replica
    state: State
    report_age_seconds: float
    registered_for_seconds: float


class Roster:
    """Reads the directory as placement does."""

    def __init__(self, replicas: ReplicaDirectory, limits: RouterLimits, clock: Clock) -> None:
        self._replicas = replicas
        self._limits = limits
        self._clock = clock

    def standings(self) -> Sequence[Standing]:
        """Returns all registered replicas by number."""
        now_seconds = self._clock.monotonic_seconds()
        return [
            Standing(
                replica=replica,
                state=state_of(replica, self._limits, now_seconds),
                report_age_seconds=now_seconds - replica.reported_at_seconds,
                registered_for_seconds=now_seconds - replica.registered_at_seconds,
            )
            for replica in self._replicas.everyone()
        ]

    def drain(self, number: int, *, is_wanted: bool) -> Standing:
        """Has a replica drained, or no longer; returns how it stands now. NOT_FOUND where there is none."""
        if self._replicas.want_drain(number, is_wanted=is_wanted):
            for standing in self.standings():
                if standing.replica.registration.replica == number:
                    return standing
        raise ComptoirError(Reason.NOT_FOUND, field="number")

    def routers_with_own_quotas(self) -> int:
        """Returns how many routers lend every quota, each by itself; 0 where this one lends of shared ones.

        Routers do not know one another: it is what replicas say that register with all of them.
        """
        if not self._limits.has_own_quotas:
            return 0
        routers = max((one.registration.routers for one in self._replicas.everyone()), default=0)
        return routers if routers > 1 else 0

    def has_ready(self) -> bool:
        """Returns whether any replica gets requests."""
        return any(standing.state is State.READY for standing in self.standings())
