"""How many replicas each model should have now, from the directory and the requests that wait."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.router.domain.first_token_scaling import LEAST_SAMPLES
from services.router.domain.first_token_times import interactive_times
from services.router.domain.limits import RouterLimits
from services.router.domain.placement.filters import state_of
from services.router.domain.placement.kinds import Kinds
from services.router.domain.placement.replica import Replica, State
from services.router.domain.ports import ReplicaDirectory
from services.router.domain.scaling import Decision, Demand, Scaling, ScalingRules
from services.router.domain.starts import Heard, Starts

# The pace of late is that of so long.
_PACE_SECONDS: Final = 30.0


class WaitingRequests(Protocol):
    """The requests that wait for a place on a replica."""

    def waiting_for(self, model: int, kinds: Kinds) -> int:
        """Returns how many wait for one of a model that some of those kinds may serve."""
        ...


class DesiredReplicas:
    """A decision per model, by its catalog number; ask often, since each is made with those before it."""

    def __init__(
        self,
        rules: Mapping[int, ScalingRules],
        replicas: ReplicaDirectory,
        waiting: WaitingRequests,
        clock: Clock,
        *,
        region: int,
        limits: RouterLimits,
    ) -> None:
        self._replicas = replicas
        self._waiting = waiting
        self._clock = clock
        self._region = region
        self._limits = limits
        started_at_seconds = clock.monotonic_seconds()
        self._scalings = {model: Scaling(one, started_at_seconds) for model, one in rules.items()}
        self._tenants = {model: one.tenant for model, one in rules.items()}
        self._starts = {model: Starts(one.loading_seconds) for model, one in rules.items()}
        self._ended: dict[int, deque[tuple[float, int]]] = {model: deque() for model in rules}

    def decide_all(self) -> Mapping[int, Decision]:
        """Returns the decision of each model that is scaled."""
        return {model: self.decide(model) for model in self._scalings}

    def decide(self, model: int) -> Decision:
        """Returns the decision for a model; NOT_FOUND where nothing says how it is scaled."""
        scaling = self._scalings.get(model)
        if scaling is None:
            raise ComptoirError(Reason.NOT_FOUND, field="scalerMetadata")
        now_seconds = self._clock.monotonic_seconds()
        return scaling.decide(self.demand(model, now_seconds), now_seconds)

    def demand(self, model: int, now_seconds: float) -> Demand:
        """Returns what the replicas that are scaled have to do now.

        A replica that drains has no part in it, nor one that serves other tenants than those, nor a request
        that only such a one may serve.
        """
        tenant = self._tenants[model]
        pool = [
            (replica, state_of(replica, self._limits, now_seconds))
            for replica in self._replicas.pool(model, self._region)
            if replica.registration.tenant == tenant
        ]
        kinds = self._replicas.expected.scaled_kinds(model, self._region, now_seconds)
        states = [state for _, state in pool]
        serving = [replica for replica, state in pool if state is not State.DRAINING]
        coming = self._starts[model].hear((_heard(*one) for one in pool), now_seconds)
        return Demand(
            open_requests=sum(replica.open_requests for replica in serving),
            queued_requests=sum(replica.load.waiting_requests or 0 for replica in serving if replica.load),
            held_requests=self._waiting.waiting_for(model, kinds),
            ready_replicas=states.count(State.READY),
            starting_replicas=coming.starting,
            failing_replicas=coming.failing,
            ended_per_second=self._pace(model, now_seconds),
            ttft_p95_seconds=self._ttft_p95_seconds([replica for replica, _ in pool], now_seconds),
        )

    def _ttft_p95_seconds(self, replicas: Sequence[Replica], now_seconds: float) -> float | None:
        since_seconds = now_seconds - self._limits.report_timeout_seconds
        measured = interactive_times(replicas, since_seconds=since_seconds)
        return measured.p95_seconds if measured.samples >= LEAST_SAMPLES else None

    def _pace(self, model: int, now_seconds: float) -> float:
        seen = self._ended[model]
        seen.append((now_seconds, self._replicas.ended_requests(model, self._region, self._tenants[model])))
        # One that is as old as the span stays, for the difference to it.
        while len(seen) > 1 and now_seconds - seen[1][0] >= _PACE_SECONDS:
            seen.popleft()
        (first_seconds, first), (last_seconds, last) = seen[0], seen[-1]
        return (last - first) / (last_seconds - first_seconds) if last_seconds > first_seconds else 0.0


def _heard(replica: Replica, state: State) -> Heard:
    return Heard(replica.registration.replica, replica.registration.incarnation, state)
