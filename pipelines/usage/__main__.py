"""Wires the usage pipeline: `python -m pipelines.usage --config FILE`."""

import asyncio
import contextlib
import sys

from pipelines.usage.adapters.clickhouse_client import ClickHouse
from pipelines.usage.adapters.clickhouse_schema import ClickHouseSchema
from pipelines.usage.adapters.clickhouse_store import ClickHouseStore
from pipelines.usage.adapters.kafka_dead_letters import KafkaDeadLetters
from pipelines.usage.adapters.kafka_lag import KafkaLag
from pipelines.usage.adapters.kafka_source import KafkaSource
from pipelines.usage.adapters.otel_meter import OtelMeter
from pipelines.usage.consumer.keeper import Ports
from pipelines.usage.consumer.loop import UsageConsumer
from pipelines.usage.consumer.standing import Standing
from pipelines.usage.consumer.watch import Watch
from pipelines.usage.domain.errors import SchemaError
from pipelines.usage.settings import UsageSettings
from services.contract.events import DEAD_LETTER_TOPIC, KIND_OF_TOPIC
from services.kernel.clock import SystemClock
from services.runtime import logs, telemetry
from services.runtime.grpc import server as grpc_server
from services.runtime.privacy import keep_private
from services.runtime.settings import SettingsError, from_command_line


async def _serve(settings: UsageSettings) -> None:
    stop, clock = grpc_server.stop_event(), SystemClock()
    clickhouse = ClickHouse(settings.clickhouse)
    schema = ClickHouseSchema(clickhouse, settings.clickhouse)
    letters = KafkaDeadLetters(settings.kafka, DEAD_LETTER_TOPIC)
    lag = KafkaLag(settings.kafka, KIND_OF_TOPIC)
    ports = Ports(
        KafkaSource(settings.kafka, KIND_OF_TOPIC),
        lag,
        ClickHouseStore(clickhouse, settings.clickhouse.database),
        letters,
        OtelMeter(),
        clock,
    )
    standing = Standing(settings.rules)
    consumer = UsageConsumer(ports, settings.rules, standing)
    watch = Watch(ports, settings.rules, standing)
    server = grpc_server.build_server(settings.listen, clock=clock)
    await server.start()
    watching = asyncio.create_task(watch.run(stop, server.set_readiness))
    # A watch that fails ends the process: nobody would know how late it is.
    watching.add_done_callback(lambda _task: stop.set())
    try:
        await consumer.run(
            stop,
            prepare=(
                lambda: schema.apply(settings.retention_days, settings.catalog),
                watch.ask_store_clock,
                letters.start,
            ),
        )
    finally:
        stop.set()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        await letters.stop()
        await lag.stop()
        await clickhouse.close()
        await server.drain(grace_seconds=1.0)


def main() -> None:
    """Consumes until SIGTERM; one sentence and status 1 or 2 if it cannot."""
    settings = from_command_line(UsageSettings, section="usage", description="Moves events into the store.")
    keep_private()
    logs.configure(process="usage", level=settings.log_level)
    exporters = telemetry.configure(settings, "usage")
    try:
        exporters.show()
        asyncio.run(_serve(settings))
    except (SchemaError, SettingsError) as error:
        sys.stderr.write(f"comptoir usage: {error}\n")
        sys.exit(1)
    finally:
        exporters.shutdown()


if __name__ == "__main__":
    main()
