"""Joins the generator's domain with its adapters and its server, and says how they start and stop."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final, Protocol

from comptoir.generator.v1 import generator_pb2

from services.generator.adapters.accelerators import Accelerators
from services.generator.adapters.announcement import Announcement
from services.generator.adapters.ed25519_signatures import Ed25519Signatures
from services.generator.adapters.engines import engine_from
from services.generator.adapters.first_answer import answer_first
from services.generator.adapters.generation_meter import GenerationMeter
from services.generator.adapters.generation_spans import GenerationSpans
from services.generator.adapters.router_links import RouterLinks
from services.generator.adapters.usage_emitter import UsageEmitter
from services.generator.domain.abroad import Abroad
from services.generator.domain.accepted import SharedParts
from services.generator.domain.bounds import Bounds
from services.generator.domain.counting import TokenCounts
from services.generator.domain.generations import Generations
from services.generator.domain.load_samples import sample_load
from services.generator.domain.model_description import ModelDescription
from services.generator.domain.ports import Engine, UsageSink
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.registration_watch import RegistrationWatch
from services.generator.domain.terminal_event import TerminalEvent
from services.generator.domain.ticket import TicketGate
from services.generator.domain.tools import FORMATS
from services.generator.domain.watchdog import EngineLoss, until_engine_fails
from services.generator.server.generation import GeneratorService
from services.generator.settings import GeneratorSettings
from services.kernel.catalog import Task
from services.kernel.clock import Clock, SystemClock
from services.kernel.readiness import DRAINING, READY, Readiness, Unready, unready
from services.runtime.grpc.reflection import add_reflection
from services.runtime.grpc.server import GrpcServer, build_server
from services.runtime.logs import get_logger
from services.runtime.metrics.process_state import show_state
from services.runtime.metrics.registry import generator as metrics
from services.runtime.parts import Parts
from services.runtime.probes import PROBES
from services.runtime.settings import read_secret
from services.runtime.telemetry import read_counter
from services.runtime.transfers.records import TransferRecords

_log = get_logger(__name__)

_LOOK_SECONDS: Final = 0.1
# While it is ready: a lost registration is borne for seconds, and each look wakes an idle process.
_SELDOM_LOOK_SECONDS: Final = 1.0
# Open calls have had their time by then.
_GRACE_SECONDS: Final = 1.0


def build(settings: GeneratorSettings, announcement: Announcement) -> "Generator":
    """Returns a generator on the machine's clock, which `announcement` stands for until it serves."""
    return Generator(settings, SystemClock(), announcement)


class EngineLostError(Exception):
    """The engine died or hangs; the text is one sentence."""


class Generator:
    """One generator: its engine, and from its first answer on what serves it."""

    def __init__(self, settings: GeneratorSettings, clock: Clock, announcement: Announcement) -> None:
        self._settings, self._clock, self._announcement = settings, clock, announcement
        self._transfers = TransferRecords(settings.transfers, clock)
        self._gate = TicketGate(
            settings.identity,
            started_at_microseconds=clock.wall_microseconds(),
            abroad=None if settings.home.is_eu else Abroad(settings.catalog, settings.home, self._transfers),
        )
        self._signatures = Ed25519Signatures.from_files(settings.ticket_public_keys)
        self._secret = read_secret(settings.cache_salt_secret_file, length_bytes=32)
        self._engine: Engine | None = None
        self._served: ServedEngine | None = None

    async def start(self, parts: Parts) -> None:
        """Starts the engine, lets it answer once, and takes calls; SettingsError where it cannot."""
        engine = engine_from(self._settings.served_model, self._settings.engine_parameters, self._clock)
        # Before any connection: it forks.
        await engine.start()
        self._engine = engine
        await answer_first(engine, self._settings.first_answer_seconds)
        self._served = self._serve(engine)
        self._announcement.end()
        await self._served.start(parts)
        parts.run("transfers", self._transfers.follow())

    async def drain(self) -> None:
        """Ends requests, then hands over what they used, then ends the engine."""
        self._announcement.end()
        if self._served is not None:
            await self._served.drain()
        if self._engine is not None:
            await asyncio.to_thread(self._engine.shutdown)

    def _serve(self, engine: Engine) -> "ServedEngine":
        settings, clock, replica = self._settings, self._clock, self._settings.identity
        accelerators = Accelerators() if settings.engine == "vllm" else None
        sink = UsageEmitter(
            settings.emitter,
            replica,
            clock,
            wait_seconds=settings.usage_wait_seconds,
            config_digest=settings.digest,
            read_free_bytes=lambda: 0 if accelerators is None else accelerators.free_bytes(),
        )
        is_embedding = settings.catalog_model.task is Task.EMBED
        operation = "embeddings" if is_embedding else "chat"
        meter = GenerationMeter(engine, settings.model, operation=operation)
        spans = GenerationSpans(settings.model, operation=operation)

        def observe(event: TerminalEvent) -> None:
            meter.ended(event)
            spans.ended(event)

        recorder = UsageRecorder(sink, max_unrecorded=settings.max_unrecorded_events, observe=observe)
        interval, lifetime = settings.report_interval_seconds, settings.settlement_lifetime_seconds
        link = RouterLinks(settings.routers, clock, interval_seconds=interval, lifetime_seconds=lifetime)
        link.register(
            replica,
            settings.address,
            engine.capabilities,
            settings.max_requests,
            incarnation=self._announcement.incarnation,
        )
        tool_format = FORMATS.get(settings.catalog_model.tool_format)
        shared = SharedParts(
            engine,
            recorder,
            link,
            clock,
            self._secret,
            settings.max_request_seconds,
            settings.catalog_model.max_bytes_per_token,
            tool_format,
            settings.queue,
            settings.served_model.reasoning,
            settings.template_rules,
        )
        generations = Generations(
            shared, self._gate, max_requests=settings.max_requests, load_changed=link.load_changed
        )
        meter.watch(generations, accelerators)
        server = build_server(settings.listen, clock=clock, max_receive_bytes=settings.max_request_bytes)
        show_state(server.why_unready)
        PROBES.ready_by(server.why_unready)
        per_token = settings.catalog_model.max_bytes_per_token
        counts = TokenCounts(
            engine,
            self._gate,
            clock,
            max_bytes_per_token=per_token,
            template=settings.template_rules,
            tool_format=tool_format,
        )
        model = ModelDescription(
            settings.catalog_model.name,
            settings.catalog_model.max_output_tokens,
            settings.catalog_model.tool_format,
            engine.capabilities,
            settings.catalog_model.reasoning_format,
        )
        GeneratorService(server, generations, counts, self._signatures, clock, model)
        if settings.listen.is_described:
            add_reflection(server.server, generator_pb2.DESCRIPTOR)
        return ServedEngine(engine, generations, recorder, sink, link, server, clock, settings)


