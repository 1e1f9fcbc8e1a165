"""Runs the emitter: `python -m services.emitter --config FILE`."""

import asyncio
import sys
from collections.abc import Mapping

import uvloop
from comptoir.emitter.v1.emitter_pb2_grpc import add_EmitterServiceServicer_to_server

from services.emitter.adapters.kafka_log import KafkaLog
from services.emitter.adapters.spool import SqliteSpool
from services.emitter.adapters.spool_gauges import watch
from services.emitter.adapters.spool_start import SpoolUnusableError
from services.emitter.domain.demands import Demands, ModelLimits, past_microseconds_for
from services.emitter.domain.pseudonym import SECRET_BYTES, Pseudonyms
from services.emitter.forwarder import Forwarder
from services.emitter.server.recording import EmitterServicer
from services.emitter.settings import EmitterSettings
from services.kernel.catalog import Catalog
from services.kernel.clock import SystemClock
from services.runtime import logs, telemetry
from services.runtime.grpc.server import build_server, stop_event
from services.runtime.privacy import keep_private
from services.runtime.settings import SettingsError, from_command_line, read_secret


async def run(settings: EmitterSettings) -> None:
    """Serves until it is told to stop, then drains: first the calls, then the spool, each in bounded time."""
    clock, kafka = SystemClock(), settings.kafka
    stopped = asyncio.create_task(stop_event().wait())
    secret = read_secret(settings.pseudonym_secret_file, length_bytes=SECRET_BYTES)
    log = KafkaLog(kafka.bootstrap, ssl_context=kafka.ssl_context(), confirm_seconds=kafka.confirm_seconds)
    spool = SqliteSpool(settings.spool, clock)
    watch(spool, clock)
    server = build_server(settings.listen, clock=clock)
    pseudonyms = Pseudonyms(secret, settings.pseudonym_epoch)
    past_microseconds = past_microseconds_for(settings.spool_max_age_seconds)
    servicer = EmitterServicer(
        spool,
        pseudonyms,
        Demands(settings.home.number, _limits(settings.catalog), past_microseconds=past_microseconds),
        clock,
        on_health=lambda is_well: server.set_serving(is_serving=is_well),
    )
    add_EmitterServiceServicer_to_server(servicer, server.server)
    await server.start()
    await server.set_serving(is_serving=True)
    forwarder = Forwarder(spool, log, poll_seconds=settings.frame_linger_seconds / 2)
    forwarding = asyncio.create_task(forwarder.run())
    reviewing = asyncio.create_task(servicer.run_reviews())
    await asyncio.wait({stopped, forwarding}, return_when=asyncio.FIRST_COMPLETED)
    reviewing.cancel()
    await server.drain(settings.grace_seconds)
    await forwarder.drain(forwarding, settings.forward_grace_seconds)
    await log.close()
    await spool.close()
    if not forwarding.cancelled():
        forwarding.result()


def _limits(catalog: Catalog) -> Mapping[int, ModelLimits]:
    return {
        model.number: ModelLimits(model.context_tokens, model.max_output_tokens) for model in catalog.models
    }


def main() -> None:
    """Exits with 0 after a drain, with 2 and one sentence if the settings or the spool cannot be used."""
    settings = from_command_line(EmitterSettings, section="emitter", description=__doc__ or "")
    keep_private()
    logs.configure("emitter", settings.log_level)
    exporters = telemetry.configure(settings, "emitter")
    try:
        exporters.show()
        uvloop.run(run(settings))
    except (SettingsError, SpoolUnusableError) as error:
        sys.stderr.write(f"comptoir emitter: {error}\n")
        sys.exit(2)
    finally:
        exporters.shutdown()


if __name__ == "__main__":
    main()
