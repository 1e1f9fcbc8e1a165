"""Runs the edge: `python -m services.edge --config FILE`."""

import asyncio
import gc
import sys

import uvloop

from services.edge.adapters.generator_client import GeneratorClient
from services.edge.adapters.request_log import RequestLog
from services.edge.adapters.router_client import RouterClient
from services.edge.adapters.usage_reporter import UsageReporter
from services.edge.domain.ports import Ports
from services.edge.process import EdgeProcess
from services.edge.server.http.listener import ListenAddress
from services.edge.settings import EdgeSettings
from services.kernel.clock import SystemClock
from services.runtime import logs, telemetry
from services.runtime.emitter_client import EmitterClient
from services.runtime.grpc.server import stop_event
from services.runtime.privacy import keep_private
from services.runtime.settings import SettingsError, from_command_line


async def run(settings: EdgeSettings) -> None:
    """Serves until SIGTERM, then drains."""
    stopped, clock = stop_event(), SystemClock()
    router = RouterClient(settings.router, timeout_seconds=settings.router_seconds)
    generators = GeneratorClient(settings.generator_tls, clock, max_channels=settings.max_generator_channels)
    emitter = EmitterClient(settings.emitter, clock=clock, wait_seconds=settings.emitter_seconds)
    usage = UsageReporter(
        emitter, settings.home.number, settings.digest, max_waiting=settings.max_waiting_events
    )
    listen = ListenAddress(settings.listen.host, settings.listen.port, settings.listen.ssl_context())
    ports = Ports(router, generators, RequestLog(usage))
    process = EdgeProcess(settings, listen=listen, ports=ports, clock=clock)
    await process.start()
    # What was imported and wired lives until the end. To look through it again for what nothing uses any
    # more would hold every stream up for 40 ms, again and again.
    gc.collect()
    gc.freeze()
    await stopped.wait()
    await process.drain()
    await usage.close(within_seconds=settings.drain_events_seconds)
    await asyncio.gather(generators.close(), router.close())


def main() -> None:
    """Exits with 0 after a drain, with 2 and one sentence if the settings cannot be used."""
    settings = from_command_line(EdgeSettings, section="edge", description=__doc__ or "")
    keep_private()
    logs.configure("edge", settings.log_level)
    exporters = telemetry.configure(settings, "edge")
    try:
        exporters.show()
        uvloop.run(run(settings))
    except SettingsError as error:
        sys.stderr.write(f"comptoir edge: {error}\n")
        sys.exit(2)
    finally:
        exporters.shutdown()


if __name__ == "__main__":
    main()
