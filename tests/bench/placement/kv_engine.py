"""An engine of the KV-cache contest in virtual time: it decides as the simulated engine does, as vLLM."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from services.generator.adapters.simulated.scheduler import Job, Limits, Scheduler
from services.kernel.identity import Identity
from tests.bench.placement.engine import BLOCK_TOKENS, SECONDS_PER_INPUT_TOKEN
from tests.bench.placement.kv_shapes import KvRequest

# What is left of 24 GB beside eight billion weights of two bytes, at 128 KiB per token.
KV_BLOCKS: Final = 3_000
_MOST_RUNNING: Final = 256
_BUDGET_TOKENS: Final = 2_048
_STEP_SECONDS: Final = 0.012
_SECONDS_PER_RUNNING: Final = 0.0001
# Contents of the blocks of one request; those of another one begin behind them.
_MOST_BLOCKS: Final = 1 << 20


@dataclass(eq=False)
class Answer(Job):
    """A request on an engine, and what became of it."""

    request: KvRequest = field(kw_only=True)
    lease: Identity = field(kw_only=True)
    predicted_blocks: int = field(kw_only=True)
    output_tokens: int = 0
    first_seconds: float = 0.0
    last_seconds: float = 0.0
    longest_gap_seconds: float = 0.0
    # So much of it was computed once: what is computed again below it is lost work.
    high_tokens: int = 0

    def append(self, token_id: int, block_tokens: int) -> None:
        """Adds a token of its answer; no other request has such contents."""
        del token_id
        self.tokens += 1
        if self.tokens % block_tokens == 0:
            self.chain.append(self.root + len(self.chain))


@dataclass(slots=True)
class KvEngine:
    """One engine; the caller says when a step begins and when it has ended."""

    scheduler: Scheduler[Answer] = field(
        default_factory=lambda: Scheduler(Limits(KV_BLOCKS, BLOCK_TOKENS, _MOST_RUNNING, _BUDGET_TOKENS))
    )
    stepped_seconds: float = 0.0
    arrivals: int = 0
    output_tokens: int = 0
    computed_tokens: int = 0
    wasted_tokens: int = 0
    step: Mapping[Answer, int] = field(default_factory=dict)

    def add(self, request: KvRequest, lease: Identity, predicted_blocks: int) -> Answer:
        """Takes a request in."""
        self.arrivals += 1
        root = request.number * _MOST_BLOCKS
        answer = Answer(
            priority=0,
            tokens=request.input_tokens,
            root=root,
            chain=list(range(root, root + request.input_tokens // BLOCK_TOKENS)),
            tail=[],
            arrival=self.arrivals,
            request=request,
            lease=lease,
            predicted_blocks=predicted_blocks,
        )
        self.scheduler.add(answer)
        return answer

    def begin_step(self) -> float:
        """Decides the next step and returns how long it takes."""
        self.step, prefilled = self.scheduler.schedule(), 0
        for answer, tokens in self.step.items():
            again = min(answer.high_tokens, answer.computed_tokens) - (answer.computed_tokens - tokens)
            self.wasted_tokens += max(0, again)
            answer.high_tokens = max(answer.high_tokens, answer.computed_tokens)
            prefilled += tokens if tokens > 1 or not answer.output_tokens else 0
        self.computed_tokens += sum(self.step.values())
        return _STEP_SECONDS + prefilled * SECONDS_PER_INPUT_TOKEN + len(self.step) * _SECONDS_PER_RUNNING

    def end_step(self, now_seconds: float) -> tuple[list[Answer], list[Answer]]:
        """Returns those that got their first token with this step, and those that ended."""
        self.stepped_seconds = now_seconds
        begun, ended = [], []
        for answer in self.step:
            if answer.computed_tokens < answer.tokens:
                continue
            answer.output_tokens += 1
            self.output_tokens += 1
            if answer.output_tokens == 1:
                answer.first_seconds = now_seconds
                begun.append(answer)
            else:
                gap_seconds = now_seconds - answer.last_seconds
                answer.longest_gap_seconds = max(answer.longest_gap_seconds, gap_seconds)
            answer.last_seconds = now_seconds
            if answer.output_tokens == answer.request.output_tokens:
                self.scheduler.remove(answer)
                ended.append(answer)
            else:
                answer.append(0, BLOCK_TOKENS)
        return begun, ended
