"""Joins the usage pipeline's log, store and consumer, and says how they start and stop."""

import asyncio
from functools import partial
from typing import Final

from pipelines.usage.adapters.clickhouse_checks import ClickHouseChecks
from pipelines.usage.adapters.clickhouse_client import ClickHouse
from pipelines.usage.adapters.clickhouse_declared import ClickHouseDeclared
from pipelines.usage.adapters.clickhouse_schema import ClickHouseSchema
from pipelines.usage.adapters.clickhouse_store import ClickHouseStore
from pipelines.usage.adapters.kafka_dead_letters import KafkaDeadLetters
from pipelines.usage.adapters.kafka_lag import KafkaLag
from pipelines.usage.adapters.kafka_source import KafkaSource
from pipelines.usage.adapters.otel_meter import OtelMeter
from pipelines.usage.consumer.checks import check_store
from pipelines.usage.consumer.keeper import Ports
from pipelines.usage.consumer.loop import UsageConsumer
from pipelines.usage.consumer.standing import Standing
from pipelines.usage.consumer.watch import Watch
from pipelines.usage.settings import UsageSettings
from services.contract.events import DEAD_LETTER_TOPIC, KIND_OF_TOPIC
from services.kernel.clock import Clock, SystemClock
from services.kernel.readiness import DRAINING
from services.runtime.grpc.server import build_server
from services.runtime.kafka_topics import KafkaTopics
from services.runtime.metrics.process_state import show_state
from services.runtime.parts import Parts
from services.runtime.probes import PROBES

# Open calls are those of health and readiness, which nobody needs for longer.
_GRACE_SECONDS: Final = 1.0


def build(settings: UsageSettings) -> "UsagePipeline":
    """Returns a pipeline on the machine's clock."""
    return UsagePipeline(settings, SystemClock())


class UsagePipeline:
    """One member of the group, which reads the log into the store, and what watches how far it is behind."""

    def __init__(self, settings: UsageSettings, clock: Clock) -> None:
        self._clickhouse = ClickHouse(settings.clickhouse)
        schema = ClickHouseSchema(self._clickhouse, settings.clickhouse)
        declared = ClickHouseDeclared(self._clickhouse, settings.clickhouse, clock)
        self._letters = KafkaDeadLetters(settings.kafka, DEAD_LETTER_TOPIC)
        self._lag = KafkaLag(settings.kafka, KIND_OF_TOPIC)
        self._topics = KafkaTopics(settings.kafka, (*KIND_OF_TOPIC, DEAD_LETTER_TOPIC))
        meter = OtelMeter(clock)
        ports = Ports(
            KafkaSource(settings.kafka, KIND_OF_TOPIC),
            self._lag,
            ClickHouseStore(self._clickhouse, settings.clickhouse.database),
            self._letters,
            meter,
            clock,
        )
        standing = Standing(settings)
        self._consumer = UsageConsumer(ports, settings, settings.store_terms, standing)
        self._watch = Watch(ports, settings, standing)
        self._prepare = (
            lambda: schema.apply(settings.retention_days, settings.catalog),
            lambda: declared.apply(settings, settings.catalog.currency),
            self._watch.ask_store_clock,
            self._letters.start,
        )
        self._server = build_server(settings.listen, clock=clock)
        show_state(self._server.why_unready)
        PROBES.ready_by(self._server.why_unready)
        checks = ClickHouseChecks(self._clickhouse, settings.clickhouse.database)
        self._check_store = partial(
            check_store, checks, meter.checked, clock, retention_days=settings.retention_days
        )
        self._stopping = asyncio.Event()
        self._consuming: asyncio.Task[None] | None = None

    async def start(self, parts: Parts) -> None:
        """Joins the group once store and log can be reached; SettingsError if the address is taken."""
        await self._server.start()
        parts.run("topics", self._topics.watch())
        parts.run("watch", self._watch.run(self._stopping, self._server.set_readiness))
        self._checking = parts.run("checks", self._check_store())
        self._consuming = parts.run("consumer", self._consumer.run(self._stopping, prepare=self._prepare))

    async def drain(self) -> None:
        """Lets the inserts in flight end, which the store's time-out bounds, commits and leaves the group."""
        self._stopping.set()
        await self._server.set_readiness(DRAINING)
        if self._consuming is not None:
            self._checking.cancel()
            await asyncio.wait({self._consuming, self._checking})
        await self._letters.stop()
        await self._lag.stop()
        await self._clickhouse.close()
        await self._server.drain(_GRACE_SECONDS)
