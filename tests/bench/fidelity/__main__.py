"""How like vLLM the simulated engine is in time, once three constants are fitted to it.

.venv/bin/python -m tests.bench.fidelity --seconds 20 --rates 2 8 16

`tiny-eu` on the CPU, alone on the machine. The constants are of three small measurements: a request alone
(`itl_seconds`), sixteen at once (`running_request_seconds`), a long prompt (`prefill_token_seconds`). They
are those of an engine that never rests; a trace of other arrivals says by how much longer its steps take
between pauses. Then both engines live the same arrivals in real time, and first tokens and times between
tokens are compared.
"""

import argparse
import asyncio
import os
import random
import statistics
from collections.abc import Callable, Sequence
from typing import Final

import uvloop

from services.generator.adapters.engines import engine_from
from services.generator.domain.engine_parameters import ServedModel, SimulatedParameters, VllmParameters
from services.generator.domain.ports import Engine
from services.generator.domain.warm_up import warm_up
from services.kernel.clock import Clock, SystemClock
from tests.bench.engine_path import MODEL
from tests.bench.fidelity.arrivals import Arrival, Came, came, live, random_arrivals

_CONTEXT_TOKENS: Final = 1024
_AT_ONCE: Final = 16
_LONG_TOKENS: Final = 900
_REPEATS: Final = 7
# How long the trace is that the constants are fitted to, and how often they are.
_PAUSED_SECONDS: Final = 10.0
_APPROACHES: Final = 2
_MILLISECONDS: Final = 1000


async def fitted(engine: Engine, clock: Clock, blocks: SimulatedParameters) -> SimulatedParameters:
    """Returns the parameters of a simulated engine whose steps take as long as this engine's."""
    alone = await _itl_seconds(engine, clock, 1)
    many = await _itl_seconds(engine, clock, _AT_ONCE)
    request_seconds = max(0.0, (many - alone) / (_AT_ONCE - 1))
    long = statistics.median([await _ttft_seconds(engine, clock, _LONG_TOKENS, n) for n in range(_REPEATS)])
    short = statistics.median([await _ttft_seconds(engine, clock, 8, n) for n in range(_REPEATS)])
    return blocks.model_copy(
        update={
            "itl_seconds": alone - request_seconds,
            "running_request_seconds": request_seconds,
            "prefill_token_seconds": max(0.0, (long - short) / (_LONG_TOKENS - 8)),
        }
    )


async def between_pauses(
    theirs: Engine, clock: Clock, told: SimulatedParameters, arrivals: Sequence[Arrival]
) -> SimulatedParameters:
    """Returns the parameters with which the medians of a trace are those of an engine, or nearly so."""
    seen = _medians(await live(theirs, clock, arrivals, "pauses"))
    for number in range(_APPROACHES):
        ours = engine_from(ServedModel(_CONTEXT_TOKENS), told, clock)
        await ours.start()
        ttft, itl = _medians(await live(ours, clock, arrivals, f"pauses {number}"))
        told = told.model_copy(
            update={
                "itl_seconds": told.itl_seconds * seen[1] / itl,
                "running_request_seconds": told.running_request_seconds * seen[1] / itl,
                "prefill_token_seconds": told.prefill_token_seconds * seen[0] / ttft,
            }
        )
    return told


def _medians(seen: Sequence[Came]) -> tuple[float, float]:
    itls = [one.itl_seconds for one in seen if one.itl_seconds is not None]
    return statistics.median(one.ttft_seconds for one in seen), statistics.median(itls)


async def _itl_seconds(engine: Engine, clock: Clock, at_once: int) -> float:
    found = await asyncio.gather(*(came(engine, clock, _fresh(number, 8, 200)) for number in range(at_once)))
    return statistics.median(one.itl_seconds for one in found if one.itl_seconds is not None)


async def _ttft_seconds(engine: Engine, clock: Clock, tokens: int, number: int) -> float:
    return (await came(engine, clock, _fresh(number, tokens, 1))).ttft_seconds


