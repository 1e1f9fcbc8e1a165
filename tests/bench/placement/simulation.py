"""One run in simulated time: the router's directory and placement choose, simulated engines answer."""

import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeAlias

from services.edge.domain.hedging import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, HedgeBudget
from services.edge.domain.limits import EdgeLimits
from services.edge.domain.prefixes import PREFIX_SECRET_BYTES, PrefixDigests
from services.edge.domain.router_spread import BEGINNINGS, RouterSpread
from services.generator.domain.pace import InputWork, OutputWork
from services.kernel.backoff import Backoff
from services.kernel.identity import Identity
from services.router.domain.lease import MAX_TICKETS
from services.router.domain.placement.asking import Ask
from services.router.domain.placement.replica import Load, Replica
from tests.bench.placement.arrivals import Request
from tests.bench.placement.engine import KV_BLOCKS, Engine, Job
from tests.bench.placement.simulated_router import SimulatedRouter

_WIRE_SECONDS: Final = 0.002
_REPORT_SECONDS: Final = 0.5
_EARLY_REPORT_SECONDS: Final = 0.02
_BIG_CHANGE: Final = 4
_HANGS_AT_SECONDS: Final = 5.0
# As an edge does it that nobody told otherwise.
HEDGE_SECONDS: Final = EdgeLimits().first_token_hedge_seconds
_TURNS: Final = 2**64

# From the replicas that are not full, the ask, and the request as only an oracle knows it, to a replica.
Choice: TypeAlias = Callable[[Sequence[Replica], Ask, Request], Replica]


@dataclass(frozen=True, slots=True)
class Answer:
    """How one request went; without a time to its first token where it never had one."""

    request: Request
    ttft_seconds: float | None = None
    tpot_seconds: float = 0.0


@dataclass(slots=True)
class _Node:
    """An engine, its replica's session with the router, and what it measures of itself."""

    number: int
    engine: Engine
    # One with each router.
    sessions: Sequence[Identity]
    input_work: InputWork = field(default_factory=InputWork)
    output_work: OutputWork = field(default_factory=OutputWork)
    is_hung: bool = False
    is_stepping: bool = False
    reported_at_seconds: float = 0.0
    reported_open: int = 0
    # Accepted since the last report.
    accepted: list[Identity] = field(default_factory=list)


