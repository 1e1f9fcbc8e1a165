"""One router of the KV-cache contest: the router's own offers and directory, and the line before them."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Final, cast

from services.kernel.catalog import Region
from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity
from services.router.adapters.replica_directory import MemoryReplicaDirectory
from services.router.domain.leases import Leases
from services.router.domain.limits import KvRoom, PlacementRules, RouterLimits
from services.router.domain.offers import Offers, Want
from services.router.domain.place_turns import MOST_IN_VAIN
from services.router.domain.placement.expected_size import ExpectedSizes
from services.router.domain.placement.placing import Placement
from services.router.domain.placement.replica import Registration
from services.router.domain.tenancy import Priority
from services.router.domain.ticket import Signer
from tests.bench.placement.arrivals import BYTES_PER_TOKEN
from tests.bench.placement.engine import BLOCK_TOKENS
from tests.bench.placement.kv_engine import KV_BLOCKS
from tests.bench.placement.kv_shapes import MAX_OUTPUT_TOKENS, KvRequest

_CONTEXT_TOKENS: Final = 32_768
_MOST_REQUESTS: Final = 512
_REGION: Final = Region(number=1, name="eu-fr")

# Where a request goes: the request, its lease, and its place.
Send = Callable[[KvRequest, Identity, Placement], None]


class VirtualClock:
    """The time of the simulation."""

    def __init__(self) -> None:
        self.now_seconds = 0.0

    def wall_microseconds(self) -> int:
        """Returns the same moment always: no ticket is signed."""
        return 0

    def monotonic_seconds(self) -> float:
        """Returns the seconds since the simulation began."""
        return self.now_seconds


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: KvRequest
    want: Want
    lease: Identity


class KvRouter:
    """Places requests, holds those without room in the order of their arrival, and refuses them after all."""

    def __init__(self, kv_room: KvRoom, clock: VirtualClock, send: Send) -> None:
        self._limits = RouterLimits(placement=PlacementRules(kv_room=kv_room))
        self.directory = MemoryReplicaDirectory(self._limits, 0.0)
        self.sizes = ExpectedSizes()
        # Of leases nothing is asked but what requests used.
        leases = cast(Leases, SimpleNamespace(sizes=self.sizes))
        self._offers = Offers(
            leases, self.directory, cast(Signer, None), clock, region=_REGION, limits=self._limits
        )
        self._clock, self._send = clock, send
        self._line: list[_Waiting] = []
        self.refused: list[KvRequest] = []
        self.held = 0

    def register(self, number: int) -> Identity:
        """Takes a replica in."""
        address = f"replica-{number}:1"
        return self.directory.register(
            Registration(
                number, 1, 1, address, _CONTEXT_TOKENS, BLOCK_TOKENS, KV_BLOCKS, _MOST_REQUESTS, tenant=0
            ),
            0.0,
        )

    def arrive(self, request: KvRequest) -> None:
        """Places a request, or lets it wait behind those that wait."""
        bound = request.input_tokens * BYTES_PER_TOKEN
        want = Want(
            1,
            bound + MAX_OUTPUT_TOKENS,
            bound,
            priority=Priority.DEFAULT,
            output_tokens=MAX_OUTPUT_TOKENS,
            due_seconds=self._offers.due_seconds(Priority.DEFAULT),
            tenant=request.tenant,
        )
        waiting = _Waiting(request, want, Identity(request.number, 1))
        if not self._line and self._is_placed(waiting):
            return
        self.held += 1
        if len(self._line) >= self._limits.held_requests:
            self._refuse(waiting)
        else:
            self._line.append(waiting)

    def free(self) -> None:
        """Lets those that wait try again, the first first, as far as the router goes after one change."""
        over_seconds = self._clock.now_seconds - self._limits.hold_seconds
        in_vain, left = 0, []
        for waiting in self._line:
            if in_vain <= MOST_IN_VAIN:
                if self._is_placed(waiting):
                    continue
                in_vain += 1
            if waiting.request.arrived_seconds <= over_seconds:
                self._refuse(waiting)
            else:
                left.append(waiting)
        self._line = left

    def settle(self, request: KvRequest, lease: Identity) -> None:
        """Learns what a request used, and that its place is free."""
        self.sizes.used(lease, request.input_tokens, request.output_tokens)
        self.directory.unassign(lease)
        self.free()

    def _is_placed(self, waiting: _Waiting) -> bool:
        try:
            placement = self._offers.place(waiting.lease, waiting.want)
        except ComptoirError:
            # Without room, or full.
            return False
        self._send(waiting.request, waiting.lease, placement)
        return True

    def _refuse(self, waiting: _Waiting) -> None:
        self._offers.leave(waiting.lease, waiting.want)
        self.refused.append(waiting.request)
