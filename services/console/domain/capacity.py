"""Replicas, and how many requests more they would take."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

READY: Final = "ready"


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica as the router sees it."""

    number: int
    model: str
    region: str
    state: str
    running_requests: int
    waiting_requests: int
    in_flight_requests: int
    max_requests: int
    kv_usage: float
    report_age_seconds: float

    @property
    def is_ready(self) -> bool:
        """Whether the router sends it requests."""
        return self.state == READY

    @property
    def used(self) -> float:
        """The share of its places that is taken."""
        return min(1.0, self.in_flight_requests / self.max_requests) if self.max_requests else 0.0


@dataclass(frozen=True, slots=True)
class Hold:
    """Why batch requests of a model are held back; `why` is empty where they are not."""

    model: str
    why: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """All replicas that a router knows."""

    replicas: tuple[Replica, ...]
    holds: tuple[Hold, ...] = ()
    routers_with_own_quotas: int = 0

    @property
    def models(self) -> tuple["Capacity", ...]:
        """The room of each model, by name."""
        names = sorted({replica.model for replica in self.replicas})
        return tuple(_capacity(name, self._of(name), self.holds) for name in names)

    @property
    def whole(self) -> "Capacity":
        """The room of all models together."""
        return _capacity("", list(self.replicas), ())

    def _of(self, model: str) -> list[Replica]:
        return [replica for replica in self.replicas if replica.model == model]


@dataclass(frozen=True, slots=True)
class Capacity:
    """Of replicas that are ready: places, those taken, and the fullest cache; waiting and running of all."""

    model: str
    replicas: int
    ready: int
    running_requests: int
    waiting_requests: int
    places: int
    free_places: int
    kv_usage: float
    held_back: str

    @property
    def headroom(self) -> float:
        """The share of places that is free, or of the fullest cache where that is less; else 0."""
        if not self.places:
            return 0.0
        return min(self.free_places / self.places, 1.0 - self.kv_usage)


def _capacity(model: str, replicas: Iterable[Replica], holds: Iterable[Hold]) -> Capacity:
    known = list(replicas)
    ready = [replica for replica in known if replica.is_ready]
    return Capacity(
        model=model,
        replicas=len(known),
        ready=len(ready),
        running_requests=sum(replica.running_requests for replica in known),
        waiting_requests=sum(replica.waiting_requests for replica in known),
        places=sum(replica.max_requests for replica in ready),
        free_places=sum(max(0, replica.max_requests - replica.in_flight_requests) for replica in ready),
        kv_usage=max((replica.kv_usage for replica in ready), default=0.0),
        held_back=next((hold.why for hold in holds if hold.model == model), ""),
    )
