"""What the page shows at one moment: every source's reading, each with its age, and the charts."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from services.console.domain.capacity import Fleet
from services.console.domain.charts import Chart
from services.console.domain.completeness import Stored
from services.console.domain.health import Health
from services.console.domain.latency import Latencies
from services.console.domain.load import Loads
from services.console.domain.ports import Processes, Router, Store
from services.console.domain.reading import Reading
from services.console.domain.spans import Span
from services.console.domain.tenants import Tenants
from services.console.server.kept import Kept
from services.kernel.clock import Clock

# A page is not held back by a source that hangs: the next look has what came meanwhile.
_WAIT_SECONDS: Final = 2.0
_MICROSECONDS: Final = 1_000_000


class Ages(Protocol):
    """How old readings may be."""

    @property
    def live_seconds(self) -> float:
        """Readiness and replicas."""
        ...

    @property
    def store_seconds(self) -> float:
        """Latency and load."""
        ...

    @property
    def slow_seconds(self) -> float:
        """Tenants, completeness and retention."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """All readings of one moment; Unix time."""

    now_seconds: float
    span: Span
    health: Reading[Health]
    fleet: Reading[Fleet]
    tenants: Reading[Tenants]
    latencies: Reading[Latencies]
    loads: Reading[Loads]
    stored: Reading[Stored]

    @property
    def times(self) -> tuple[int, ...]:
        """The steps of the charts."""
        return self.span.steps(self.now_seconds)

    @property
    def charts(self) -> Mapping[str, Chart]:
        """What is drawn, by the name of its place; a source that never answered has none."""
        drawn: dict[str, Chart] = {}
        if (latencies := self.latencies.value) is not None:
            drawn |= {"ttft": latencies.ttft(self.times), "tps": latencies.tps(self.times)}
        if (loads := self.loads.value) is not None:
            drawn |= {"queue": loads.queue(self.times), "kv": loads.kv(self.times)}
        return drawn


class Views:
    """One reader of each source, for all viewers together."""

    def __init__(self, processes: Processes, router: Router, store: Store, ages: Ages, clock: Clock) -> None:
        self._clock = clock
        self._health = Kept(processes.health, clock, fresh_seconds=ages.live_seconds)
        self._fleet = Kept(router.fleet, clock, fresh_seconds=ages.live_seconds)
        self._tenants = Kept(router.tenants, clock, fresh_seconds=ages.slow_seconds)
        self._stored = Kept(store.stored, clock, fresh_seconds=ages.slow_seconds)
        # A span of days changes less in a minute than one of an hour.
        seconds = {Span.HOUR: ages.store_seconds, Span.DAY: ages.slow_seconds, Span.WEEK: ages.slow_seconds}
        self._latencies = {
            span: Kept(_latencies_of(store, span), clock, fresh_seconds=seconds[span]) for span in Span
        }
        self._loads = {
            span: Kept(_loads_of(store, span), clock, fresh_seconds=seconds[span]) for span in Span
        }

    async def view(self, span: Span) -> View:
        """Returns what there is to show now."""
        health, fleet, tenants, latencies, loads, stored = await asyncio.gather(
            self._health.reading(wait_seconds=_WAIT_SECONDS),
            self._fleet.reading(wait_seconds=_WAIT_SECONDS),
            self._tenants.reading(wait_seconds=_WAIT_SECONDS),
            self._latencies[span].reading(wait_seconds=_WAIT_SECONDS),
            self._loads[span].reading(wait_seconds=_WAIT_SECONDS),
            self._stored.reading(wait_seconds=_WAIT_SECONDS),
        )
        now_seconds = self._clock.wall_microseconds() / _MICROSECONDS
        return View(now_seconds, span, health, fleet, tenants, latencies, loads, stored)

    async def close(self) -> None:
        """Ends the questions that run."""
        kept: list[Kept[Any]] = [self._health, self._fleet, self._tenants, self._stored]
        await asyncio.gather(
            *(each.close() for each in (*kept, *self._latencies.values(), *self._loads.values()))
        )


def _latencies_of(store: Store, span: Span) -> Any:
    return lambda: store.latencies(span)


def _loads_of(store: Store, span: Span) -> Any:
    return lambda: store.loads(span)
