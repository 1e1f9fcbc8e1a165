"""The one stream to the router: registration, load, and settlements until they are confirmed."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import grpc
from comptoir.router.v1 import replica_pb2, replica_pb2_grpc

from services.generator import wire
from services.generator.domain.load import LoadReport, is_big_change
from services.generator.domain.ports import Capabilities
from services.generator.domain.ticket import Replica
from services.runtime.addresses import GrpcTarget
from services.runtime.clock import Clock
from services.runtime.grpc_server import channel
from services.runtime.identity import Identity
from services.runtime.logs import get_logger
from services.runtime.status import error_from

_log = get_logger(__name__)

_MAX_SETTLEMENTS = 1000
_MIN_INTERVAL_SECONDS = 0.02
_RESEND_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.1
_LAST_PAUSE_SECONDS = 2.0

_Call = grpc.aio.StreamStreamCall[replica_pb2.ReportRequest, replica_pb2.ReportResponse]


@dataclass(slots=True)
class _Pending:
    message: replica_pb2.Settlement
    queued_seconds: float
    sent_seconds: float | None = None


class RouterLink:
    """Keeps a Report stream open for ever; a router that is away is tried again and again.

    Settlements are kept until the router confirms them, or until they are older than
    `lifetime_seconds`: by then their leases have expired.
    """

    def __init__(
        self, target: GrpcTarget, clock: Clock, *, interval_seconds: float, lifetime_seconds: float
    ) -> None:
        self._channel = channel(target)
        self._stub: replica_pb2_grpc.ReplicaServiceAsyncStub = replica_pb2_grpc.ReplicaServiceStub(
            self._channel
        )
        self._registration = replica_pb2.Registration()
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._lifetime_seconds = lifetime_seconds
        self._pending: dict[Identity, _Pending] = {}
        self._wake = asyncio.Event()
        self._all_closed = asyncio.Event()
        self._all_closed.set()
        self._read_load: Callable[[], LoadReport] | None = None
        self._told: LoadReport | None = None

    def register(self, replica: Replica, address: str, capabilities: Capabilities, max_requests: int) -> None:
        """Sets what the replica says of itself; call it before `run`."""
        # One link per process: a process that follows this one says another number.
        incarnation = Identity.random().low
        self._registration = wire.registration_from(
            replica, address, capabilities, max_requests, incarnation=incarnation
        )

    def settle(self, lease: Identity, *, input_tokens: int, output_tokens: int) -> None:
        """Takes the settlement at once and delivers it until the router has confirmed it."""
        message = replica_pb2.Settlement(
            lease_id_high=lease.high,
            lease_id_low=lease.low,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
        )
        # Here too, and not only in reports: a stream that hangs makes none.
        self._forget_expired()
        self._pending[lease] = _Pending(message, self._clock.monotonic_seconds())
        self._all_closed.clear()
        self._wake.set()

    def load_changed(self) -> None:
        """Tells the router before its next regular report if the change is big."""
        if self._read_load is None or self._told is None:
            return
        if is_big_change(self._told, self._read_load()):
            self._wake.set()

    async def run(self, read_load: Callable[[], LoadReport]) -> None:
        """Reports until it is cancelled."""
        self._read_load = read_load
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            began_seconds = self._clock.monotonic_seconds()
            try:
                await self._session(read_load)
            except grpc.aio.AioRpcError as failure:
                level = logging.WARNING if pause_seconds == _FIRST_PAUSE_SECONDS else logging.DEBUG
                _log.log(level, "router_link_lost", reason=error_from(failure).reason.name)
            if self._clock.monotonic_seconds() - began_seconds > _LAST_PAUSE_SECONDS:
                pause_seconds = _FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, _LAST_PAUSE_SECONDS)

    async def settled(self, timeout_seconds: float) -> int:
        """Waits until the router has confirmed every settlement; returns how many it has not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._all_closed.wait()
        return len(self._pending)

    async def close(self) -> None:
        """Closes the connection; the replica is no longer registered."""
        await self._channel.close()

    async def _session(self, read_load: Callable[[], LoadReport]) -> None:
        for pending in self._pending.values():
            pending.sent_seconds = None
        call = self._stub.Report()
        reader = asyncio.create_task(self._read(call))
        try:
            await call.write(self._report(read_load(), registration=self._registration))
            while not reader.done():
                await self._pause()
                await call.write(self._report(read_load()))
            await reader
        except asyncio.InvalidStateError:
            # The stream ended between two reports; what ended it is the reader's to tell.
            await reader
        finally:
            call.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._interval_seconds):
                await self._wake.wait()
        # Settlements come in bursts; a moment's wait lets them travel together.
        await asyncio.sleep(_MIN_INTERVAL_SECONDS)
        self._wake.clear()

    def _report(
        self, load: LoadReport, registration: replica_pb2.Registration | None = None
    ) -> replica_pb2.ReportRequest:
        self._told = load
        return replica_pb2.ReportRequest(
            registration=registration, load=wire.router_load_from(load), settlements=self._due()
        )

    def _due(self) -> list[replica_pb2.Settlement]:
        self._forget_expired()
        now_seconds = self._clock.monotonic_seconds()
        due = [
            pending
            for pending in self._pending.values()
            if pending.sent_seconds is None or now_seconds - pending.sent_seconds > _RESEND_SECONDS
        ][:_MAX_SETTLEMENTS]
        for pending in due:
            pending.sent_seconds = now_seconds
        return [pending.message for pending in due]

    async def _read(
        self, call: "grpc.aio.StreamStreamCall[replica_pb2.ReportRequest, replica_pb2.ReportResponse]"
    ) -> None:
        async for response in call:
            for lease in response.closed:
                self._forget(Identity(lease.high, lease.low))

    def _forget_expired(self) -> None:
        oldest_seconds = self._clock.monotonic_seconds() - self._lifetime_seconds
        # The oldest stand first.
        while self._pending:
            lease, pending = next(iter(self._pending.items()))
            if pending.queued_seconds >= oldest_seconds:
                return
            self._forget(lease)

    def _forget(self, lease: Identity) -> None:
        self._pending.pop(lease, None)
        if not self._pending:
            self._all_closed.set()
