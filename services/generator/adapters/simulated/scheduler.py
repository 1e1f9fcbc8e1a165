"""What vLLM's scheduler decides in each step: who gets how many tokens computed, who waits, who is preempted.

After `vllm.v1.core.sched.scheduler.Scheduler` of vLLM 0.32, for one model of full attention: tests run both
on the same requests and compare every step.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from services.generator.adapters.simulated.block_pool import BlockPool
from services.kernel.steps import Steps

# About a millisecond.
_BLOCKS_PER_STEP: Final = 1024


@dataclass(eq=False)
class Job:
    """A request in the engine: its place in the queue, its tokens, and its blocks.

    `chain` has a number for each whole block of its tokens, and `tail` the ids behind the last.
    """

    priority: int
    tokens: int
    root: int
    chain: list[int]
    tail: list[int]
    arrival: int = 0
    blocks: list[int] = field(default_factory=list)
    computed_tokens: int = 0
    cached_tokens: int = 0
    preemptions: int = 0
    # It has blocks and is computed, and nothing further is for now.
    is_held: bool = False
    filled_blocks: int = 0

    @property
    def order(self) -> tuple[int, int]:
        """Returns its place in the queue: a lower number is sooner."""
        return self.priority, self.arrival

    def append(self, token_id: int, block_tokens: int) -> None:
        """Adds a token of its answer."""
        self.tokens += 1
        self.tail.append(token_id)
        if len(self.tail) == block_tokens:
            self.chain.append(linked(self.chain[-1] if self.chain else self.root, self.tail))
            self.tail.clear()


JobT = TypeVar("JobT", bound=Job)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the engine holds and computes at once."""

    kv_blocks: int
    block_tokens: int
    running_requests: int
    batched_tokens: int
    is_prefill_chunked: bool = True


class Scheduler(Generic[JobT]):
    """Running requests first, then who waits by priority and arrival, as far as tokens and blocks go."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pool = BlockPool(limits.kv_blocks)
        self._waiting: list[tuple[tuple[int, int], JobT]] = []
        self._running: list[JobT] = []
        self.preempted_total = 0

    @property
    def waiting(self) -> Sequence[JobT]:
        """Returns who waits, in no order."""
        return [job for _, job in self._waiting]

    @property
    def running(self) -> Sequence[JobT]:
        """Returns who has blocks, in the order of admission."""
        return self._running

    @property
    def free_blocks(self) -> int:
        """Returns how many blocks nobody uses."""
        return self._pool.free_blocks

    @property
    def kv_usage(self) -> float:
        """Returns the used share of the blocks."""
        return self._pool.usage

    def __len__(self) -> int:
        return len(self._waiting) + len(self._running)

    def add(self, job: JobT) -> None:
        """Puts a request into the queue."""
        heapq.heappush(self._waiting, (job.order, job))

    def remove(self, job: JobT) -> None:
        """Takes a request out, wherever it is, with its blocks."""
        if job.blocks:
            self._running.remove(job)
            self._free(job)
        else:
            self._waiting = [entry for entry in self._waiting if entry[1] is not job]
            heapq.heapify(self._waiting)

    def schedule(self) -> dict[JobT, int]:
        """Returns how many tokens of which request the next step computes; they count as computed."""
        before = self.preempted_total
        step = self._go_on()
        if self.preempted_total == before:
            self._admit(step)
        for job, tokens in step.items():
            job.computed_tokens += tokens
        return step

    def _go_on(self) -> dict[JobT, int]:
        """Gives the running what they lack, and takes the blocks for it from who came last."""
        step, index = dict[JobT, int](), 0
        budget = self._limits.batched_tokens
        while index < len(self._running) and budget:
            job = self._running[index]
            tokens = min(job.tokens - job.computed_tokens, budget)
            if job.is_held or not tokens:
                index += 1
                continue
            while not self._allocate(job, job.computed_tokens + tokens):
                victim = max(self._running, key=lambda one: one.order)
                place = self._running.index(victim)
                del self._running[place]
                index -= place < index
                budget += step.pop(victim, 0)
                self._preempt(victim)
                if victim is job:
                    return step
            step[job] = tokens
            budget -= tokens
            index += 1
        return step

    def _admit(self, step: dict[JobT, int]) -> None:
        limits = self._limits
        budget = limits.batched_tokens - sum(step.values())
        while self._waiting and budget and len(self._running) < limits.running_requests:
            job = self._waiting[0][1]
            # One token is always computed: what comes next is chosen behind it.
            found = self._pool.found(job.chain, (job.tokens - 1) // limits.block_tokens)
            cached_tokens = len(found) * limits.block_tokens
            tokens = job.tokens - cached_tokens
            if not limits.is_prefill_chunked and tokens > budget:
                return
            tokens = min(tokens, budget)
            # Room for all of it, whatever this step computes: half a prompt is of no use.
            if not self._has_room(job.tokens, 0, found):
                return
            heapq.heappop(self._waiting)
            self._allocate(job, cached_tokens + tokens, found)
            self._running.append(job)
            job.computed_tokens = cached_tokens
            if not job.preemptions:
                job.cached_tokens = cached_tokens
            step[job] = tokens
            budget -= tokens

    def _has_room(self, tokens: int, held_blocks: int, found: Sequence[int] = ()) -> bool:
        needed = -(-tokens // self._limits.block_tokens) - held_blocks - len(found)
        return needed + self._pool.unused(found) <= self._pool.free_blocks

    def _allocate(self, job: JobT, tokens: int, found: Sequence[int] = ()) -> bool:
        """Gives a request the blocks for its first tokens, if they are free; whole ones can be found then."""
        if not self._has_room(tokens, len(job.blocks), found):
            return False
        self._pool.share(found)
        job.blocks += found
        job.filled_blocks += len(found)
        job.blocks += self._pool.take(-(-tokens // self._limits.block_tokens) - len(job.blocks))
        for index in range(job.filled_blocks, tokens // self._limits.block_tokens):
            self._pool.fill(job.blocks[index], job.chain[index])
            job.filled_blocks += 1
        return True

    def _preempt(self, job: JobT) -> None:
        """Sends a request back to the queue: what was computed of it is computed again, if not found."""
        self._free(job)
        job.computed_tokens = 0
        job.is_held = False
        job.preemptions += 1
        self.preempted_total += 1
        self.add(job)

    def _free(self, job: JobT) -> None:
        self._pool.give_back(job.blocks)
        job.blocks, job.filled_blocks = [], 0


def chain_steps(root: int, ids: Sequence[int], block_tokens: int) -> Steps[list[int]]:
    """Returns, in steps, the numbers of a prompt's whole blocks; `root` keeps those of others apart."""
    chain: list[int] = []
    parent = root
    for end in range(block_tokens, len(ids) + 1, block_tokens):
        parent = linked(parent, ids[end - block_tokens : end])
        chain.append(parent)
        if len(chain) % _BLOCKS_PER_STEP == 0:
            yield
    return chain


def linked(parent: int, ids: Sequence[int]) -> int:
    """Returns the number of a whole block, which stands for it and for all before it."""
    return hash((parent, tuple(ids)))
