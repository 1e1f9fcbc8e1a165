"""The policies that compete, those of the router and an oracle, and what each makes of the same arrivals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from services.router.domain.limits import PlacementPolicy
from services.router.domain.placement.asking import Ask
from services.router.domain.placement.placing import POLICIES
from services.router.domain.placement.replica import Replica
from services.router.domain.placement.round_robin import distance
from tests.bench.placement.arrivals import SHAPES, Request, Shape, arrivals
from tests.bench.placement.engine import Engine
from tests.bench.placement.simulation import Answer, Choice, Simulation

REPLICAS: Final = (2, 8, 64)
HEALTHY, SLOW, HUNG = "all well", "one slow", "one hung"
CONDITIONS: Final = (HEALTHY, SLOW, HUNG)
ORACLE: Final = "oracle"
NAMES: Final = (*(policy.value for policy in PlacementPolicy), ORACLE)
# Goodput: requests per second with their first token and the others as soon as this.
TTFT_TARGET_SECONDS: Final = 1.0
TPOT_TARGET_SECONDS: Final = 0.05
_SLOWNESS: Final = 3.0
# What a slow replica still does of its share, and a hung one.
_CAPACITY: Final = {HEALTHY: 1.0, SLOW: 1 / _SLOWNESS, HUNG: 0.0}
_SECONDS: Final = {2: 120.0, 8: 60.0, 64: 10.0, 256: 10.0}
_AFTER_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one policy made of one shape: times in seconds, goodput in requests per second."""

    shape: str
    replicas: int
    condition: str
    policy: str
    requests: int
    unanswered: int
    ttft_p50: float
    ttft_p95: float
    ttft_p99: float
    goodput: float


def run(
    shape: Shape,
    replicas: int,
    condition: str,
    policy: str,
    *,
    seed: int = 1,
    routers: int = 1,
    by_beginning: bool = False,
) -> Figures:
    """Returns what a policy made of a shape; the same for the same seed."""
    engines = [Engine() for _ in range(replicas)]
    if condition == SLOW:
        engines[0].slowness = _SLOWNESS
    simulation = Simulation(
        engines,
        _choice(policy, engines),
        hung=condition == HUNG,
        routers=routers,
        by_beginning=by_beginning,
        remembers=policy == PlacementPolicy.PREFIX_AFFINITY.value,
    )
    seconds = _SECONDS[replicas]
    # As much as those that are well can answer.
    share = (replicas - 1 + _CAPACITY[condition]) / replicas
    requests = arrivals(shape, replicas=replicas, seconds=seconds, seed=seed, share=share)
    answers = simulation.run(requests, until_seconds=seconds + _AFTER_SECONDS)
    times = sorted(_AFTER_SECONDS if one.ttft_seconds is None else one.ttft_seconds for one in answers)
    return Figures(
        shape=shape.name,
        replicas=replicas,
        condition=condition,
        policy=policy,
        requests=len(answers),
        unanswered=sum(one.ttft_seconds is None for one in answers),
        ttft_p50=_quantile(times, 0.5),
        ttft_p95=_quantile(times, 0.95),
        ttft_p99=_quantile(times, 0.99),
        goodput=sum(map(_is_good, answers)) / seconds,
    )


def run_all(
    names: Sequence[str] = NAMES, shapes: Sequence[Shape] = SHAPES, note: Callable[[str], None] = print
) -> list[Figures]:
    """Returns the figures of every shape, size and condition under every policy."""
    figures = []
    for shape in shapes:
        note(f"placement: {shape.name}")
        figures += [
            run(shape, replicas, condition, name)
            for replicas in REPLICAS
            for condition in CONDITIONS
            for name in names
        ]
    return figures


def _choice(policy: str, engines: Sequence[Engine]) -> Choice:
    if policy == ORACLE:
        return partial(_oracle, engines)
    choose = POLICIES[PlacementPolicy(policy)]
    return lambda replicas, ask, _: choose(replicas, ask)


def _oracle(engines: Sequence[Engine], replicas: Sequence[Replica], ask: Ask, request: Request) -> Replica:
    """Looks into the engines as they are now, with every length, and into what is on its way to them."""

    def seconds(replica: Replica) -> tuple[float, tuple[bool, int]]:
        engine = engines[replica.registration.replica - 1]
        return engine.seconds_to_first_token(request, ask.now_seconds), distance(replica, ask.after)

    return min(replicas, key=seconds)


def _is_good(answer: Answer) -> bool:
    is_begun = answer.ttft_seconds is not None and answer.ttft_seconds <= TTFT_TARGET_SECONDS
    return is_begun and 0 < answer.tpot_seconds <= TPOT_TARGET_SECONDS


def _quantile(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))]
