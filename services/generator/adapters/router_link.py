"""The one stream to the router: registration, load, accepted tickets, and settlements."""

import asyncio
import math
import random
from collections.abc import Callable
from typing import Final

import grpc
from comptoir.router.v1 import replica_pb2, replica_pb2_grpc

from services.generator.adapters.lease_reports import LeaseReports, Told
from services.generator.adapters.link_complaints import LinkComplaints
from services.generator.domain.load import LoadReport, is_big_change
from services.generator.domain.ports import CallBack, Capabilities, HoldBack
from services.generator.domain.terminal_event import Counts
from services.generator.domain.ticket import Claims, Replica
from services.generator.wire import reports
from services.kernel.backoff import Backoff
from services.kernel.clock import Clock
from services.runtime.addresses import GrpcTarget
from services.runtime.grpc.server import channel
from services.runtime.grpc.status import error_from

# From one report to the next, at least, by what there is to say. A caller whose key has all its places taken
# waits for a settlement, and gives up after 0.1 s; nobody waits for an acceptance, and an answer that ends
# before it is told needs only its settlement. What comes meanwhile travels along.
_URGENT_SECONDS: Final = 0.02
_SETTLEMENT_SECONDS: Final = 0.05
_ACCEPTANCE_SECONDS: Final = 0.1
# The router is asked this often, at most, to confirm what it was told of leases.
_CONFIRMATION_SECONDS: Final = 0.5
# One that is asked and says nothing for so long hangs: gRPC keeps its connection alive by itself.
_SILENT_SECONDS: Final = 2.0
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0


