"""Registers the replica while its engine starts, so that requests wait for it and are not refused.

To import and start an engine keeps a process busy for seconds, and it forks, which nothing with an
open connection may do. So a copy of the process, made before all that, holds the streams to the routers. It
reports no load: to the router the replica is starting, and gets no requests.
"""

import asyncio
import os
import signal
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from typing import Final

from services.generator.adapters.router_links import RouterLinks
from services.generator.domain.ports import Capabilities, Feature
from services.generator.settings import GeneratorSettings
from services.kernel.clock import SystemClock
from services.kernel.identity import Identity
from services.runtime import logs
from services.runtime.parent import die_with
from services.runtime.stop import STOP_SIGNALS

_JOIN_SECONDS: Final = 5.0


class Announcement:
    """The replica as the router knows it before its engine can say anything.

    `incarnation` is the number of this process: the router takes who says it for the same replica.
    """

    def __init__(self) -> None:
        self.incarnation = Identity.random().low
        self._copy: ForkProcess | None = None

    def begin(self, settings: GeneratorSettings) -> None:
        """Starts the copy, where the engine takes long; call it before any thread and any connection."""
        if settings.engine_parameters.takes_long_to_start:
            arguments = (settings, self.incarnation, os.getpid())
            self._copy = get_context("fork").Process(target=_announce, args=arguments, daemon=True)
            self._copy.start()

    def end(self) -> None:
        """Ends the copy; safe to repeat.

        It has to be gone before this process registers: it would take the session back.
        """
        if self._copy is not None:
            self._copy.kill()
            self._copy.join(_JOIN_SECONDS)
            self._copy = None


def _announce(settings: GeneratorSettings, incarnation: int, parent: int) -> None:
    die_with(parent)
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    # A router that is away is no news before there is an engine; one that refuses the replica is.
    logs.configure("generator", "error")
    asyncio.run(_hold_stream(settings, incarnation))


async def _hold_stream(settings: GeneratorSettings, incarnation: int) -> None:
    interval, lifetime = settings.report_interval_seconds, settings.settlement_lifetime_seconds
    links = RouterLinks(settings.routers, SystemClock(), interval_seconds=interval, lifetime_seconds=lifetime)
    # Its blocks are not known before it has started; the router trusts one that does not say.
    capabilities = Capabilities(settings.served_model.context_tokens, 0, 0, Feature(0))
    links.register(
        settings.identity, settings.address, capabilities, settings.max_requests, incarnation=incarnation
    )
    await links.run(lambda: None)
