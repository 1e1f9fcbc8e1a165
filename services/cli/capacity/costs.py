"""What was measured of each process, each number with its place in docs/benchmarks.md or the decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Cost:
    """One measured number; `measured_at` says up to which load, and with what it was seen."""

    meaning: str
    value: float
    unit: str
    source: str
    measured_at: str


EDGE_REQUEST: Final = Cost(
    "CPU of the edge per request, without its tokens",
    470e-6,
    "s",
    "[short whole answers, later](benchmarks.md#short-whole-answers-later)",
    "787 requests/s on one edge",
)
EDGE_TOKEN: Final = Cost(
    "CPU of the edge per token in a message that many share",
    31e-6,
    "s",
    "[tiny-eu, later](benchmarks.md#tiny-eu-later), fitted to 1 and 64 streams less the requests' part",
    "64 streams of one replica",
)
EDGE_MESSAGE: Final = Cost(
    "CPU of the edge per message of a replica's step, shared by the streams of that pair",
    139e-6,
    "s",
    "the same fit; with requests it says 52 µs per token at 8 streams, where 58 were measured",
    "1 to 64 streams of one replica",
)
EDGE_STREAM_BYTES: Final = Cost(
    "memory of the edge per open stream",
    20_300.0,
    "B",
    "[a later run](benchmarks.md#a-later-run)",
    "10,000 idle streams",
)
EDGE_CONNECTION_BYTES: Final = Cost(
    "memory of the edge per kept-alive connection",
    3_000.0,
    "B",
    "[a later run](benchmarks.md#a-later-run)",
    "10,000 idle connections",
)
PEER_CONNECTION_BYTES: Final = Cost(
    "memory per connection between two processes, at the calling end, without TLS",
    69_000.0,
    "B",
    "[below](#what-was-measured-for-this-page)",
    "1,000 connections",
)
ROUTER_ADMISSION: Final = Cost(
    "CPU of the router per admission, recorded, leases in memory",
    620e-6,
    "s",
    "[durable admissions](benchmarks.md#durable-admissions-of-one-router), at a rate",
    "1,000 admissions/s; 320 µs where 256 are in flight",
)
ROUTER_LEASE_STORE: Final = Cost(
    "what a shared lease store adds to that",
    170e-6,
    "s",
    "[ADR 46](adr/0046-leases-in-redis-or-valkey.md), 8 at once",
    "a loop without other work",
)
ROUTER_DECISION: Final = Cost(
    "CPU of the router per admission and replica of the model that it looks at",
    1.94e-6,
    "s",
    "[below](#what-was-measured-for-this-page)",
    "10,000 replicas",
)
ROUTER_REPORT: Final = Cost(
    "CPU of the router per report of a replica",
    235e-6,
    "s",
    "[below](#what-was-measured-for-this-page)",
    "1,000 replicas, 980 reports/s",
)
EMITTER_REQUEST: Final = Cost(
    "CPU of the emitter per request, with all events of it",
    634e-6,
    "s",
    "[on a GPU](benchmarks.md#on-a-gpu): 9.9 µs per token, 64 tokens",
    "190 requests/s; 190 µs at 787/s, 2.6 ms at 54/s on two full cores",
)
LEASE_STORE_REQUEST: Final = Cost(
    "CPU of Valkey per request, from reservation to settlement",
    110e-6,
    "s",
    "[ADR 46](adr/0046-leases-in-redis-or-valkey.md), 8 at once",
    "one server, which decides on one thread",
)
STORE_FRAMES: Final = Cost(
    "frames that one store and its pipeline take",
    30.0,
    "frames/s",
    "[ADR 6](adr/0006-one-frame-one-insert-one-token.md)",
    "the local store on two shared cores; a ClickHouse server was not measured",
)

COSTS: Final[Sequence[Cost]] = (
    EDGE_REQUEST,
    EDGE_TOKEN,
    EDGE_MESSAGE,
    EDGE_STREAM_BYTES,
    EDGE_CONNECTION_BYTES,
    PEER_CONNECTION_BYTES,
    ROUTER_ADMISSION,
    ROUTER_LEASE_STORE,
    ROUTER_DECISION,
    ROUTER_REPORT,
    EMITTER_REQUEST,
    LEASE_STORE_REQUEST,
    STORE_FRAMES,
)
