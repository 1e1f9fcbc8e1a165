"""The gRPC face of a generator, and the order in which its parts start and stop."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import grpc
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from comptoir.ticket.v1 import ticket_pb2

from services.generator import wire
from services.generator.domain.bounds import Bounds
from services.generator.domain.generation import Delta, Finished, Order, Started
from services.generator.domain.generations import Generations
from services.generator.domain.load_samples import sample_load
from services.generator.domain.ports import CallerGoneError, Engine, Signatures, UsageSink
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.registration_watch import RegistrationWatch
from services.generator.domain.ticket import Claims
from services.generator.domain.watchdog import EngineLoss, until_engine_fails
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.readiness import DRAINING, READY, Readiness, Unready, unready
from services.runtime.grpc.interceptors import read_request, reads_itself
from services.runtime.grpc.server import GrpcServer
from services.runtime.logs import get_logger, log_failure
from services.runtime.telemetry import counter, read_counter

_log = get_logger(__name__)

_LOOK_SECONDS = 0.1

Context = grpc.aio.ServicerContext[Any, Any]


class GeneratorService(generator_pb2_grpc.GeneratorServiceServicer):
    """One method per RPC."""

    def __init__(self, generations: Generations, signatures: Signatures, clock: Clock) -> None:
        self._generations = generations
        self._signatures = signatures
        self._clock = clock
        self._refused = counter(
            "comptoir.generator.tickets_refused", unit="{ticket}", description="Tickets not accepted."
        )

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the service."""
        generator_pb2_grpc.add_GeneratorServiceServicer_to_server(self, server)

    # The reader-writer form: a cancelled call cancels this very coroutine, in whatever phase it is.
    @reads_itself
    async def Generate(  # type: ignore[override] # noqa: N802 - the schema's name
        self, content: bytes, context: Context
    ) -> None:
        """Streams one answer."""
        order = self._order(content, context)

        async def send(message: Started | Delta | Finished) -> None:
            response = wire.response_from(message)  # outside, so that a defect of ours is no caller's leaving
            try:
                await context.write(response)
            except Exception as failure:  # grpc has no public type for a broken call
                raise CallerGoneError from failure

        await self._generations.serve(order, send)

    async def GetLoad(  # noqa: N802 - the schema's name
        self,
        request: generator_pb2.GetLoadRequest,  # noqa: ARG002 - the stub's signature
        context: Context,  # noqa: ARG002 - the stub's signature
    ) -> generator_pb2.GetLoadResponse:
        """Says how busy the replica is."""
        return wire.load_response_from(self._generations.load())

    def _order(self, content: bytes, context: Context) -> Order:
        received_seconds = self._clock.monotonic_seconds()
        claims = self._claims(content)
        request = read_request(generator_pb2.GenerateRequest.FromString, content)
        remaining_seconds = context.time_remaining()
        order = Order(
            claims=claims,
            turns=wire.turns_from(request),
            sampling=wire.sampling_from(request),
            is_streamed=request.is_streamed,
            received_seconds=received_seconds,
            received_at_microseconds=self._clock.wall_microseconds(),
            deadline_seconds=None if remaining_seconds is None else received_seconds + remaining_seconds,
        )
        with self._counting_refusals():
            self._generations.admit(claims)
        return order

    def _claims(self, content: bytes) -> Claims:
        """The claims of a ticket that is good now.

        Reading the rest of a message can take a thousand times as long, so it comes after.
        """
        ticket = read_request(ticket_pb2.TicketBearer.FromString, content).ticket
        with self._counting_refusals():
            if not self._signatures.is_valid(ticket.claims, ticket.signature, ticket.signing_key_number):
                raise ComptoirError(Reason.TICKET_INVALID)
            claims = wire.claims_from(ticket.claims)
            self._generations.check(claims)
        return claims

    @contextmanager
    def _counting_refusals(self) -> Iterator[None]:
        try:
            yield
        except ComptoirError as error:
            self._refused.add(1, {"reason": error.reason.name})
            raise


class RouterReports(Protocol):
    """What the server needs of the link to the router."""

    @property
    def is_registered(self) -> bool:
        """Whether the router has answered on the stream that is open now."""
        ...

    async def run(self, read_load: Any) -> None:
        """Reports until it is cancelled."""
        ...

    async def settled(self, timeout_seconds: float) -> int:
        """Waits for confirmations; returns how many are missing."""
        ...

    async def close(self) -> None:
        """Closes the connection."""
        ...


