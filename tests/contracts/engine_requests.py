"""How the contract of engines asks: requests, answers, and bounded waits."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from services.generator.domain.delta import Delta, EngineFinish, Measures
from services.generator.domain.ports import (
    Engine,
    EngineFailedError,
    EngineRequest,
    Feature,
    RequestFailedError,
)
from services.generator.domain.prompt import Chat, ChatTurn, Prompt, Role, Text, TokenIds
from services.generator.domain.sampling import Sampling
from services.generator.domain.structure import Structure
from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity

RUNNING_REQUESTS = 4
CONTEXT_TOKENS = 1024
BOUND_SECONDS = 120.0
PROMPT = "Écris un bref compte rendu de la réunion."
GREEDY = Sampling(temperature=0.0)
# These last until they are given up, or for LASTING_TOKENS. What a model says by itself is text: what chance
# makes of it need be none, and some servers fail over that.
LASTING = Sampling(temperature=0.0, ignore_eos=True)
LASTING_TOKENS = 900


@dataclass
class Answer:
    """All steps of one answer."""

    steps: list[Delta]

    @property
    def text(self) -> str:
        return "".join(step.text for step in self.steps)

    @property
    def output_tokens(self) -> int:
        return sum(step.output_tokens for step in self.steps)

    @property
    def token_ids(self) -> list[int]:
        return [token_id for step in self.steps for token_id in step.token_ids]

    @property
    def finish(self) -> EngineFinish | None:
        return self.steps[-1].finish

    @property
    def cached_input_tokens(self) -> int:
        return max(measures.cached_input_tokens for measures in self.measures)

    @property
    def measures(self) -> list[Measures]:
        return [step.measures for step in self.steps if step.measures is not None]


async def chat(engine: Engine, text: str = PROMPT) -> list[int]:
    return list(await engine.tokenize(Chat((ChatTurn(Role.USER, text),))))


async def ask(
    engine: Engine,
    prompt: Prompt | Sequence[int],
    *,
    sampling: Sampling = GREEDY,
    tokens: int = 16,
    priority: int = 0,
    salt: str = "salt",
    request_id: str = "",
    structure: Structure | None = None,
    returns_token_ids: bool = False,
) -> AsyncGenerator[Delta, None]:
    features = engine.capabilities.features
    request = EngineRequest(
        request_id=request_id or Identity.random().hex,
        prompt=prompt if isinstance(prompt, Chat | Text | TokenIds) else TokenIds(prompt),
        sampling=sampling,
        max_output_tokens=tokens,
        priority=priority if Feature.PRIORITY in features else None,
        cache_salt=salt if Feature.PREFIX_SALT in features else None,
        structure=structure,
        returns_token_ids=returns_token_ids,
    )
    async for delta in deltas(engine, request):
        yield delta


async def deltas(engine: Engine, request: EngineRequest) -> AsyncGenerator[Delta, None]:
    """The deltas of a request; the engine is free of it once this is closed."""
    arrived: asyncio.Queue[Delta | EngineFailedError | RequestFailedError | ComptoirError] = asyncio.Queue()
    finished: set[int] = set()
    try:
        await engine.submit(request, arrived.put_nowait)
        while len(finished) < request.sampling.n:
            news = await arrived.get()
            if not isinstance(news, Delta):
                raise news
            if news.finish is not None:
                finished.add(news.index)
            yield news
    finally:
        if len(finished) < request.sampling.n:
            await engine.abort(request.request_id)


async def answer(steps: AsyncGenerator[Delta, None]) -> Answer:
    async with asyncio.timeout(BOUND_SECONDS):
        return Answer([step async for step in steps])


async def until(condition: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.002)


async def holds(engine: Engine, requests: int) -> None:
    await until(lambda: engine.unfinished_requests() == requests, BOUND_SECONDS)


async def idle(engine: Engine) -> None:
    await holds(engine, 0)


@asynccontextmanager
async def gives_up(engine: Engine, tokens: int = LASTING_TOKENS) -> AsyncIterator[None]:
    """What lasts within is given up within: the engine is free before even one has had all its tokens."""
    made_before = engine.load().output_tokens_total
    yield
    await idle(engine)
    assert engine.load().output_tokens_total - made_before < tokens


async def fill(engine: Engine) -> list[AsyncGenerator[Delta, None]]:
    """Occupies every place in the running batch; each request has given its first step."""
    running = []
    for _ in range(RUNNING_REQUESTS):
        steps = ask(engine, await chat(engine), sampling=LASTING, tokens=LASTING_TOKENS)
        await anext(steps)
        running.append(steps)
    return running


async def order_of_first_steps(engine: Engine, came: Sequence[tuple[str, int]]) -> list[str]:
    """The names of (name, priority), in the order in which an engine with one free place serves them."""
    running = await fill(engine)
    order: list[str] = []

    async def wait_for_first_step(name: str, priority: int) -> None:
        # As many tokens that no two first ones are read from two connections in one turn of the loop.
        async with aclosing(ask(engine, await chat(engine), tokens=16, priority=priority)) as steps:
            await anext(steps)
            order.append(name)
            async for _ in steps:
                pass

    waiting = []
    for index, (name, priority) in enumerate(came):
        waiting.append(asyncio.create_task(wait_for_first_step(name, priority)))
        await holds(engine, RUNNING_REQUESTS + index + 1)
        # What is sent is not there yet: the engine says when it is.
        await until(lambda: engine.load().waiting_requests == index + 1, BOUND_SECONDS)  # noqa: B023 - at once
    await running[0].aclose()
    async with asyncio.timeout(BOUND_SECONDS):
        await asyncio.gather(*waiting)
    for steps in running:
        await steps.aclose()
    await idle(engine)
    return order
