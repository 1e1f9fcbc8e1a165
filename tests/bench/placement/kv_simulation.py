"""One run of the KV-cache contest in virtual time: real placement, and engines that preempt as vLLM does."""

import heapq
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from services.generator.domain.kv_growth import Filling, filling_of, most_growth
from services.generator.domain.pace import InputWork, OutputWork
from services.kernel.identity import Identity
from services.router.domain.limits import KvRoom
from services.router.domain.placement.placing import Placement
from services.router.domain.placement.replica import Load
from tests.bench.placement.engine import BLOCK_TOKENS
from tests.bench.placement.kv_engine import Answer, KvEngine
from tests.bench.placement.kv_router import KvRouter, VirtualClock
from tests.bench.placement.kv_shapes import KvRequest

_WIRE_SECONDS: Final = 0.002
_REPORT_SECONDS: Final = 0.5
_EARLY_REPORT_SECONDS: Final = 0.02
_BIG_CHANGE: Final = 4
_PERMILLE: Final = 1000


@dataclass(frozen=True, slots=True)
class Way:
    """How routers use what they know of free blocks, and whether replicas say what still grows."""

    kv_room: KvRoom
    says_growth: bool = True


@dataclass(slots=True)
class _Node:
    number: int
    engine: KvEngine = field(default_factory=KvEngine)
    # One with each router.
    sessions: list[Identity] = field(default_factory=list)
    open: dict[Identity, Answer] = field(default_factory=dict)
    input_work: InputWork = field(default_factory=InputWork)
    output_work: OutputWork = field(default_factory=OutputWork)
    is_stepping: bool = False
    reported_seconds: float = 0.0
    reported_open: int = 0
    # Accepted since the last report.
    accepted: list[Identity] = field(default_factory=list)


class KvSimulation:
    """Discrete events; requests take turns with the routers, which know of each other by reports alone."""

    def __init__(self, way: Way, *, replicas: int, routers: int = 1) -> None:
        self._way, self._clock = way, VirtualClock()
        self.routers = [KvRouter(way.kv_room, self._clock, self._send) for _ in range(routers)]
        self._nodes = [_Node(number) for number in range(1, replicas + 1)]
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.answers: list[Answer] = []

    @property
    def engines(self) -> list[KvEngine]:
        """Returns the engines, for what they counted."""
        return [node.engine for node in self._nodes]

    def run(self, requests: Iterable[KvRequest], *, until_seconds: float) -> None:
        """Goes on until that moment; what ended then is among the answers."""
        for request in requests:
            self._at(request.arrived_seconds, partial(self._router_of(request).arrive, request))
        for node in self._nodes:
            node.sessions = [router.register(node.number) for router in self.routers]
            self._report(node)
            self._at(_REPORT_SECONDS * node.number / len(self._nodes), partial(self._report_again, node))
        while self._events and self._events[0][0] <= until_seconds:
            self._clock.now_seconds, _, act = heapq.heappop(self._events)
            act()

    def _at(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (seconds, next(self._order), act))

    def _soon(self, act: Callable[[], None]) -> None:
        self._at(self._clock.now_seconds + _WIRE_SECONDS, act)

    def _router_of(self, request: KvRequest) -> KvRouter:
        return self.routers[request.number % len(self.routers)]

    def _send(self, request: KvRequest, lease: Identity, placement: Placement) -> None:
        node = self._nodes[placement.replica - 1]
        self._soon(partial(self._accept, node, request, lease, placement.predicted_kv_blocks))

    def _accept(self, node: _Node, request: KvRequest, lease: Identity, predicted_blocks: int) -> None:
        if not node.open:
            node.engine.stepped_seconds = self._clock.now_seconds
        node.open[lease] = node.engine.add(request, lease, predicted_blocks)
        node.accepted.append(lease)
        node.input_work.wait(lease, request.input_tokens, self._clock.now_seconds)
        self._report_early(node)
        self._step(node)

    def _step(self, node: _Node) -> None:
        if not node.is_stepping and node.open:
            node.is_stepping = True
            self._at(self._clock.now_seconds + node.engine.begin_step(), partial(self._end_step, node))

    def _end_step(self, node: _Node) -> None:
        node.is_stepping = False
        begun, ended = node.engine.end_step(self._clock.now_seconds)
        for answer in begun:
            node.input_work.begun(answer.lease, answer.request.input_tokens, self._clock.now_seconds)
        for answer in ended:
            del node.open[answer.lease]
            self.answers.append(answer)
            request = answer.request
            self._soon(partial(self._router_of(request).settle, request, answer.lease))
        if begun or ended:
            self._report_early(node)
        self._step(node)

    def _report_again(self, node: _Node) -> None:
        self._report(node)
        self._at(self._clock.now_seconds + _REPORT_SECONDS, partial(self._report_again, node))

    def _report_early(self, node: _Node) -> None:
        change = abs(len(node.open) - node.reported_open)
        is_big = change >= max(_BIG_CHANGE, node.reported_open / 4)
        if is_big and self._clock.now_seconds - node.reported_seconds >= _EARLY_REPORT_SECONDS:
            self._report(node)

    def _report(self, node: _Node) -> None:
        node.reported_seconds, node.reported_open = self._clock.now_seconds, len(node.open)
        accepted, node.accepted = node.accepted, []
        self._soon(partial(self._hear, node, self._load_of(node), accepted))

    def _hear(self, node: _Node, load: Load, accepted: list[Identity]) -> None:
        for router, session in zip(self.routers, node.sessions, strict=True):
            router.directory.report(session, load, self._clock.now_seconds)
            router.directory.drop_unclaimed(self._clock.now_seconds)
        for lease in accepted:
            router = self.routers[lease.high % len(self.routers)]
            router.directory.unassign(lease)
            if lease in node.open:
                router.directory.assign(lease, node.number)
        for router in self.routers:
            router.free()

    def _load_of(self, node: _Node) -> Load:
        engine, now_seconds = node.engine, self._clock.now_seconds
        scheduler = engine.scheduler
        return Load(
            running_requests=len(scheduler.running),
            waiting_requests=len(scheduler) - len(scheduler.running),
            kv_usage_permille=round(_PERMILLE * scheduler.kv_usage),
            age_seconds=now_seconds - engine.stepped_seconds if node.open else 0.0,
            is_draining=False,
            open_requests=len(node.open),
            unfinished_requests=len(node.open),
            kv_free_blocks=scheduler.free_blocks,
            waiting_input_tokens=node.input_work.waiting_tokens,
            input_tokens_per_second=node.input_work.tokens_per_second(now_seconds),
            output_tokens_per_second=node.output_work.read(
                engine.output_tokens, is_busy=bool(node.open), now_seconds=now_seconds
            ),
            kv_growth_blocks=most_growth(map(_filling_of, node.open.values()))
            if self._way.says_growth
            else None,
        )


def _filling_of(answer: Answer) -> Filling:
    return filling_of(
        answer.predicted_blocks,
        input_tokens=answer.request.input_tokens,
        output_tokens=answer.output_tokens,
        block_tokens=BLOCK_TOKENS,
    )
