"""The arithmetic from load to processes: cells of a router's size, what serves each, and what all share."""

import math
from dataclasses import dataclass
from typing import Final

from services.cli.capacity.assumptions import Assumptions
from services.cli.capacity.costs import (
    EDGE_CONNECTION_BYTES,
    EDGE_MESSAGE,
    EDGE_REQUEST,
    EDGE_STREAM_BYTES,
    EDGE_TOKEN,
    EMITTER_REQUEST,
    LEASE_STORE_REQUEST,
    PEER_CONNECTION_BYTES,
    ROUTER_ADMISSION,
    ROUTER_DECISION,
    ROUTER_LEASE_STORE,
    ROUTER_REPORT,
    STORE_FRAMES,
)

# One that serves, and one that takes over: edges with one list ask the first that serves.
ROUTERS_OF_A_CELL: Final = 2
# Of edges and emitters, so that one may be lost.
_LEAST: Final = 2
_MIB: Final = 2**20
# A replica reports once a second, and at most 20 times: an acceptance and a settlement each ask for one.
_REPORTS_AT_LEAST: Final = 1.0
_REPORTS_AT_MOST: Final = 20.0
_REPORTS_PER_REQUEST: Final = 2.0
_COUNTED_FRAMES_AT_LEAST: Final = 1.0
_OTHER_FRAMES_AT_LEAST: Final = 0.2
_LOAD_EVENTS_PER_REPLICA: Final = 0.1
# A look at changes of keys each 0.2 s, and a write of what was spent each second, of each router.
_QUERIES_PER_ROUTER: Final = 6.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How many of each, and what they have to do."""

    requests_per_second: float
    replicas: int
    cells: int
    replicas_of_a_cell: int
    routers: int
    edges: int
    edge_microseconds_per_token: float
    edge_memory_bytes: float
    emitters: int
    partitions: int
    frames_per_second: float
    stores: int
    lease_stores: int
    queries_per_second: float


def plan(assumed: Assumptions) -> Plan:
    """Returns how many of each process serve the load."""
    replicas = assumed.replicas
    cells = -(-replicas // most_replicas_of_a_router(assumed))
    own = assumed.model_copy(update={"streams": -(-assumed.streams // cells)})
    edges = edges_of_a_cell(own)
    emitters = emitters_of(assumed)
    frames = frames_per_second(assumed, emitters)
    return Plan(
        requests_per_second=assumed.requests_per_second,
        replicas=replicas,
        cells=cells,
        replicas_of_a_cell=own.replicas,
        routers=cells * ROUTERS_OF_A_CELL,
        edges=cells * edges,
        edge_microseconds_per_token=1e6 * edge_token_seconds(own, edges),
        edge_memory_bytes=edge_bytes(own, edges),
        emitters=emitters,
        partitions=emitters,
        frames_per_second=frames,
        stores=math.ceil(frames / STORE_FRAMES.value),
        lease_stores=math.ceil(lease_store_cores(assumed) / assumed.utilization),
        queries_per_second=cells * ROUTERS_OF_A_CELL * _QUERIES_PER_ROUTER,
    )


def router_cores(assumed: Assumptions, replicas: int) -> float:
    """Returns the cores of a router that admits for so many full replicas, which report to it."""
    each = assumed.requests_per_replica
    admission = ROUTER_ADMISSION.value + ROUTER_LEASE_STORE.value + ROUTER_DECISION.value * replicas
    reports = min(_REPORTS_AT_MOST, max(_REPORTS_AT_LEAST, _REPORTS_PER_REQUEST * each))
    return replicas * (each * admission + reports * ROUTER_REPORT.value) / assumed.core_speed


def most_replicas_of_a_router(assumed: Assumptions) -> int:
    """Returns the most full replicas that one router admits for; one, where even that is too much for it."""
    low, high = 1, 2
    while router_cores(assumed, high) <= assumed.utilization:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if router_cores(assumed, middle) <= assumed.utilization else (low, middle)
    return low


def edge_token_seconds(assumed: Assumptions, edges: int) -> float:
    """Returns an edge's CPU per token: a message of a step is shared by the streams of edge and replica.

    Streams fall on pairs at random, so those of a pair that has any are its mean over 1 - exp(-mean).
    """
    mean = assumed.streams / (edges * assumed.replicas)
    share = -math.expm1(-mean) / mean
    return (EDGE_TOKEN.value + EDGE_MESSAGE.value * share) / assumed.core_speed


def edge_cores(assumed: Assumptions, edges: int) -> float:
    """Returns the cores that all the edges of a cell use together."""
    tokens = assumed.streams * assumed.tokens_per_second
    requests = assumed.requests_per_second * EDGE_REQUEST.value / assumed.core_speed
    return tokens * edge_token_seconds(assumed, edges) + requests


def edge_bytes(assumed: Assumptions, edges: int) -> float:
    """Returns the memory of one of the edges of a cell, beyond what it has when idle."""
    return _stream_bytes(assumed) / edges + assumed.replicas * PEER_CONNECTION_BYTES.value


def edges_of_a_cell(assumed: Assumptions) -> int:
    """Returns the fewest edges that have the cores, the memory and the connections for a cell.

    More edges share fewer messages, so each costs the others something: the number is approached from below.
    ValueError where no edge has memory for its connections to the replicas.
    """
    connections = assumed.streams * (1 + assumed.idle_connections_per_stream)
    left_bytes = assumed.edge_memory_mebibytes * _MIB - assumed.replicas * PEER_CONNECTION_BYTES.value
    if left_bytes <= 0:
        raise ValueError("--edge-memory-mebibytes does not hold an edge's connections to the replicas")
    by_memory = math.ceil(_stream_bytes(assumed) / left_bytes)
    edges = max(_LEAST, by_memory, math.ceil(connections / assumed.edge_connections))
    while (needed := math.ceil(edge_cores(assumed, edges) / assumed.utilization)) > edges:
        edges = needed
    return edges


def emitter_cores(assumed: Assumptions) -> float:
    """Returns the cores that all emitters use together."""
    return assumed.requests_per_second * EMITTER_REQUEST.value / assumed.core_speed


def emitters_of(assumed: Assumptions) -> int:
    """Returns the fewest emitters that have the cores for all events."""
    return max(_LEAST, math.ceil(emitter_cores(assumed) / assumed.utilization))


def lease_store_cores(assumed: Assumptions) -> float:
    """Returns the cores of a Redis or Valkey that decides about all leases; one server has one."""
    return assumed.requests_per_second * LEASE_STORE_REQUEST.value / assumed.core_speed


def frames_per_second(assumed: Assumptions, emitters: int) -> float:
    """Returns the frames that all emitters seal: full ones, and one in the time that one may wait."""
    each = assumed.requests_per_second / emitters / assumed.frame_events
    loads = assumed.replicas * _LOAD_EVENTS_PER_REPLICA / emitters / assumed.frame_events
    counted = 2 * max(_COUNTED_FRAMES_AT_LEAST, each)
    return emitters * (counted + max(_OTHER_FRAMES_AT_LEAST, each) + max(_OTHER_FRAMES_AT_LEAST, loads))


def _stream_bytes(assumed: Assumptions) -> float:
    of_a_stream = EDGE_STREAM_BYTES.value + assumed.idle_connections_per_stream * EDGE_CONNECTION_BYTES.value
    return assumed.streams * of_a_stream
