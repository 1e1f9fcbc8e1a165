"""How many streams each part that is one of its kind carries: what breaks first, and what then helps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from services.cli.capacity.assumptions import Assumptions
from services.cli.capacity.costs import STORE_FRAMES
from services.cli.capacity.sizing import (
    edge_cores,
    emitter_cores,
    emitters_of,
    frames_per_second,
    lease_store_cores,
    most_replicas_of_a_router,
)

_TOPIC_PARTITIONS: Final = 12
_MOST_STREAMS: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A part, the most streams that one of it carries, and what is done beyond."""

    part: str
    streams: int
    remedy: str


def ceilings(assumed: Assumptions) -> Sequence[Ceiling]:
    """Returns what is one of its kind, from what is full first."""
    of_a_router = most_replicas_of_a_router(assumed) * assumed.streams_per_replica
    found = [
        Ceiling("one edge", _most(assumed, _one_edge_has_room), "more edges behind the load balancer"),
        Ceiling("one router, which all edges with one list ask", of_a_router, "cells"),
        Ceiling("one emitter", _most(assumed, _has_core(emitter_cores)), "more, each with its producers"),
        Ceiling("one Redis or Valkey", _most(assumed, _has_core(lease_store_cores)), "tenants divided"),
        Ceiling("one store and pipeline", _most(assumed, _one_store_has_room), "larger frames, then shards"),
        Ceiling(
            f"topics of {_TOPIC_PARTITIONS} partitions",
            _most(assumed, lambda one: emitters_of(one) <= _TOPIC_PARTITIONS),
            "more partitions, before the emitters",
        ),
    ]
    return sorted(found, key=lambda one: one.streams)


def _most(assumed: Assumptions, has_room: Callable[[Assumptions], bool]) -> int:
    """Returns the most streams for which a part has room; 0 if it never has."""
    low, high = 0, _MOST_STREAMS
    while high - low > 1:
        middle = (low + high) // 2
        fits = has_room(assumed.model_copy(update={"streams": middle}))
        low, high = (middle, high) if fits else (low, middle)
    return low


def _one_edge_has_room(assumed: Assumptions) -> bool:
    connections = assumed.streams * (1 + assumed.idle_connections_per_stream)
    return edge_cores(assumed, 1) <= assumed.utilization and connections <= assumed.edge_connections


def _one_store_has_room(assumed: Assumptions) -> bool:
    return frames_per_second(assumed, emitters_of(assumed)) <= STORE_FRAMES.value


def _has_core(cores: Callable[[Assumptions], float]) -> Callable[[Assumptions], bool]:
    return lambda assumed: cores(assumed) <= assumed.utilization
