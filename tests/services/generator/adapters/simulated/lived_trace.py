"""A trace as the simulated scheduler lives it, told as `vllm_scheduler` tells it."""

from dataclasses import dataclass
from typing import Any

from services.generator.adapters.simulated.scheduler import Job, Limits, Scheduler, chain_steps
from services.kernel.steps import finished
from tests.services.generator.adapters.simulated.arrivals import Arrival, Trace, token_of

_MOST_STEPS = 5_000


@dataclass(eq=False, kw_only=True)
class Numbered(Job):
    """A request that ends after its tokens."""

    number: int
    last_tokens: int
    is_over: bool = False


def job_of(arrival: Arrival, block_tokens: int) -> Numbered:
    root = hash(arrival.salt)
    chain = finished(chain_steps(root, arrival.ids, block_tokens))
    return Numbered(
        priority=arrival.priority,
        arrival=arrival.number,
        tokens=len(arrival.ids),
        root=root,
        chain=chain,
        tail=arrival.ids[len(chain) * block_tokens :],
        number=arrival.number,
        last_tokens=len(arrival.ids) + arrival.output_tokens,
    )


class _Life:
    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.scheduler = Scheduler[Numbered](
            Limits(
                trace.kv_blocks,
                trace.block_tokens,
                trace.running_requests,
                trace.batched_tokens,
                is_prefill_chunked=trace.is_prefill_chunked,
            )
        )
        self.jobs: dict[int, Numbered] = {}
        self.cached: dict[str, int] = {}

    def come_and_go(self, number: int) -> None:
        for arrival in self.trace.arrivals:
            if arrival.step == number:
                self.jobs[arrival.number] = job_of(arrival, self.trace.block_tokens)
                self.scheduler.add(self.jobs[arrival.number])
            if arrival.abort_step == number and not self.jobs[arrival.number].is_over:
                self.end(self.jobs[arrival.number])

    def step(self) -> dict[str, Any]:
        step = self.scheduler.schedule()
        for job in step:
            self.cached.setdefault(str(job.number), job.cached_tokens)
        told = {
            "tokens": {str(job.number): tokens for job, tokens in step.items()},
            "free": self.scheduler.free_blocks,
            "preempted": self.scheduler.preempted_total,
        }
        for job in step:
            if job.computed_tokens == job.tokens:
                job.append(token_of(job.number, job.tokens), self.trace.block_tokens)
                if job.tokens == job.last_tokens:
                    self.end(job)
        return told

    def end(self, job: Numbered) -> None:
        job.is_over = True
        self.scheduler.remove(job)


def lived(trace: Trace) -> dict[str, Any]:
    life, steps = _Life(trace), list[dict[str, Any]]()
    for number in range(_MOST_STEPS):
        life.come_and_go(number)
        if number > max(arrival.step for arrival in trace.arrivals) and not len(life.scheduler):
            return {"steps": steps, "cached": life.cached}
        steps.append(life.step())
    raise AssertionError("the trace does not end")
