"""What every set of replicas does for the edge, in memory or over gRPC."""

import asyncio

import pytest

from services.edge.domain.generation import (
    Counts,
    Delta,
    FinishReason,
    GenerationRequest,
    Message,
    Role,
)
from services.edge.domain.ports import Generation, Generators, Offer
from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.scripts import GeneratorScript

REQUEST = GenerationRequest("tiny-eu", (Message(Role.USER, "Bonjour"),), sampling={"seed": 0})


class GeneratorsPortContract:
    """Inherit it with fixtures `script`, `offer` and `generators` that follow the script."""

    async def start(self, generators: Generators, offer: Offer) -> Generation:
        deadline = asyncio.get_running_loop().time() + 30
        return await generators.start(offer, REQUEST, deadline_seconds=deadline)

    async def test_an_answer_comes_piece_by_piece_and_ends_with_counts(
        self, generators: Generators, offer: Offer, script: GeneratorScript
    ) -> None:
        script.is_length = True
        generation = await self.start(generators, offer)
        deltas = [await generation.next_delta() for _ in range(5)]
        texts = [Delta(text) for text in ("Bon", "jour", " !")]
        assert deltas == [*texts, Delta(finish=FinishReason.LENGTH), None]
        assert generation.counts == Counts(11, 0, 3)
        assert script.texts == ["Bonjour"]
        assert script.seeds == [0]
        assert script.attempts == [1]

    async def test_a_prompt_is_counted_with_its_ids_for_those_who_ask(
        self, generators: Generators, offer: Offer, script: GeneratorScript
    ) -> None:
        counted = await generators.count(offer, REQUEST, returns_ids=False, within_seconds=5)
        assert (counted.tokens, counted.context_tokens, list(counted.ids)) == (11, 4096, [])
        text = GenerationRequest("tiny-eu", (), prompt="é")
        counted = await generators.count(offer, text, returns_ids=True, within_seconds=5)
        assert (counted.tokens, list(counted.ids)) == (11, list(range(11)))
        assert script.texts == ["Bonjour", "é"]

    async def test_a_refused_count_keeps_its_reason(
        self, generators: Generators, offer: Offer, script: GeneratorScript
    ) -> None:
        script.before_started = [ComptoirError(Reason.CONTEXT_TOO_LONG)]
        with pytest.raises(ComptoirError) as raised:
            await generators.count(offer, REQUEST, returns_ids=False, within_seconds=5)
        assert raised.value.reason is Reason.CONTEXT_TOO_LONG

    async def test_a_refused_ticket_is_a_failure_to_start(
        self, generators: Generators, offer: Offer, script: GeneratorScript
    ) -> None:
        script.before_started = [ComptoirError(Reason.TICKET_ALREADY_USED)]
        with pytest.raises(ComptoirError) as raised:
            await self.start(generators, offer)
        assert raised.value.reason is Reason.TICKET_ALREADY_USED

    async def test_a_failure_comes_after_the_text_before_it(
        self, generators: Generators, offer: Offer, script: GeneratorScript
    ) -> None:
        script.steps = ["a", ComptoirError(Reason.ENGINE_FAILED)]
        generation = await self.start(generators, offer)
        assert await generation.next_delta() == Delta("a")
        with pytest.raises(ComptoirError) as raised:
            await generation.next_delta()
        assert raised.value.reason is Reason.ENGINE_FAILED
        assert generation.counts is None

    async def test_a_replica_that_is_gone_is_unavailable(self, generators: Generators, offer: Offer) -> None:
        gone = Offer("unix:/nonexistent/replica", offer.claims, offer.signature, 1)
        with pytest.raises(ComptoirError) as raised:
            await self.start(generators, gone)
        assert raised.value.reason is Reason.UNAVAILABLE

    async def test_cancelling_stops_the_replica(
        self, generators: Generators, offer: Offer, script: GeneratorScript
    ) -> None:
        script.steps = ["a", asyncio.Event()]
        generation = await self.start(generators, offer)
        assert await generation.next_delta() == Delta("a")
        generation.cancel()
        await asyncio.wait_for(script.cancelled.wait(), 5)

    async def test_a_caller_that_stops_waiting_for_the_start_stops_the_replica(
        self, generators: Generators, offer: Offer, script: GeneratorScript
    ) -> None:
        script.before_started = [asyncio.Event()]
        starting = asyncio.ensure_future(self.start(generators, offer))
        await asyncio.wait_for(script.has_been_asked.wait(), 5)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await asyncio.wait_for(script.cancelled.wait(), 5)
