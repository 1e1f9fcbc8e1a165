"""Joins the generator's domain with its adapters and its server, and says how they start and stop."""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from comptoir.generator.v1 import generator_pb2

from services.generator.adapters.ed25519_signatures import Ed25519Signatures
from services.generator.adapters.engines import engine_from
from services.generator.adapters.generation_meter import GenerationMeter
from services.generator.adapters.router_link import RouterLink
from services.generator.adapters.usage_emitter import UsageEmitter
from services.generator.domain.bounds import Bounds
from services.generator.domain.generation import Surroundings
from services.generator.domain.generations import Generations
from services.generator.domain.load_samples import sample_load
from services.generator.domain.ports import Engine, UsageSink
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.registration_watch import RegistrationWatch
from services.generator.domain.ticket import TicketGate
from services.generator.domain.warm_up import warm_up
from services.generator.domain.watchdog import EngineLoss, until_engine_fails
from services.generator.server.generation import GeneratorService
from services.generator.settings import GeneratorSettings
from services.kernel.clock import Clock, SystemClock
from services.kernel.readiness import DRAINING, READY, Readiness, Unready, unready
from services.runtime import telemetry
from services.runtime.grpc.reflection import add_reflection
from services.runtime.grpc.server import GrpcServer, build_server, stop_event
from services.runtime.logs import get_logger, log_failure
from services.runtime.settings import read_secret
from services.runtime.telemetry import read_counter

_log = get_logger(__name__)

_LOOK_SECONDS: Final = 0.1


async def run(settings: GeneratorSettings, exporters: telemetry.Telemetry) -> int:
    """Starts, serves and drains; returns the exit status."""
    clock, stop, replica = SystemClock(), stop_event(), settings.identity
    gate = TicketGate(replica, started_at_microseconds=clock.wall_microseconds())
    signatures = Ed25519Signatures.from_files(settings.ticket_public_keys)
    secret = read_secret(settings.cache_salt_secret_file, length_bytes=32)
    engine = engine_from(settings.served_model, settings.engine_parameters, clock)
    # Before any connection: an engine on a CPU forks.
    await engine.start()
    await warm_up(engine)
    exporters.show()
    sink = UsageEmitter(
        settings.emitter,
        replica,
        clock,
        wait_seconds=settings.usage_wait_seconds,
        config_digest=settings.digest,
    )
    meter = GenerationMeter(engine, settings.model)
    recorder = UsageRecorder(sink, max_unrecorded=settings.max_unrecorded_events, observe=meter.ended)
    interval, lifetime = settings.report_interval_seconds, settings.settlement_lifetime_seconds
    link = RouterLink(settings.router, clock, interval_seconds=interval, lifetime_seconds=lifetime)
    link.register(replica, settings.address, engine.capabilities, settings.max_requests)
    limits = settings.max_request_seconds, settings.catalog_model.max_bytes_per_token
    around = Surroundings(engine, recorder, link, clock, secret, *limits, settings.queue)
    generations = Generations(
        around, gate, max_requests=settings.max_requests, load_changed=link.load_changed
    )
    server = build_server(settings.listen, clock=clock, max_receive_bytes=settings.max_request_bytes)
    GeneratorService(generations, signatures, clock).add_to(server.server)
    if settings.listen.is_described:
        add_reflection(server.server, generator_pb2.DESCRIPTOR)
    return await serve(Parts(engine, generations, recorder, sink, link, server, clock, settings), stop)


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
