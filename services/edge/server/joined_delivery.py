"""The deliveries of one request's prompts as one: its choices are numbered through all of them."""

import asyncio
from collections.abc import Awaitable, Sequence
from types import TracebackType
from typing import Any, Self

from msgspec.structs import replace

from services.edge.domain.generation import Counts, Delta, GenerationRequest
from services.edge.domain.ports import Retirement, Take
from services.edge.domain.prompts import refusal_of_all
from services.edge.server.delivery import Delivery
from services.kernel.errors import ComptoirError
from services.kernel.quota import QuotaState


class JoinedDelivery:
    """As Delivery, of several prompts: each is admitted, generated and counted for itself.

    What fails of one fails all: those that run are cancelled, and what they generated is counted.
    """

    def __init__(self, parts: Sequence[Delivery], prompts: Sequence[GenerationRequest]) -> None:
        self._parts = parts
        # Numbers alone: the texts are the parts' to hold, as long as they need them.
        self._bounds = [prompt.prompt_tokens_upper_bound for prompt in prompts]
        self._choices = prompts[0].choices
        self._tasks: dict[int, asyncio.Task[Delta | None]] = {}
        self._starts: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        # All have the same deadline; the first one's keeps it for them.
        await self._parts[0].__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await _end([*self._starts, *self._tasks.values()])
        finally:
            for part in self._parts:
                part.conclude()
            await self._parts[0].__aexit__(kind, error, trace)

    @property
    def quota(self) -> QuotaState:
        """The key's quota after the last of the admissions."""
        quotas = [part.quota for part in self._parts]
        return min(quotas, key=lambda quota: (quota.remaining_requests, quota.remaining_tokens))

    @property
    def model_name(self) -> str:
        """The name of the model that answers; as Delivery."""
        return self._parts[0].model_name

    @property
    def retirement(self) -> Retirement | None:
        """Since when the name that was asked for should not be used; as Delivery."""
        return self._parts[0].retirement

    @property
    def counts(self) -> Counts:
        """The counts of all answers; INTERNAL before `next_delta` returned None."""
        counts = [part.counts for part in self._parts]
        return Counts(
            input_tokens=sum(each.input_tokens for each in counts),
            cached_input_tokens=sum(each.cached_input_tokens for each in counts),
            output_tokens=sum(each.output_tokens for each in counts),
            reasoning_tokens=sum(each.reasoning_tokens for each in counts),
        )

    @property
    def is_delta_waiting(self) -> bool:
        """Whether `next_delta` has something to return at once."""
        return any(part.is_delta_waiting for part in self._parts)

    async def start(self) -> None:
        """Returns once every prompt was accepted and its admission is durable; raises as Delivery."""
        self._starts = [asyncio.create_task(part.start()) for part in self._parts]
        try:
            await asyncio.gather(*self._starts)
        except ComptoirError as error:
            raise self._refusal(error) from None
        self._tasks = {number: _begin(part.next_delta()) for number, part in enumerate(self._parts)}

    async def next_delta(self, _take: Take | None = None) -> Delta | None:
        """Returns what comes next of any prompt, None when all answers are whole; raises as Delivery."""
        while self._tasks:
            await asyncio.wait(self._tasks.values(), return_when=asyncio.FIRST_COMPLETED)
            number = next(number for number, task in self._tasks.items() if task.done())
            delta = await self._tasks.pop(number)
            if delta is not None:
                # Behind the others, which may have something too.
                self._tasks[number] = _begin(self._parts[number].next_delta())
                return replace(delta, index=number * self._choices + delta.index)
        return None

    def _refusal(self, error: ComptoirError) -> ComptoirError:
        refused = next(
            number
            for number, start in enumerate(self._starts)
            if start.done() and not start.cancelled() and start.exception() is error
        )
        return refusal_of_all(error, refused, self._bounds)


def _begin(reading: Awaitable[Delta | None]) -> asyncio.Task[Delta | None]:
    return asyncio.ensure_future(reading)


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    # Nobody else looks at how they ended.
    await asyncio.gather(*tasks, return_exceptions=True)