class Simulation:
    """Discrete events: arrivals, steps, reports. A request without a token leaves a replica that hangs.

    Requests take turns with the routers, of which each knows the others' by the reports alone, or go to one
    `by_beginning`, as an edge divides them; those that `remembers` know what of a prompt is cached where.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        choose: Choice,
        *,
        hung: bool = False,
        routers: int = 1,
        remembers: bool = False,
        by_beginning: bool = False,
    ) -> None:
        self._routers = [SimulatedRouter(remembers) for _ in range(routers)]
        self._nodes = [
            _Node(number, engine, [router.register(number) for router in self._routers])
            for number, engine in enumerate(engines, start=1)
        ]
        names = list(map(str, range(routers)))
        self._spread = (
            RouterSpread(names, PrefixDigests(bytes(PREFIX_SECRET_BYTES))) if by_beginning else None
        )
        # The router of each request by its number.
        self._asked: dict[int, SimulatedRouter] = {}
        self._choose = choose
        self._hung = hung
        self._hedges = HedgeBudget()
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = itertools.count()
        self._open: dict[int, Job] = {}
        self._answers: dict[int, Answer] = {}
        self._tried: dict[int, set[int]] = {}

    def run(self, requests: Iterable[Request], *, until_seconds: float) -> list[Answer]:
        """Returns how every request went."""
        for request in requests:
            self._answers[request.number] = Answer(request)
            self._asked[request.number] = self._router_for(request)
            self._hedges.earn()
            self._at(request.arrived_seconds, partial(self._place, request))
        for node in self._nodes:
            self._report(node, 0.0)
            self._at(_REPORT_SECONDS * node.number / len(self._nodes), partial(self._report_again, node))
        if self._hung:
            self._at(_HANGS_AT_SECONDS, self._hang)
        while self._events and self._events[0][0] <= until_seconds:
            now_seconds, _, act = heapq.heappop(self._events)
            act(now_seconds)
        return [*self._answers.values()]

    def _at(self, seconds: float, act: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (seconds, next(self._order), act))

    def _hang(self, now_seconds: float) -> None:
        del now_seconds
        self._nodes[0].is_hung = self._nodes[0].engine.is_hung = True

    def _place(self, request: Request, now_seconds: float) -> None:
        tried = self._tried.setdefault(request.number, set())
        router = self._router_of(request)
        free = router.free(tried, now_seconds)
        if not free:
            # The router holds it until there is a place.
            self._at(now_seconds + _EARLY_REPORT_SECONDS, partial(self._place, request))
            return
        ask = router.ask(request, now_seconds)
        chosen = self._choose(free, ask, request).registration
        tried.add(chosen.replica)
        lease = Identity(request.number, len(tried))
        router.send(request, ask, chosen.process, lease)
        node = self._nodes[chosen.replica - 1]
        node.engine.sent_tokens += request.input_tokens
        self._at(now_seconds + _WIRE_SECONDS, partial(self._accept, node, request, lease))

    def _router_for(self, request: Request) -> SimulatedRouter:
        if self._spread is None:
            return self._routers[request.number % len(self._routers)]
        beginnings = request.beginning.digests[:BEGINNINGS]
        turn = (beginnings[-1] if beginnings else request.number) % _TURNS
        place = self._spread.choose(range(len(self._routers)), turn)
        self._spread.count(place)
        return self._routers[place]

    def _router_of(self, request: Request) -> SimulatedRouter:
        return self._asked[request.number]

    def _accept(self, node: _Node, request: Request, lease: Identity, now_seconds: float) -> None:
        if not node.engine.open:
            node.engine.stepped_seconds = now_seconds
        node.engine.sent_tokens -= request.input_tokens
        job = self._open[request.number] = node.engine.add(request, lease)
        node.accepted.append(lease)
        node.input_work.wait(lease, request.input_tokens, now_seconds)
        if lease.low < min(MAX_TICKETS, len(self._nodes)):
            pauses = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
            self._at(now_seconds + HEDGE_SECONDS, partial(self._hedge, node, job, pauses))
        self._report_early(node, now_seconds)
        self._step(node, now_seconds)

    def _hedge(self, node: _Node, job: Job, pauses: Backoff, now_seconds: float) -> None:
        if job.first_seconds or self._open.get(job.request.number) is not job:
            return
        router, tried = self._router_of(job.request), self._tried[job.request.number]
        if not (router.lets_leave(node.number, tried, now_seconds) and self._hedges.spend()):
            again_seconds = now_seconds + pauses.next_seconds(jitter=0.0)
            self._at(again_seconds, partial(self._hedge, node, job, pauses))
            return
        router.judge(node.number, now_seconds, has_failed=True)
        node.engine.cancel(job)
        node.input_work.ended(job.lease, now_seconds)
        self._router_of(job.request).directory.unassign(job.lease)
        self._place(job.request, now_seconds)

    def _step(self, node: _Node, now_seconds: float) -> None:
        if node.is_stepping or node.is_hung or not node.engine.open:
            return
        node.is_stepping = True
        seconds, parts = node.engine.begin_step()
        node.engine.step_ends_seconds = now_seconds + seconds
        self._at(now_seconds + seconds, partial(self._end_step, node, parts))

    def _end_step(self, node: _Node, parts: list[tuple[Job, int]], now_seconds: float) -> None:
        node.is_stepping = False
        if node.is_hung:
            return
        begun, ended = node.engine.end_step(now_seconds, parts)
        for job in begun:
            node.input_work.begun(job.lease, job.computed_tokens, now_seconds)
            request = job.request
            self._router_of(request).judge(node.number, now_seconds, has_failed=False)
            self._answers[request.number] = Answer(request, now_seconds - request.arrived_seconds)
        for job in ended:
            self._end(job, now_seconds)
        if begun or ended:
            self._report_early(node, now_seconds)
        self._step(node, now_seconds)

    def _end(self, job: Job, now_seconds: float) -> None:
        request = job.request
        self._router_of(job.request).directory.unassign(job.lease)
        tpot_seconds = (now_seconds - job.first_seconds) / max(1, request.output_tokens - 1)
        self._answers[request.number] = replace(self._answers[request.number], tpot_seconds=tpot_seconds)

    def _report_again(self, node: _Node, now_seconds: float) -> None:
        self._report(node, now_seconds)
        self._at(now_seconds + _REPORT_SECONDS, partial(self._report_again, node))

    def _report_early(self, node: _Node, now_seconds: float) -> None:
        change = abs(node.engine.open - node.reported_open)
        is_big = change >= max(_BIG_CHANGE, node.reported_open / 4)
        if is_big and now_seconds - node.reported_at_seconds >= _EARLY_REPORT_SECONDS:
            self._report(node, now_seconds)

    def _report(self, node: _Node, now_seconds: float) -> None:
        node.reported_at_seconds, node.reported_open = now_seconds, node.engine.open
        load, accepted, node.accepted = _load_of(node, now_seconds), node.accepted, []
        # What is said now is heard a moment later.
        self._at(now_seconds + _WIRE_SECONDS, partial(self._hear, node, load, accepted))

    def _hear(self, node: _Node, load: Load, accepted: list[Identity], now_seconds: float) -> None:
        for router, session in zip(self._routers, node.sessions, strict=True):
            router.directory.report(session, load, now_seconds)
            router.directory.drop_unclaimed(now_seconds)
        for lease in accepted:
            directory = self._asked[lease.high].directory
            directory.unassign(lease)
            directory.assign(lease, node.number)


def _load_of(node: _Node, now_seconds: float) -> Load:
    engine = node.engine
    return Load(
        running_requests=len(engine.running) + len(engine.prefilling),
        waiting_requests=len(engine.waiting),
        kv_usage_permille=round(1000 * (1 - engine.free_blocks / KV_BLOCKS)),
        age_seconds=now_seconds - engine.stepped_seconds if engine.open else 0.0,
        is_draining=False,
        open_requests=engine.open,
        unfinished_requests=engine.open,
        kv_free_blocks=engine.free_blocks,
        waiting_input_tokens=node.input_work.waiting_tokens,
        input_tokens_per_second=node.input_work.tokens_per_second(now_seconds),
        output_tokens_per_second=node.output_work.read(
            engine.output_tokens, is_busy=engine.open > 0, now_seconds=now_seconds
        ),
    )