class ClosableSink(UsageSink, Protocol):
    """A sink with a connection to close."""

    async def close(self) -> None:
        """Closes the connection."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running generator is made of."""

    engine: Engine
    generations: Generations
    recorder: UsageRecorder
    sink: ClosableSink
    link: RouterReports
    server: GrpcServer
    clock: Clock
    bounds: Bounds


async def serve(parts: Parts, stop: asyncio.Event) -> int:
    """Serves until `stop` is set, the engine fails or a part ends, then drains; returns the exit status.

    The engine has been started and warmed up: it comes before the server, since it forks.
    """
    await parts.server.start()
    await parts.server.set_readiness(_readiness(is_registered=parts.link.is_registered))
    _export(parts.recorder)
    readiness = asyncio.create_task(_follow_registration(parts))
    reports, samples, watch = _background(parts)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({reports, samples, watch, stopped}, return_when=asyncio.FIRST_COMPLETED)
    loss = watch.result() if watch.done() and watch.exception() is None else None
    # Each of the three runs for as long as the process: a replica without one of them must not stay.
    is_failed = any(task.done() for task in (reports, samples, watch))
    for task in (readiness, samples, watch, stopped):
        task.cancel()
    await _drain(parts, loss)
    reports.cancel()
    await asyncio.gather(readiness, reports, samples, watch, stopped, return_exceptions=True)
    await asyncio.gather(parts.link.close(), parts.sink.close())
    await asyncio.to_thread(parts.engine.shutdown)
    return 1 if is_failed else 0


async def _follow_registration(parts: Parts) -> None:
    """Tells health, for ever, whether the router knows the replica: who is not known gets no requests."""
    watch, was_ready = RegistrationWatch(), parts.link.is_registered
    while True:
        now_seconds = parts.clock.monotonic_seconds()
        is_ready = watch.look(is_registered=parts.link.is_registered, now_seconds=now_seconds)
        if is_ready != was_ready:
            if was_ready:
                _log.error("not_registered")
            await parts.server.set_readiness(_readiness(is_registered=is_ready))
            was_ready = is_ready
        await asyncio.sleep(_LOOK_SECONDS)


def _readiness(*, is_registered: bool) -> Readiness:
    return READY if is_registered else unready(Unready.NOT_REGISTERED)


def _export(recorder: UsageRecorder) -> None:
    read_counter(
        "comptoir.generator.events_refused",
        unit="{event}",
        description="Terminal events never taken.",
        read=lambda: recorder.refused_events,
    )
    read_counter(
        "comptoir.generator.endings_failed",
        unit="{ending}",
        description="Endings whose rest failed.",
        read=lambda: recorder.failed_endings,
    )


def _background(parts: Parts) -> tuple[asyncio.Task[None], asyncio.Task[None], asyncio.Task[EngineLoss]]:
    bounds, generations, clock = parts.bounds, parts.generations, parts.clock
    reports = asyncio.create_task(parts.link.run(generations.load))
    samples = asyncio.create_task(
        sample_load(generations, parts.sink, clock, interval_seconds=bounds.load_event_interval_seconds)
    )
    watch = asyncio.create_task(
        until_engine_fails(parts.engine, clock, hang_seconds=bounds.engine_hang_seconds)
    )
    for task, event in (
        (reports, "reports_failed"),
        (samples, "load_samples_failed"),
        (watch, "watch_failed"),
    ):
        task.add_done_callback(partial(_log_end, event))
    return reports, samples, watch


def _log_end(event: str, task: asyncio.Task[Any]) -> None:
    failure = None if task.cancelled() else task.exception()
    if failure is not None:
        log_failure(_log, event, failure)


async def _drain(parts: Parts, loss: EngineLoss | None) -> None:
    """Not ready; no new requests; open ones end; what they used is durable and settled; no server."""
    _log.info("draining", count=parts.generations.load().open_streams)
    parts.generations.close_gate()
    await parts.server.set_readiness(DRAINING)
    if loss is not None:
        # What an engine that died said, by type and place, stands in the lines before.
        _log.error("engine_lost", kind=loss.value)
        await parts.generations.lose_engine()
    else:
        await parts.generations.drain(parts.bounds.drain_seconds)
    unrecorded, unsettled = await asyncio.gather(
        parts.recorder.settled(parts.bounds.flush_seconds), parts.link.settled(parts.bounds.flush_seconds)
    )
    if unrecorded:
        _log.error("events_left_behind", count=unrecorded)
    if unsettled:
        _log.warning("settlements_left_behind", count=unsettled)
    parts.recorder.give_up()
    await parts.server.drain(1.0)
