"""A whole bench: looks at the endpoint, learns how long prompts are, warms up, and runs every level."""

import asyncio
import itertools
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from deploy.models.tiny_eu_training.grammar import Grammar
from services.cli.bench.arrivals import due_seconds
from services.cli.bench.errors import BenchError
from services.cli.bench.exchange import CountedBy, Exchange
from services.cli.bench.lengths import Lengths
from services.cli.bench.load import Bound, Closed, Load
from services.cli.bench.metrics import Judged, Observed, run_of
from services.cli.bench.prompts import CountTokens, PromptWriter, Ratio, ratio_between
from services.cli.bench.results import LoadLevel, Run
from services.cli.bench.trace import TracedRequest
from services.cli.loading.driver import Driver, Order, Send
from services.cli.loading.progress import Screen

# Far enough apart for a slope, and within the context of small models.
_SHORT_CHARACTERS: Final = 200
_LONG_CHARACTERS: Final = 1200
# How much is written before a level begins: seconds of it, and megabytes.
_AHEAD: Final = 1000
_AHEAD_CHARACTERS: Final = 8_000_000


class Clocks(Protocol):
    """Time of the machine, and of this process's work."""

    def now(self) -> float:
        """Returns seconds of the monotonic clock."""
        ...

    def cpu(self) -> float:
        """Returns seconds that this process computed."""
        ...


