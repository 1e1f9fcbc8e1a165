"""What holding free KV blocks against expected sizes is good for, in virtual time; run as a module.

The same arrivals under each value of `router.placement.kv_room`, with and without what replicas say of the
growth of what runs. Busy machines print the same numbers.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from statistics import mean
from typing import Final

from services.router.domain.limits import KvRoom
from tests.bench.placement.kv_shapes import KV_SHAPES, KvShape, kv_requests
from tests.bench.placement.kv_simulation import KvSimulation, Way

WAYS: Final = {
    "off": Way(KvRoom.OFF),
    "prefer": Way(KvRoom.PREFER),
    "hold, growth not counted": Way(KvRoom.HOLD, says_growth=False),
    "hold": Way(KvRoom.HOLD),
}
# Of what fills the caches: nearly full, and too much.
SHARES: Final = (0.9, 1.2)
SEEDS: Final = (1,)
REPLICAS: Final = 4
_SECONDS: Final = 60.0
# What came in the end has its time too.
_AFTER_SECONDS: Final = 90.0
_PERCENT: Final = 100.0
_NEVER_SECONDS: Final = _SECONDS + _AFTER_SECONDS


@dataclass(frozen=True, slots=True)
class KvFigures:
    """What became of one run; times in seconds, shares in percent of the requests or of computed tokens."""

    held: float
    refused: float
    preemptions: float
    wasted: float
    ttft_p50: float
    ttft_p95: float
    gap_p95: float
    duration_p95: float
    tokens_per_second: float


HEAD: Final = (
    "requests",
    "load",
    "`kv_room`",
    "held, %",
    "refused, %",
    "preemptions per 100 requests",
    "computed again, %",
    "TTFT p50, s",
    "TTFT p95, s",
    "longest gap p95, s",
    "whole answer p95, s",
    "output tokens/s",
)


def run(
    shape: KvShape, way: Way, *, share: float, seed: int, replicas: int = REPLICAS, routers: int = 1
) -> KvFigures:
    """Returns what a way made of a shape; the same for the same seed."""
    simulation = KvSimulation(way, replicas=replicas, routers=routers)
    requests = [*kv_requests(shape, replicas=replicas, seconds=_SECONDS, seed=seed, share=share)]
    simulation.run(requests, until_seconds=_NEVER_SECONDS)
    engines, answers = simulation.engines, simulation.answers
    refused = sum(len(router.refused) for router in simulation.routers)
    never = [_NEVER_SECONDS] * (len(requests) - len(answers) - refused)
    first = [one.first_seconds - one.request.arrived_seconds for one in answers]
    whole = [one.last_seconds - one.request.arrived_seconds for one in answers]
    ended_seconds = max((one.last_seconds for one in answers), default=_NEVER_SECONDS)
    per_request = _PERCENT / len(requests)
    return KvFigures(
        held=per_request * sum(router.held for router in simulation.routers),
        refused=per_request * refused,
        preemptions=per_request * sum(one.scheduler.preempted_total for one in engines),
        wasted=_PERCENT
        * sum(one.wasted_tokens for one in engines)
        / sum(one.computed_tokens for one in engines),
        ttft_p50=_quantile([*first, *never], 0.5),
        ttft_p95=_quantile([*first, *never], 0.95),
        gap_p95=_quantile([one.longest_gap_seconds for one in answers], 0.95),
        duration_p95=_quantile([*whole, *never], 0.95),
        tokens_per_second=sum(one.output_tokens for one in engines) / ended_seconds,
    )


def rows(
    shapes: Sequence[KvShape] = KV_SHAPES, shares: Sequence[float] = SHARES, seeds: Sequence[int] = SEEDS
) -> Iterator[list[str]]:
    """Yields the rows below `HEAD`: means over the seeds, and the least and most where they differ."""
    for shape in shapes:
        for share in shares:
            for name, way in WAYS.items():
                runs = [run(shape, way, share=share, seed=seed) for seed in seeds]
                cells = [
                    _cell([astuple(one)[place] for one in runs]) for place in range(len(fields(KvFigures)))
                ]
                yield [shape.name, f"{share:.0%}", name, *cells]


def main() -> None:
    """Prints the table."""
    began_seconds = time.process_time()
    print(f"| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}", flush=True)
    for row in rows():
        print(f"| {' | '.join(row)} |", flush=True)
    print(f"\n{time.process_time() - began_seconds:.0f} s of CPU.")


def _cell(values: Sequence[float]) -> str:
    digits = 0 if mean(values) >= _PERCENT else 2 if mean(values) < 1 else 1
    least, middle, most = (f"{one:.{digits}f}" for one in (min(values), mean(values), max(values)))
    return middle if least == most else f"{middle} ({least} to {most})"


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    main()
