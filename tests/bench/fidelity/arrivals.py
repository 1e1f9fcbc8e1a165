"""A trace of arrivals in seconds, and what came of each on an engine."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from services.generator.domain.answering import answer
from services.generator.domain.delta import Delta, EngineFinish
from services.generator.domain.ports import Engine, EngineRequest
from services.generator.domain.prompt import TokenIds
from services.generator.domain.sampling import Sampling
from services.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request: when it comes, its prompt, and how many tokens it gets."""

    number: int
    at_seconds: float
    ids: tuple[int, ...]
    output_tokens: int
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a request, and when."""

    cached_tokens: int
    finish: EngineFinish
    output_tokens: int
    ttft_seconds: float
    # Mean of the times between its tokens; None for one token.
    itl_seconds: float | None


def random_arrivals(seed: int, *, seconds: float, per_second: float) -> Sequence[Arrival]:
    """Returns arrivals by chance: short and long prompts, a third of which begin as an earlier one."""
    chance, at_seconds, found = random.Random(seed), 0.0, list[Arrival]()
    while (at_seconds := at_seconds + chance.expovariate(per_second)) < seconds:
        length = min(900, max(8, int(chance.lognormvariate(4.5, 1.0))))
        begun = chance.choice(found).ids[:length] if found and chance.random() < 0.33 else ()
        # Ordinary tokens: control tokens are the lowest.
        ids = (*begun, *(chance.randrange(10, 250) for _ in range(length - len(begun))))
        found.append(Arrival(len(found), at_seconds, ids, chance.randint(1, 80), chance.choice([0, 10, 20])))
    return found


async def live(engine: Engine, clock: Clock, arrivals: Sequence[Arrival], salt: str = "a") -> list[Came]:
    """Has each request come at its time, and returns what came of them, in their order.

    What an engine has cached from before is found under the same `salt` only.
    """
    began_seconds = clock.monotonic_seconds()

    async def one(arrival: Arrival) -> Came:
        await asyncio.sleep(arrival.at_seconds - (clock.monotonic_seconds() - began_seconds))
        return await came(engine, clock, arrival, salt)

    return list(await asyncio.gather(*map(one, arrivals)))


async def came(engine: Engine, clock: Clock, arrival: Arrival, salt: str = "a") -> Came:
    """Asks one request at once."""
    sampling = Sampling(temperature=0.0, ignore_eos=True)
    request = EngineRequest(
        f"trace-{arrival.number}",
        TokenIds(arrival.ids),
        sampling,
        arrival.output_tokens,
        arrival.priority,
        salt,
    )
    times, deltas, asked_seconds = list[float](), list[Delta](), clock.monotonic_seconds()

    def take(delta: Delta) -> None:
        deltas.append(delta)
        if delta.output_tokens:
            times.append(clock.monotonic_seconds())

    (finish,) = await answer(engine, request, take)
    tokens = sum(delta.output_tokens for delta in deltas)
    return Came(
        next((delta.measures.cached_input_tokens for delta in deltas if delta.measures), 0),
        finish,
        tokens,
        times[0] - asked_seconds,
        (times[-1] - times[0]) / (tokens - 1) if tokens > 1 else None,
    )