class MachineClocks:
    """Those of the machine."""

    def now(self) -> float:
        """Returns seconds of the monotonic clock."""
        return time.monotonic()

    def cpu(self) -> float:
        """Returns seconds that this process computed."""
        return time.process_time()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a bench does."""

    levels: tuple[Load, ...]
    grammars: Mapping[str, Grammar]
    input_lengths: Lengths
    output_lengths: Lengths
    bound: Bound = field(default_factory=Bound)
    trace: tuple[TracedRequest, ...] = ()
    warm_up_requests: int | None = None
    seed: int = 0
    judged: Judged = field(default_factory=Judged)


class Session:
    """One bench on one endpoint; `stopping` ends it with what was measured."""

    def __init__(
        self, send: Send, plan: Plan, screen: Screen, clocks: Clocks, count_tokens: CountTokens | None = None
    ) -> None:
        self._send = send
        self._plan = plan
        self._screen = screen
        self._clocks = clocks
        self._count_tokens = count_tokens
        self.stopping = asyncio.Event()

    async def run(self) -> list[Run]:
        """Returns the run of every level that began to be measured; BenchError where nothing can be."""
        ratios = await self._ratios()
        runs: list[Run] = []
        drawing = asyncio.create_task(self._draw())
        try:
            for number, load in enumerate(self._plan.levels):
                if self.stopping.is_set():
                    break
                runs.append(await self._level(number, load, ratios))
        finally:
            drawing.cancel()
        return [run for run in runs if run.requests.sent]

    async def _ratios(self) -> dict[str, Ratio]:
        """Learns how many characters make a token in each language; its requests are the first to fail."""
        writer = self._writer("ratio", {})
        found: dict[str, Ratio] = {}
        for language in self._plan.grammars:
            texts = [writer.text(language, length) for length in (_SHORT_CHARACTERS, _LONG_CHARACTERS)]
            driver = Driver(self._send, self._screen, self._clocks.now, self.stopping)
            seen = await driver.run(Closed(1), (Order(text, 1) for text in texts), Bound(len(texts)))
            if self.stopping.is_set():
                return found
            for exchange in seen:
                _refuse_failed(exchange)
            short, long = ((len(text), each.input_tokens) for text, each in zip(texts, seen, strict=True))
            found[language] = ratio_between(short, long)
        if seen[-1].counted_by is CountedBy.EVENTS:
            self._screen.note("The endpoint tells no usage: each event with output counts as one token.")
        return found

    async def _level(self, number: int, load: Load, ratios: Mapping[str, Ratio]) -> Run:
        warm_up = self._warm_up_requests(load)
        title = title_of(load)
        if warm_up:
            self._screen.level(f"{title}, warm-up", warm_up)
            await self._drive(f"warm-up {number}", load, Bound(warm_up), ratios)
        self._screen.level(title, self._requests())
        begin, cpu = self._clocks.now(), self._clocks.cpu()
        seen = await self._drive(f"level {number}", load, self._plan.bound, ratios)
        self._screen.draw()
        observed = Observed(
            level_of_load(load), seen, warm_up, self._clocks.cpu() - cpu, self._clocks.now() - begin
        )
        return run_of(observed, self._plan.judged)

    async def _drive(
        self, purpose: str, load: Load, bound: Bound, ratios: Mapping[str, Ratio]
    ) -> list[Exchange]:
        due: Iterator[float] | None = None
        if not isinstance(load, Closed):
            due = iter(request.at_seconds or 0.0 for request in self._plan.trace)
            if load.arrivals is not None:
                due = due_seconds(load.arrivals, self._rng(f"{purpose} arrivals"))
        driver = Driver(self._send, self._screen, self._clocks.now, self.stopping)
        orders = _written_ahead(self._orders(purpose, ratios), bound.requests)
        return await driver.run(load, orders, bound, due)

    def _orders(self, purpose: str, ratios: Mapping[str, Ratio]) -> Iterator[Order]:
        writer, rng = self._writer(purpose, ratios), self._rng(f"{purpose} lengths")
        if self._plan.trace:
            for traced in itertools.cycle(self._plan.trace):
                yield Order(writer.write(traced.input_tokens), traced.output_tokens)
        while True:
            input_tokens = self._plan.input_lengths.draw(rng)
            yield Order(writer.write(input_tokens), self._plan.output_lengths.draw(rng))

    def _writer(self, purpose: str, ratios: Mapping[str, Ratio]) -> PromptWriter:
        return PromptWriter(self._plan.grammars, self._rng(f"{purpose} prompts"), ratios, self._count_tokens)

    def _rng(self, purpose: str) -> random.Random:
        """Returns a generator of its own for each purpose, so that more of one draws no other differently."""
        return random.Random(f"{self._plan.seed} {purpose}")  # noqa: S311 - no secret is drawn

    def _requests(self) -> int | None:
        return self._plan.bound.requests

    def _warm_up_requests(self, load: Load) -> int:
        if self._plan.warm_up_requests is not None:
            return self._plan.warm_up_requests
        return load.users if isinstance(load, Closed) else 1

    async def _draw(self) -> None:
        while True:
            await asyncio.sleep(self._screen.interval_seconds)
            self._screen.draw()


def _written_ahead(orders: Iterator[Order], requests: int | None) -> Iterator[Order]:
    """Yields the same orders, of which the first ones are written by now: that takes time from a load."""
    ready: list[Order] = []
    characters = 0
    for order in itertools.islice(orders, min(_AHEAD, requests or _AHEAD)):
        ready.append(order)
        characters += len(order.prompt)
        if characters > _AHEAD_CHARACTERS:
            break
    return itertools.chain(ready, orders)


def _refuse_failed(exchange: Exchange) -> None:
    if not exchange.failure:
        return
    advice = {
        "401": "set COMPTOIR_API_KEY, or name a file with --api-key-file.",
        "403": "the key may not do that.",
        "404": "is --base-url right (it ends in /v1), and --model one that the endpoint has?",
        "not_connected": "is it running, and --base-url right?",
    }
    said = next(
        (words for name, words in advice.items() if exchange.failure.startswith(name)),
        "nothing was measured.",
    )
    raise BenchError(f"The endpoint's first answer was {exchange.failure}: {said}")


def title_of(load: Load) -> str:
    """Returns a level as the progress names it."""
    if isinstance(load, Closed):
        return f"{load.users} user{'' if load.users == 1 else 's'}"
    return "trace" if load.arrivals is None else f"{load.arrivals.rate_per_second:g} requests/s"


def level_of_load(load: Load) -> LoadLevel:
    """Returns a level as the result names it."""
    if isinstance(load, Closed):
        return LoadLevel(kind="closed", users=load.users)
    if load.arrivals is None:
        return LoadLevel(kind="open", arrivals="trace")
    arrivals = load.arrivals
    is_gamma = arrivals.process.value == "gamma"
    return LoadLevel(
        kind="open",
        rate_per_second=arrivals.rate_per_second,
        arrivals=arrivals.process.value,
        burstiness=arrivals.burstiness if is_gamma else None,
    )
