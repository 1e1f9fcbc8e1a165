"""The edge's ports in memory; they pass the same contract suites as the gRPC adapters."""

import asyncio

from services.edge.domain.generation import Counts, Delta, FinishReason, GenerationRequest
from services.edge.domain.ports import (
    Admission,
    CountAdmission,
    Model,
    NotReadyReason,
    Offer,
    Take,
    TokenCount,
)
from services.edge.domain.timeline import EdgeRequest
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from tests.services.edge.scripts import LEASE, GeneratorScript, RouterScript, Step, UsageScript, record_of


def offer_of(number: int, address: str) -> Offer:
    """The ticket with a number, for a replica."""
    return Offer(address, b"%d" % number, bytes(64), 1, record_of(number))


class MemoryRouter:
    def __init__(self, script: RouterScript) -> None:
        self._script = script

    async def admit(
        self,
        *,
        key: str,
        request: GenerationRequest,
        request_id: Identity,
        within_seconds: float,
        source: int = 0,
    ) -> Admission:
        script = self._script
        script.sources.append(source)
        script.keys.append(key)
        script.request_ids.append(request_id)
        script.upper_bounds.append(request.prompt_tokens_upper_bound)
        script.within_seconds.append(within_seconds)
        if script.hold is not None:
            await script.hold.wait()
        if script.refusal is not None:
            raise script.refusal
        offer = offer_of(*script.first_offer())

        async def next_offer() -> Offer:
            return offer_of(*await script.another_offer(key, LEASE))

        async def hedge() -> Offer:
            return offer_of(*await script.another_offer(key, LEASE, is_hedge=True))

        async def release() -> None:
            if script.release_refusal is not None:
                raise script.release_refusal
            script.released.append(LEASE)

        return Admission(
            offer,
            LEASE,
            script.quota,
            1,
            2,
            3,
            recorded=script.recorded,
            next_offer=next_offer,
            release=release,
            hedge=hedge if script.may_hedge else None,
            model_name=script.model_name,
            retirement=script.retirement,
            home_region=4,
        )

    async def admit_count(
        self, *, key: str, request: GenerationRequest, request_id: Identity, source: int = 0
    ) -> CountAdmission:
        script = self._script
        script.sources.append(source)
        script.keys.append(key)
        script.request_ids.append(request_id)
        script.upper_bounds.append(request.prompt_tokens_upper_bound)
        if script.refusal is not None:
            raise script.refusal
        number, address = script.first_offer()
        offer = Offer(address, b"%d" % number, bytes(64), 1)
        return CountAdmission(
            offer, script.quota, 1, 2, 3, script.model_name, script.retirement, home_region=4
        )

    async def list_models(self, *, key: str, request_id: Identity, source: int = 0) -> tuple[Model, ...]:
        self._script.sources.append(source)
        self._script.keys.append(key)
        self._script.request_ids.append(request_id)
        if self._script.refusal is not None:
            raise self._script.refusal
        return self._script.models

    async def not_ready_reason(self) -> NotReadyReason | None:
        return None if self._script.is_serving else NotReadyReason.ROUTER_UNREACHABLE


class MemoryGenerators:
    """Replicas by address; an address without a script is a replica that is gone."""

    def __init__(self, scripts: dict[str, GeneratorScript]) -> None:
        self._scripts = scripts

    async def start(
        self, offer: Offer, request: GenerationRequest, *, deadline_seconds: float
    ) -> "MemoryGeneration":
        script = self._scripts.get(offer.generator_address)
        if script is None:
            raise ComptoirError(Reason.UNAVAILABLE)
        script.attempts.append(int(offer.claims))
        script.has_been_asked.set()
        script.texts += [message.text for message in request.messages]
        script.seeds.append(request.sampling.get("seed"))
        generation = MemoryGeneration(script)
        await generation.play(script.before_started)
        return generation

    async def count(
        self, offer: Offer, request: GenerationRequest, *, returns_ids: bool, within_seconds: float
    ) -> TokenCount:
        script = self._scripts.get(offer.generator_address)
        if script is None:
            raise ComptoirError(Reason.UNAVAILABLE)
        script.attempts.append(int(offer.claims))
        script.texts += [message.text for message in request.messages] or [str(request.prompt)]
        for step in script.before_started:
            if isinstance(step, ComptoirError):
                raise step
        ids = tuple(range(script.input_tokens)) if returns_ids else ()
        return TokenCount(script.input_tokens, 4096, ids)


class MemoryGeneration:
    def __init__(self, script: GeneratorScript) -> None:
        self._script = script
        self._steps = list(script.steps)
        self.counts: Counts | None = None

    @property
    def is_delta_waiting(self) -> bool:
        return bool(self._steps) and isinstance(self._steps[0], str)

    async def next_delta(self, take: Take | None = None) -> Delta | None:
        if self.counts is not None:
            return None
        while self._steps:
            step = self._steps.pop(0)
            if isinstance(step, str):
                return Delta(step)
            await self.play([step])
        script = self._script
        reason = FinishReason.LENGTH if script.is_length else FinishReason.STOP
        self.counts = Counts(script.input_tokens, 0, script.output_tokens)
        return Delta(finish=reason)

    def cancel(self) -> None:
        if self.counts is None:
            self._note_cancelled()

    async def play(self, steps: list[Step]) -> None:
        for step in steps:
            if isinstance(step, ComptoirError):
                raise step
            if isinstance(step, asyncio.Event):
                try:
                    await step.wait()
                except asyncio.CancelledError:
                    self._note_cancelled()
                    raise

    def _note_cancelled(self) -> None:
        if not self._script.cancelled.is_set():
            self._script.cancelled.set()


class MemoryUsage:
    def __init__(self, script: UsageScript) -> None:
        self._script = script

    def report(self, event: EdgeRequest) -> None:
        self._script.events.append(event)
