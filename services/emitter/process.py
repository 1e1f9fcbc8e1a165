"""Joins the emitter's spool, log and server, and says how they start and stop."""

import asyncio

from comptoir.emitter.v1 import emitter_pb2
from comptoir.emitter.v1.emitter_pb2_grpc import add_EmitterServiceServicer_to_server

from services.contract.events import KIND_OF_TOPIC
from services.contract.pseudonym import SECRET_BYTES, Pseudonyms
from services.emitter.adapters.kafka_log import KafkaLog
from services.emitter.adapters.spool.gauges import watch
from services.emitter.adapters.spool.writer import SqliteSpool
from services.emitter.domain.event_rules import EventRules, limits_of, past_microseconds_for
from services.emitter.server.forwarding import Forwarder
from services.emitter.server.recording import EmitterServicer
from services.emitter.settings import EmitterSettings
from services.kernel.clock import Clock, SystemClock
from services.runtime.grpc.interceptors import learn_rules
from services.runtime.grpc.server import build_server
from services.runtime.kafka_topics import KafkaTopics
from services.runtime.metrics.process_state import show_state
from services.runtime.parts import Parts
from services.runtime.probes import PROBES
from services.runtime.settings import read_secret


def build(settings: EmitterSettings) -> "Emitter":
    """Returns an emitter on the machine's clock; SpoolUnusableError if its spool cannot be opened."""
    return Emitter(settings, SystemClock())


class Emitter:
    """One emitter: what it takes is in the spool before it is acknowledged, and leaves through the log."""

    def __init__(self, settings: EmitterSettings, clock: Clock) -> None:
        self._settings = settings
        secret = read_secret(settings.pseudonym_secret_file, length_bytes=SECRET_BYTES)
        self._log = KafkaLog(settings.kafka, confirm_seconds=settings.kafka.confirm_seconds)
        self._topics = KafkaTopics(settings.kafka, KIND_OF_TOPIC)
        self._spool = SqliteSpool(settings, clock)
        watch(self._spool, settings, clock)
        self._server = build_server(settings.listen, clock=clock)
        show_state(self._server.why_unready)
        PROBES.ready_by(self._server.why_unready)
        self._servicer = EmitterServicer(
            self._spool,
            Pseudonyms(secret, settings.pseudonym_epoch),
            _event_rules(settings),
            clock,
            streams=self._server.joined,
            on_health=lambda is_well: self._server.tell_serving(is_serving=is_well),
        )
        add_EmitterServiceServicer_to_server(self._servicer, self._server.server)
        learn_rules(emitter_pb2.DESCRIPTOR.services_by_name["EmitterService"])
        self._forwarder = Forwarder(
            self._spool,
            self._log,
            clock=clock,
            poll_seconds=lambda kind: settings.linger_seconds(kind) / 2,
        )
        self._forwarding: asyncio.Task[None] | None = None

    async def start(self, parts: Parts) -> None:
        """Takes events and forwards them; SettingsError if the address is taken."""
        await self._server.start()
        await self._server.set_serving(is_serving=True)
        self._forwarding = parts.run("forwarding", self._forwarder.run())
        self._reviewing = parts.run("reviews", self._servicer.run_reviews())
        parts.run("topics", self._topics.watch())

    async def drain(self) -> None:
        """Lets the calls end, then what the spool holds leave; the rest waits there for the next start."""
        if self._forwarding is not None:
            self._reviewing.cancel()
        await self._server.drain(self._settings.grace_seconds)
        if self._forwarding is not None:
            await self._forwarder.drain(self._forwarding, self._settings.forward_grace_seconds)
        await self._log.close()
        await self._spool.close()


def _event_rules(settings: EmitterSettings) -> EventRules:
    return EventRules(
        settings.home.number,
        limits_of(settings.catalog),
        past_microseconds=past_microseconds_for(settings.spool_max_age_seconds),
    )
