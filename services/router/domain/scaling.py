"""How many replicas a model should have: by its requests, their waits, and what was wanted lately."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.router.domain.first_token_scaling import Bounds, FirstTokenScaling

# However long the queue is, twice as many at once: what was started meanwhile shortens it.
_MOST_GROWTH: Final = 2


class ScalingRules(BaseModel):
    """What one model's replicas may be, and what they are for; durations in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1, max_length=256, description="its name in the catalog")
    tenant: int = Field(
        default=0,
        ge=0,
        lt=2**32,
        description="the number of the only tenant that the replicas which are scaled serve "
        "(`generator.tenant`); 0 where they serve everybody. Replicas of the model that serve another one "
        "count for nothing, nor do requests that wait for what none of these has",
    )
    min_replicas: int = Field(
        default=1, ge=0, le=1000, description="fewest replicas; 0 lets the model have none while nobody asks"
    )
    max_replicas: int = Field(default=1, ge=1, le=1000, description="most replicas")
    requests_per_replica: int = Field(
        default=16,
        ge=1,
        le=100_000,
        description="requests that one replica is to have, running and waiting: below its max_requests",
    )
    first_token_seconds: float = Field(
        default=2.0,
        gt=0,
        le=600,
        description="longest time that a request may wait for its turn; where the queue lasts longer by the "
        "pace of the last half minute, more replicas are wanted, twice as many at once at most",
    )
    ttft_p95_seconds: float | None = Field(
        default=None,
        gt=0,
        le=600,
        description="target of the p95 of interactive requests' time to first token, in the last minute: "
        "above it a quarter more replicas are wanted, and more a minute after those are ready; one fewer "
        "after `down_seconds` at half of it; left out, their time says nothing",
    )
    down_seconds: float = Field(
        default=300.0,
        ge=0,
        le=86_400,
        description="as many replicas are kept as were wanted at any moment of so long",
    )
    idle_seconds: float = Field(
        default=600.0,
        ge=0,
        le=86_400,
        description="with min_replicas 0: the last one is kept for so long idle",
    )

    loading_seconds: float = Field(
        default=900.0,
        gt=0,
        le=86_400,
        description="longest time in which a replica becomes ready; one that takes longer, over all its "
        "restarts, or that restarted three times, is not waited for: it is replaced, where others are ready",
    )

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise ValueError("min_replicas must not be above max_replicas")
        return self


@dataclass(frozen=True, slots=True)
class Demand:
    """What a model has to do at one moment, in requests, and what there is for it.

    `open_requests` are those that replicas have, `queued_requests` those of them that wait in an engine, and
    `held_requests` those that wait at the router. `failing_replicas` do not become ready, and are not among
    those that start. `ended_per_second` is the pace of late, 0 if none is known.
    `ttft_p95_seconds` is what interactive requests waited lately for a first token, None if too few did.
    """

    open_requests: int = 0
    queued_requests: int = 0
    held_requests: int = 0
    ready_replicas: int = 0
    starting_replicas: int = 0
    failing_replicas: int = 0
    ended_per_second: float = 0.0
    ttft_p95_seconds: float | None = None

    @property
    def requests(self) -> int:
        """Returns all that somebody waits for."""
        return self.open_requests + self.held_requests


def wanted_replicas(demand: Demand, rules: ScalingRules) -> int:
    """Returns how many replicas the demand of this moment asks for, within the rules' bounds."""
    by_requests = math.ceil(demand.requests / rules.requests_per_replica)
    wanted = max(by_requests, _by_wait(demand, rules))
    return min(max(wanted, rules.min_replicas), rules.max_replicas)


def _by_wait(demand: Demand, rules: ScalingRules) -> int:
    """Returns the replicas with which the queue would last no longer than it may."""
    queued = demand.queued_requests + demand.held_requests
    if not queued or not demand.ready_replicas or not demand.ended_per_second:
        return 0
    share = queued / demand.ended_per_second / rules.first_token_seconds
    if share <= 1:
        return 0
    return math.ceil(demand.ready_replicas * min(share, _MOST_GROWTH))


@dataclass(frozen=True, slots=True)
class Decision:
    """How many replicas a model should have now, whether it is to have any, and how many do not start."""

    desired: int
    is_active: bool
    failing: int = 0


class Scaling:
    """One model's decisions, of which each is made with what was wanted before: up at once, down late."""

    def __init__(self, rules: ScalingRules, started_at_seconds: float) -> None:
        self.rules = rules
        self._started_at_seconds = started_at_seconds
        # When each number was wanted that none since has reached: numbers fall from the first to the last.
        self._wanted: deque[tuple[float, int]] = deque()
        # When it was last asked for, or loaded; None while nothing is known of that.
        self._busy_at_seconds: float | None = None
        self._by_first_tokens: FirstTokenScaling | None = None
        if rules.ttft_p95_seconds is not None:
            bounds = Bounds(rules.ttft_p95_seconds, rules.down_seconds, rules.max_replicas)
            self._by_first_tokens = FirstTokenScaling(bounds)

    def decide(self, demand: Demand, now_seconds: float) -> Decision:
        """Returns the decision of this moment; times never go back."""
        is_new = self._busy_at_seconds is None and demand.ready_replicas > 0
        if demand.requests or demand.starting_replicas or is_new:
            # One that loads is started for somebody, who may have given up: it is kept as one that ended. One
            # that a router finds when it starts was asked for too; where it finds none, it asks for none.
            self._busy_at_seconds = now_seconds
        wanted = max(wanted_replicas(demand, self.rules), self._for_first_tokens(demand, now_seconds))
        if now_seconds - self._started_at_seconds < self.rules.down_seconds:
            # What a router before this one wanted is known by the replicas that there are.
            there = demand.ready_replicas + demand.starting_replicas
            wanted = max(wanted, min(there, self.rules.max_replicas))
        # Where none serves, the next would fail as these do.
        replaced = min(demand.failing_replicas, demand.ready_replicas)
        desired = self._largest_of_late(min(wanted + replaced, self.rules.max_replicas), now_seconds)
        busy_at_seconds = self._busy_at_seconds
        is_idle = busy_at_seconds is None or now_seconds - busy_at_seconds >= self.rules.idle_seconds
        if self.rules.min_replicas == 0 and is_idle and not demand.requests and not demand.starting_replicas:
            desired = 0
        else:
            desired = max(desired, 1)
        return Decision(desired, is_active=desired > 0, failing=demand.failing_replicas)

    def _for_first_tokens(self, demand: Demand, now_seconds: float) -> int:
        if self._by_first_tokens is None:
            return 0
        return self._by_first_tokens.decide(
            demand.ttft_p95_seconds,
            ready=demand.ready_replicas,
            starting=demand.starting_replicas,
            now_seconds=now_seconds,
        )

    def _largest_of_late(self, wanted: int, now_seconds: float) -> int:
        while self._wanted and self._wanted[-1][1] <= wanted:
            self._wanted.pop()
        self._wanted.append((now_seconds, wanted))
        while now_seconds - self._wanted[0][0] > self.rules.down_seconds:
            self._wanted.popleft()
        return self._wanted[0][1]