class RouterLink:
    """Keeps a Report stream open for ever; a router that is away is tried again and again.

    What it has to say of leases is said until the router has confirmed it, and on each new stream, whose
    router may have restarted. A report costs the same whatever it carries, so there is a pause between two.
    """

    def __init__(
        self,
        target: GrpcTarget,
        clock: Clock,
        *,
        interval_seconds: float,
        lifetime_seconds: float,
        at: str = "",
    ) -> None:
        self._channel = channel(target, at=at)
        self._address = at or target.address
        self._router_number = 0
        self._stub: replica_pb2_grpc.ReplicaServiceAsyncStub = replica_pb2_grpc.ReplicaServiceStub(
            self._channel
        )
        self._registration = replica_pb2.Registration()
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._leases = LeaseReports(lifetime_seconds=lifetime_seconds)
        self._is_due = asyncio.Event()
        # By the loop's clock: the last report, the next one, and when the router was last asked to confirm.
        self._reported_seconds = self._asked_seconds = 0.0
        self._due_seconds = math.inf
        # Since when an answer is waited for.
        self._unanswered_seconds: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_settling = False
        self._max_requests = 0
        self._read_load: Callable[[], LoadReport | None] | None = None
        self._hold_back: HoldBack | None = None
        self._call_back: CallBack | None = None
        self._told: LoadReport | None = None
        self._is_registered = False
        # Since when it is registered, and until when it was, by the loop's clock.
        self._come_seconds, self._left_seconds = math.inf, -math.inf
        self._tell_left: Callable[[], None] = lambda: None
        self._complaints = LinkComplaints(self._address, clock)

    @property
    def address(self) -> str:
        """Where the router is."""
        return self._address

    @property
    def is_registered(self) -> bool:
        """Whether the router has answered on the stream that is open now."""
        return self._is_registered

    @property
    def is_answering(self) -> bool:
        """Whether the router is registered with, and has not left a question without an answer for long."""
        since_seconds = self._unanswered_seconds
        is_silent = since_seconds is not None and _loop_seconds() - since_seconds > _SILENT_SECONDS
        return self._is_registered and not is_silent

    @property
    def there_seconds(self) -> float:
        """For how long it has been registered with a router that answers; 0 while it is not."""
        return _loop_seconds() - self._come_seconds if self.is_answering else 0.0

    @property
    def away_seconds(self) -> float:
        """For how long it has not been answering; 0 while it is."""
        if self.is_answering:
            return 0.0
        since_seconds = self._unanswered_seconds if self._is_registered else self._left_seconds
        return _loop_seconds() - (since_seconds or 0.0)

    @property
    def router_number(self) -> int:
        """The number of the router, as in its tickets; 0 until it has answered once, or where it has none."""
        return self._router_number

    def register(
        self,
        replica: Replica,
        address: str,
        capabilities: Capabilities,
        max_requests: int,
        *,
        incarnation: int,
        routers: int = 1,
    ) -> None:
        """Sets what the replica says of itself; call it before `run`.

        `incarnation` is another number for every process of the replica; `routers` are told the same.
        """
        self._max_requests = max_requests
        self._registration = reports.registration_from(
            replica, address, capabilities, max_requests, incarnation=incarnation, routers=routers
        )

    def accept(self, claims: Claims) -> None:
        """Tells the router soon that this ticket is used up."""
        self._leases.accept(claims, self._clock.monotonic_seconds())
        self._report_by(_loop_seconds() + _ACCEPTANCE_SECONDS)

    def settle(self, claims: Claims, used: Counts, *, is_unserved: bool) -> None:
        """Takes the settlement at once and delivers it until the router has confirmed it."""
        settlement = reports.settlement_from(claims, used, is_unserved=is_unserved)
        self._leases.settle(claims, settlement, self._clock.monotonic_seconds())
        is_full = self._told is not None and self._told.open_streams >= self._max_requests
        self._report_by(self._reported_seconds + (_URGENT_SECONDS if is_full else _SETTLEMENT_SECONDS))

    def withdraw(self, claims: Claims) -> None:
        """Says no more of an accepted ticket of which another router is told."""
        self._leases.withdraw(claims.lease_id)

    def unended(self) -> list[Claims]:
        """Returns the tickets that were accepted and are not settled."""
        return self._leases.unended

    @property
    def unsettled(self) -> int:
        """Returns how many settlements the router has not confirmed."""
        return len(self._leases.unsettled)

    def hand_over(self, lender: "Callable[[Claims], RouterLink]") -> None:
        """Has each settlement that is not confirmed told by the link that `lender` returns for its ticket."""
        for claims in self._leases.unsettled:
            if (link := lender(claims)) is not self:
                link.take(self._leases.give(claims.lease_id))

    def take(self, settlement: Told[replica_pb2.Settlement]) -> None:
        """Takes a settlement that another router was told and did not confirm."""
        self._leases.take(settlement)
        self._report_by(_loop_seconds())

    def tell_left(self, left: Callable[[], None]) -> None:
        """Sets what is called each time that its stream has ended."""
        self._tell_left = left

    def load_changed(self) -> None:
        """Tells the router before its next regular report if the change is big."""
        urgent_seconds = self._reported_seconds + _URGENT_SECONDS
        if self._read_load is None or self._told is None or self._due_seconds <= urgent_seconds:
            return
        if (load := self._read_load()) is not None and is_big_change(self._told, load):
            self._report_by(urgent_seconds)

    async def run(
        self,
        read_load: Callable[[], LoadReport | None],
        hold_back: HoldBack | None = None,
        call_back: CallBack | None = None,
    ) -> None:
        """Reports until it is cancelled; without a load, the replica is starting and gets no requests.

        It calls `hold_back` where an operator wants a drain or its end, `call_back` for a released lease.
        """
        self._read_load, self._hold_back, self._call_back = read_load, hold_back, call_back
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while True:
            began_seconds = self._clock.monotonic_seconds()
            try:
                await self._session(read_load)
            except grpc.aio.AioRpcError as failure:
                mine, is_first = self._registration.replica, not backoff.failures
                self._complaints.tell(error_from(failure), replica=mine, is_first=is_first)
            finally:
                if self._is_registered:
                    self._is_registered, self._left_seconds = False, _loop_seconds()
            self._tell_left()
            if self._clock.monotonic_seconds() - began_seconds > _LONGEST_PAUSE_SECONDS:
                backoff.reset()
            await asyncio.sleep(backoff.next_seconds(jitter=random.random()))  # noqa: S311 - spreads retries

    async def settled(self, timeout_seconds: float) -> int:
        """Waits until the router has confirmed every settlement; returns how many it has not.

        From now on the router is asked to confirm at once.
        """
        self._is_settling = True
        self._report_by(self._reported_seconds)
        return await self._leases.settled(timeout_seconds)

    async def close(self) -> None:
        """Closes the connection; the replica is no longer registered."""
        await self._channel.close()

    async def _session(self, read_load: Callable[[], LoadReport | None]) -> None:
        self._leases.begin()
        self._unanswered_seconds = None
        call = self._stub.Report()
        reader = asyncio.create_task(self._read(call))
        # Noticed at once, not by the next report.
        reader.add_done_callback(lambda _: self._is_due.set())
        try:
            await call.write(self._report(read_load(), registration=self._registration))
            while not reader.done():
                await self._is_due.wait()
                await call.write(self._report(read_load()))
            await reader
        except asyncio.InvalidStateError:
            # The stream ended between two reports; what ended it is the reader's to tell.
            await reader
        finally:
            call.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    def _report_by(self, due_seconds: float) -> None:
        if due_seconds >= self._due_seconds:
            return
        self._due_seconds = due_seconds
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(due_seconds, self._is_due.set)

    def _report(
        self, load: LoadReport | None, registration: replica_pb2.Registration | None = None
    ) -> replica_pb2.ReportRequest:
        self._told = load
        self._is_due.clear()
        self._reported_seconds, self._due_seconds = _loop_seconds(), math.inf
        self._report_by(self._reported_seconds + self._interval_seconds)
        acceptances, settlements = self._leases.due(self._clock.monotonic_seconds())
        return replica_pb2.ReportRequest(
            registration=registration,
            load=None if load is None else reports.router_load_from(load),
            acceptances=acceptances,
            settlements=settlements,
            sent_at_microseconds=self._clock.wall_microseconds(),
            may_answer_later=self._may_answer_later(load),
        )

    def _may_answer_later(self, load: LoadReport | None) -> bool:
        is_fresh = self._reported_seconds - self._asked_seconds < _CONFIRMATION_SECONDS
        is_draining = load is not None and load.is_draining
        is_awaited = not self._is_registered or self._is_settling or is_draining
        if not is_awaited and (is_fresh or not self._leases.has_unconfirmed):
            return True
        self._asked_seconds = self._reported_seconds
        self._unanswered_seconds = self._unanswered_seconds or self._reported_seconds
        return False

    async def _read(
        self, call: "grpc.aio.StreamStreamCall[replica_pb2.ReportRequest, replica_pb2.ReportResponse]"
    ) -> None:
        async for response in call:
            if not self._is_registered:
                self._is_registered, self._come_seconds = True, _loop_seconds()
            self._unanswered_seconds = None
            self._complaints.forget()
            self._router_number = response.router_number
            if self._leases.confirm(response, self._call_back):
                self._report_by(self._reported_seconds + _SETTLEMENT_SECONDS)
            if response.HasField("is_drain_wanted") and self._hold_back is not None:
                self._hold_back(is_wanted=response.is_drain_wanted)


def _loop_seconds() -> float:
    return asyncio.get_running_loop().time()
