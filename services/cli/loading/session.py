"""A whole bench: looks at the endpoint, learns how long prompts are, warms up, and runs every level."""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from services.cli.bench.errors import BenchError
from services.cli.bench.exchange import CountedBy, Exchange
from services.cli.bench.load import Bound, Closed, Load
from services.cli.bench.metrics import Observed, run_of
from services.cli.bench.prompts import CountTokens, PromptWriter, Ratio, ratio_between
from services.cli.bench.results import LoadLevel, Run
from services.cli.loading.driver import Driver, Send
from services.cli.loading.orders import Order, Stage, rng_of
from services.cli.loading.plan import Clocks, Plan
from services.cli.loading.progress import Screen
from services.cli.loading.sending import Sending, Sent

# Far enough apart for a slope, and within the context of small models.
_SHORT_CHARACTERS: Final = 200
_LONG_CHARACTERS: Final = 1200


class Sends(Protocol):
    """Who sends a stage of the load: this process, or several."""

    async def drive(self, stage: Stage, stopping: asyncio.Event) -> Sent:
        """Returns all that was seen of it; a stop ends it with what was measured."""
        ...


class Session:
    """One bench on one endpoint; `stopping` ends it with what was measured."""

    def __init__(
        self,
        send: Send,
        plan: Plan,
        screen: Screen,
        clocks: Clocks,
        count_tokens: CountTokens | None = None,
        sends: Sends | None = None,
    ) -> None:
        self._send = send
        self._plan = plan
        self._screen = screen
        self._clocks = clocks
        self._sends = sends or Sending(send, plan, screen, clocks, count_tokens)
        self.stopping = asyncio.Event()
        self.has_lost = False

    async def run(self) -> list[Run]:
        """Returns the run of every level that began to be measured; BenchError where nothing can be."""
        ratios = await self._ratios()
        runs: list[Run] = []
        drawing = asyncio.create_task(self._draw())
        try:
            for number, load in enumerate(self._plan.levels):
                if self.stopping.is_set():
                    break
                if (run := await self._level(number, load, ratios)) is None:
                    break
                runs.append(run)
        finally:
            drawing.cancel()
        measured = [run for run in runs if run.requests.sent]
        if self.has_lost and not measured:
            raise BenchError("A sending process died before anything was measured.")
        return measured

    async def _ratios(self) -> dict[str, Ratio]:
        """Learns how many characters make a token in each language; its requests are the first to fail."""
        writer = PromptWriter(self._plan.grammars, rng_of(self._plan, "ratio prompts"), {})
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

    async def _level(self, number: int, load: Load, ratios: Mapping[str, Ratio]) -> Run | None:
        warm_up = self._warm_up_requests(load)
        title = title_of(load)
        if warm_up:
            self._screen.level(f"{title}, warm-up", warm_up)
            warmed = await self._drive(f"warm-up {number}", load, Bound(warm_up), ratios)
            if warmed.senders.lost:
                return None
        self._screen.level(title, self._plan.bound.requests)
        sent = await self._drive(f"level {number}", load, self._plan.bound, ratios)
        self._screen.draw()
        observed = Observed(level_of_load(load), sent.exchanges, warm_up, sent.senders)
        return run_of(observed, self._plan.judged)

    async def _drive(self, purpose: str, load: Load, bound: Bound, ratios: Mapping[str, Ratio]) -> Sent:
        sent = await self._sends.drive(Stage(purpose, load, bound, ratios), self.stopping)
        self.has_lost = self.has_lost or sent.senders.lost > 0
        return sent

    def _warm_up_requests(self, load: Load) -> int:
        if self._plan.warm_up_requests is not None:
            return self._plan.warm_up_requests
        return load.users if isinstance(load, Closed) else 1

    async def _draw(self) -> None:
        while True:
            await asyncio.sleep(self._screen.interval_seconds)
            self._screen.draw()


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