def _fresh(number: int, tokens: int, output_tokens: int) -> Arrival:
    chance = random.SystemRandom()
    return Arrival(number, 0.0, tuple(chance.randrange(10, 250) for _ in range(tokens)), output_tokens)


def row(name: str, theirs: Sequence[float], ours: Sequence[float]) -> str:
    """Returns medians and 95th percentiles in milliseconds, and how far apart they are."""
    cells = []
    for quantile in (statistics.median, lambda values: statistics.quantiles(values, n=20)[-1]):
        their, our = _of(quantile, theirs), _of(quantile, ours)
        cells.append(f"{their:.2f} | {our:.2f} | {our / their - 1:+.0%}")
    return f"| {name} | {' | '.join(cells)} |"


def _of(quantile: Callable[[Sequence[float]], float], seconds: Sequence[float]) -> float:
    return quantile(seconds) * _MILLISECONDS


async def compared(rates: Sequence[float], seconds: float, seed: int) -> None:
    """Fits, lives the traces on both, and prints."""
    clock = SystemClock()
    parameters = VllmParameters()
    theirs = engine_from(ServedModel(_CONTEXT_TOKENS, str(MODEL)), parameters, clock)
    await theirs.start()
    try:
        await warm_up(theirs)
        capabilities = theirs.capabilities
        blocks = SimulatedParameters(
            ttft_seconds=0.0,
            kv_blocks=capabilities.kv_blocks,
            kv_block_tokens=capabilities.kv_block_tokens,
            max_running_requests=parameters.max_running_requests,
            max_batched_tokens=parameters.whole_prefill_tokens(_CONTEXT_TOKENS),
        )
        told = await fitted(theirs, clock, blocks)
        others = random_arrivals(seed + 1, seconds=_PAUSED_SECONDS, per_second=statistics.median(rates))
        told = await between_pauses(theirs, clock, told, others)
        print(
            f"load {os.getloadavg()[0]:.1f}; step {told.itl_seconds * _MILLISECONDS:.2f} ms, "
            f"{told.running_request_seconds * 1e6:.0f} us a request, "
            f"{told.prefill_token_seconds * 1e6:.1f} us a token of a prompt\n"
        )
        print("| requests/s | | vLLM p50 ms | simulated | | vLLM p95 ms | simulated | |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for rate in rates:
            arrivals = random_arrivals(seed, seconds=seconds, per_second=rate)
            ours = engine_from(ServedModel(_CONTEXT_TOKENS), told, clock)
            await ours.start()
            # Slower traces begin with the same prompts, and vLLM still has them.
            seen = [await live(engine, clock, arrivals, f"{rate:g}") for engine in (theirs, ours)]
            _print_rate(rate, *seen)
    finally:
        await asyncio.to_thread(theirs.shutdown)


def _print_rate(rate: float, theirs: Sequence[Came], ours: Sequence[Came]) -> None:
    print(f"| {rate:g} {row('TTFT', *([one.ttft_seconds for one in seen] for seen in (theirs, ours)))}")
    itls = [[one.itl_seconds for one in seen if one.itl_seconds is not None] for seen in (theirs, ours)]
    print(f"| {rate:g} {row('ITL', *itls)}")
    alike = sum(
        (one.finish, one.output_tokens) == (other.finish, other.output_tokens)
        for one, other in zip(theirs, ours, strict=True)
    )
    cached = [sum(one.cached_tokens for one in seen) for seen in (theirs, ours)]
    print(
        f"| {rate:g} | alike: {alike} of {len(ours)}; cached tokens {cached[0]} and {cached[1]} | | | | | | |"
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rates", type=float, nargs="+", default=[2.0, 8.0, 16.0])
    parser.add_argument("--seed", type=int, default=7)
    told = parser.parse_args()
    uvloop.run(compared(told.rates, told.seconds, told.seed))


if __name__ == "__main__":
    main()
