"""The life of a process: settings, logs and telemetry, a start, service until it is stopped, and a drain."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Final, NoReturn, Protocol

import uvloop

from services.kernel.clock import SystemClock
from services.runtime import logs, telemetry
from services.runtime.metrics.aliases import NO_ALIASES, Aliases
from services.runtime.metrics.certificates import show_certificates
from services.runtime.metrics.process_state import show_build
from services.runtime.parts import PartEndedError, Parts
from services.runtime.privacy import keep_private
from services.runtime.probes import PROBES
from services.runtime.settings import (
    SHARED_KEYS,
    AnySettings,
    MeteredSettings,
    ProcessSettings,
    SettingsError,
    from_command_line,
)
from services.runtime.stop import STOP_SIGNALS, stop_event

# Exit statuses; a drain ends with 0. The first is also that of a failure that nobody foresaw.
FAILED: Final = 1
SETTINGS_UNUSABLE: Final = 2

# Collections by how many objects came into being: Python's own 700 are a fraction of one engine's step, and
# what a request leaves behind goes away without a collection. Each is short: where leases of a minute are
# kept, one of 10,000 objects holds everybody up for 2 to 4 ms, and one of 20 times as many for 50.
_COLLECT_AFTER: Final = (2_000, 5, 2_000)


class Process(Protocol):
    """One process of Comptoir, as its `process.py` wires it."""

    async def start(self, parts: Parts) -> None:
        """Begins to serve; what runs from now on is given to `parts`.

        Raises SettingsError where the settings cannot be used, for one because an address is taken.
        """
        ...

    async def drain(self) -> None:
        """Ends in order and in bounded time what `start` began, also if that failed half way.

        Parts that still run afterwards are cancelled.
        """
        ...


def run_process(  # noqa: PLR0913 - each is one way in which processes differ
    section: str,
    settings_class: type[AnySettings],
    build: Callable[[AnySettings], Process],
    *,
    description: str,
    failures: tuple[type[Exception], ...] = (),
    prepare: Callable[[AnySettings], object] | None = None,
    aliases: Aliases = NO_ALIASES,
) -> None:
    """Runs a process until SIGTERM or SIGINT, and exits: 0 after a drain, else after one sentence.

    2 where the settings cannot be used, 1 where the process failed: with one of `failures`, whose text is
    that sentence, or with a defect, of which the log has type and place. `build` is called inside the event
    loop. `prepare` does before it what blocks for long; a stop ends that at once. `aliases` are further names
    of metrics.
    """

    def work(settings: AnySettings) -> None:
        if prepare is not None:
            prepare(settings)
        exporters = _exporters(section, settings, aliases)
        try:
            uvloop.run(_run(build, settings, exporters))
        finally:
            exporters.shutdown()

    run_command(section, settings_class, work, description=description, failures=(*failures, PartEndedError))


def run_command(
    section: str,
    settings_class: type[AnySettings],
    work: Callable[[AnySettings], None],
    *,
    description: str,
    failures: tuple[type[Exception], ...] = (),
    argv: Sequence[str] | None = None,
) -> None:
    """Does `work` with the settings of a section, in private, with logs; exits as `run_process` says.

    A stop signal ends it with 0, at once.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: sys.exit(0))
    settings = from_command_line(settings_class, section=section, description=description, argv=argv)
    keep_private()
    logs.configure(section.replace("_", "-"), settings.log_level)
    try:
        work(settings)
    except SettingsError as error:
        _leave(section, error, SETTINGS_UNUSABLE)
    except failures as error:
        _leave(section, error, FAILED)


async def live(
    process: Process, stop: asyncio.Event, *, on_started: Callable[[], None] = lambda: None
) -> None:
    """Starts `process`, waits for the stop or for a part that fails or ends, and drains it whatever happened.

    Raises what ended it, or what failed while it drained.
    """
    parts = Parts()
    try:
        await process.start(parts)
        on_started()
        await parts.until_stopped(stop)
    finally:
        try:
            await process.drain()
        finally:
            await parts.end()


async def _run(
    build: Callable[[AnySettings], Process], settings: AnySettings, exporters: telemetry.Telemetry
) -> None:
    def on_started() -> None:
        PROBES.watch(asyncio.get_running_loop())
        # Only now: it starts a thread, and a process that forks does so in its start.
        exporters.show()
        # What was imported and wired lives until the end. To look through it again for what nothing uses
        # any more would hold every stream up for 40 ms, again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)

    stop = stop_event()
    await live(build(settings), stop, on_started=on_started)


def _exporters(section: str, settings: ProcessSettings, aliases: Aliases) -> telemetry.Telemetry:
    if not isinstance(settings, MeteredSettings):
        return telemetry.Telemetry()
    exporters = telemetry.configure(settings, section, aliases=aliases)
    show_build(section, settings.region)
    show_certificates(settings, section, SHARED_KEYS, SystemClock())
    return exporters


def _leave(section: str, error: Exception, status: int) -> NoReturn:
    sys.stderr.write(f"comptoir {section}: {error}\n")
    sys.exit(status)
