"""Runs the router: `python -m services.router --config FILE`."""

import sys

import uvloop

from services.kernel.clock import SystemClock
from services.router.adapters.emitter_log import EmitterLog
from services.router.process import Router
from services.router.settings import RouterSettings
from services.runtime import logs, telemetry
from services.runtime.emitter_client import EmitterClient
from services.runtime.grpc.server import stop_event
from services.runtime.privacy import keep_private
from services.runtime.settings import SettingsError, from_command_line


async def run(settings: RouterSettings) -> None:
    """Serves until it is told to stop, then drains."""
    clock = SystemClock()
    emitter = EmitterClient(settings.emitter, clock=clock, wait_seconds=settings.emitter_wait_seconds)
    try:
        await Router(settings, EmitterLog(emitter), clock).run(stop_event())
    finally:
        await emitter.close()


def main() -> None:
    """Exits with 0 after a drain, with 2 and one sentence if the settings cannot be used."""
    settings = from_command_line(RouterSettings, section="router", description=__doc__ or "")
    keep_private()
    logs.configure("router", settings.log_level)
    exporters = telemetry.configure(settings, "router")
    try:
        exporters.show()
        uvloop.run(run(settings))
    except SettingsError as error:
        sys.stderr.write(f"comptoir router: {error}\n")
        sys.exit(2)
    finally:
        exporters.shutdown()


if __name__ == "__main__":
    main()
