"""An engine with continuous batching, in simulated time: a step gives each running request one token.

A step prefills at most a budget of tokens of those that wait, first come, first served, and takes time by
what it holds. The cache remembers prefixes, the least recently used go first. A hung engine makes no step
from a moment on. It leaves out preemption: a request enters once all of its blocks are free.
"""

import heapq
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

from services.kernel.identity import Identity
from tests.bench.placement.arrivals import Request

BLOCK_TOKENS: Final = 16
KV_BLOCKS: Final = 12_000
MOST_RUNNING: Final = 128
_BUDGET_TOKENS: Final = 2_048
_STEP_SECONDS: Final = 0.008
_SECONDS_PER_RUNNING: Final = 0.00005
SECONDS_PER_INPUT_TOKEN: Final = 0.00006
_MOST_PREFIXES: Final = 8
_MOST_STEPS: Final = 1_000


@dataclass(slots=True)
class Job:
    """A request on an engine; `left_tokens` of its prompt are not computed yet."""

    request: Request
    lease: Identity
    left_tokens: int
    computed_tokens: int = 0
    first_seconds: float = 0.0

    @property
    def blocks(self) -> int:
        """Returns the KV-cache blocks that it fills when it ends."""
        return _blocks_of(self.request)


@dataclass(slots=True)
class Engine:
    """The state of one engine; the caller says when a step begins and when it has ended."""

    slowness: float = 1.0
    is_hung: bool = False
    waiting: deque[Job] = field(default_factory=deque)
    prefilling: deque[Job] = field(default_factory=deque)
    # By the number of the step with which each ends.
    running: list[tuple[int, int, Job]] = field(default_factory=list)
    free_blocks: int = KV_BLOCKS
    steps: int = 0
    waiting_input_tokens: int = 0
    stepped_seconds: float = 0.0
    step_ends_seconds: float = 0.0
    # Of requests that are on their way.
    sent_tokens: int = 0
    output_tokens: int = 0
    prefixes: OrderedDict[int, None] = field(default_factory=OrderedDict)

    @property
    def open(self) -> int:
        """Returns how many requests it holds."""
        return len(self.waiting) + len(self.prefilling) + len(self.running)

    def add(self, request: Request, lease: Identity) -> Job:
        """Takes a request in."""
        job = Job(request, lease, request.input_tokens)
        self.waiting.append(job)
        self.waiting_input_tokens += request.input_tokens
        return job

    def cancel(self, job: Job) -> None:
        """Ends a request that has no token yet."""
        for line in (self.waiting, self.prefilling):
            if job in line:
                line.remove(job)
                self.waiting_input_tokens -= job.left_tokens
                if line is self.prefilling:
                    self.free_blocks += job.blocks

    def begin_step(self) -> tuple[float, list[tuple[Job, int]]]:
        """Returns how long the next step takes, and how many tokens of which prompts it computes."""
        budget = _BUDGET_TOKENS - len(self.running)
        parts: list[tuple[Job, int]] = []
        self._let_in()
        for job in self.prefilling:
            if budget <= 0:
                break
            taken = min(budget, job.left_tokens)
            budget -= taken
            parts.append((job, taken))
        computed = sum(tokens for _, tokens in parts)
        seconds = (
            _STEP_SECONDS + len(self.running) * _SECONDS_PER_RUNNING + computed * SECONDS_PER_INPUT_TOKEN
        )
        return seconds * self.slowness, parts

    def end_step(self, now_seconds: float, parts: list[tuple[Job, int]]) -> tuple[list[Job], list[Job]]:
        """Returns those that got their first token with this step, and those that ended."""
        self.steps += 1
        self.stepped_seconds = now_seconds
        self.output_tokens += len(self.running)
        begun = []
        for job, tokens in parts:
            job.left_tokens -= tokens
            job.computed_tokens += tokens
            self.waiting_input_tokens -= tokens
            if job.left_tokens == 0 and job in self.prefilling:
                self.prefilling.remove(job)
                self._remember(job.request.prefix)
                job.first_seconds = now_seconds
                self.output_tokens += 1
                begun.append(job)
                ends = self.steps + job.request.output_tokens - 1
                heapq.heappush(self.running, (ends, job.request.number, job))
        ended = []
        while self.running and self.running[0][0] <= self.steps:
            job = heapq.heappop(self.running)[2]
            self.free_blocks += job.blocks
            ended.append(job)
        return begun, ended

    def seconds_to_first_token(self, request: Request, now_seconds: float) -> float:
        """Returns how long a request would wait for its first token here, with all that is known."""
        if self.is_hung:
            return float("inf")
        cached_tokens = self.cached_tokens(request)
        tokens = self.waiting_input_tokens + self.sent_tokens + request.input_tokens - cached_tokens
        step_seconds = _STEP_SECONDS + len(self.running) * _SECONDS_PER_RUNNING
        steps = tokens // _BUDGET_TOKENS + 1 + self._steps_until_room(request)
        seconds = tokens * SECONDS_PER_INPUT_TOKEN + steps * step_seconds
        return seconds * self.slowness + max(0.0, self.step_ends_seconds - now_seconds)

    def _steps_until_room(self, request: Request) -> int:
        free_blocks = self.free_blocks - sum(job.blocks for job in self.waiting) - _blocks_of(request)
        places = MOST_RUNNING - self.open - 1
        if free_blocks >= 0 and places >= 0:
            return 0
        for ends, _, job in sorted(self.running):
            free_blocks, places = free_blocks + job.blocks, places + 1
            if free_blocks >= 0 and places >= 0:
                return max(0, ends - self.steps)
        return _MOST_STEPS

    def cached_tokens(self, request: Request) -> int:
        """Returns how much of a request's prompt is in the cache."""
        return request.prefix_tokens if request.prefix in self.prefixes else 0

    def _let_in(self) -> None:
        while self.waiting and len(self.running) + len(self.prefilling) < MOST_RUNNING:
            job = self.waiting[0]
            if job.blocks > self.free_blocks:
                return
            self.waiting.popleft()
            self.free_blocks -= job.blocks
            cached = min(self.cached_tokens(job.request), job.left_tokens - 1)
            job.left_tokens -= cached
            self.waiting_input_tokens -= cached
            self.prefilling.append(job)

    def _remember(self, prefix: int | None) -> None:
        if prefix is None:
            return
        self.prefixes[prefix] = None
        self.prefixes.move_to_end(prefix)
        if len(self.prefixes) > _MOST_PREFIXES:
            self.prefixes.popitem(last=False)


def _blocks_of(request: Request) -> int:
    return -(-(request.input_tokens + request.output_tokens) // BLOCK_TOKENS)