class RouterReports(Protocol):
    """What the server needs of the links to the routers."""

    @property
    def is_registered(self) -> bool:
        """Whether a router has answered on the stream that is open now."""
        ...

    async def run(self, read_load: Any, hold_back: Any, call_back: Any) -> None:
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


@dataclass(slots=True)
class ServedEngine:
    """A started engine and all that serves it."""

    engine: Engine
    generations: Generations
    recorder: UsageRecorder
    sink: ClosableSink
    link: RouterReports
    server: GrpcServer
    clock: Clock
    bounds: Bounds
    _loss: EngineLoss | None = None
    _reports: asyncio.Task[None] | None = None
    # What has an end when the drain begins.
    _watches: tuple[asyncio.Task[None], ...] = ()

    async def start(self, parts: Parts) -> None:
        """Takes calls, and registers with the router; SettingsError if the address is taken."""
        await self.server.start()
        await self.server.set_readiness(_readiness(is_registered=self.link.is_registered))
        _export(self.recorder)
        interval_seconds = self.bounds.load_event_interval_seconds
        samples = sample_load(self.generations, self.sink, self.clock, interval_seconds=interval_seconds)
        self._watches = (
            parts.run("readiness", self._follow_registration()),
            parts.run("load_samples", samples),
            parts.run("watch", self._watch_engine()),
        )
        mine = self.generations
        self._reports = parts.run("reports", self.link.run(mine.load, mine.hold_back, mine.call_back))

    async def drain(self) -> None:
        """Ends readiness, new requests, open ones, their records and settlements, and last the server."""
        for task in self._watches:
            task.cancel()
        _log.info("draining", count=self.generations.load().open_streams)
        self.generations.close_gate()
        await self.server.set_readiness(DRAINING)
        if self._loss is not None:
            # What an engine that died said, by type and place, stands in the lines before.
            _log.error("engine_lost", kind=self._loss.name.lower())
            await self.generations.lose_engine()
        else:
            await self.generations.drain(self.bounds.drain_seconds)
        await self._flush()
        await self.server.drain(_GRACE_SECONDS)
        if self._reports is not None:
            self._reports.cancel()
            await asyncio.wait({self._reports})
        await asyncio.gather(self.link.close(), self.sink.close())

    async def _flush(self) -> None:
        unrecorded, unsettled = await asyncio.gather(
            self.recorder.settled(self.bounds.flush_seconds), self.link.settled(self.bounds.flush_seconds)
        )
        if unrecorded:
            _log.error("events_left_behind", count=unrecorded)
        if unsettled:
            _log.warning("settlements_left_behind", count=unsettled)
        self.recorder.give_up()

    async def _watch_engine(self) -> None:
        prefill_seconds = self.generations.prefill_seconds
        self._loss = await until_engine_fails(
            self.engine, self.clock, self.bounds, prefill_seconds=prefill_seconds
        )
        raise EngineLostError(f"its engine {self._loss.value}; the lines before say more.")

    async def _follow_registration(self) -> None:
        """Tells health, for ever, whether the router knows the replica: who is not known gets no requests."""
        watch, was_ready = RegistrationWatch(), self.link.is_registered
        while True:
            now_seconds = self.clock.monotonic_seconds()
            is_ready = watch.look(is_registered=self.link.is_registered, now_seconds=now_seconds)
            if is_ready != was_ready:
                if was_ready:
                    _log.error("not_registered")
                await self.server.set_readiness(_readiness(is_registered=is_ready))
                was_ready = is_ready
            await asyncio.sleep(_SELDOM_LOOK_SECONDS if is_ready else _LOOK_SECONDS)


def _readiness(*, is_registered: bool) -> Readiness:
    return READY if is_registered else unready(Unready.NOT_REGISTERED)


def _export(recorder: UsageRecorder) -> None:
    read_counter(metrics.EVENTS_REFUSED, read=lambda: recorder.refused_events)
    read_counter(metrics.ENDINGS_FAILED, read=lambda: recorder.failed_endings)
