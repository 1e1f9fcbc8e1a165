"""What every set of replicas does for the edge, in memory or over gRPC."""

import asyncio

import pytest

from services.edge.domain.generation import ChatRequest, Finished, FinishReason, Message, Role, Sampling
from services.edge.domain.ports import Answer, Generators, Offer
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from tests.services.edge.scripts import GeneratorScript

CHAT = ChatRequest("tiny-eu", (Message(Role.USER, "Bonjour"),), Sampling(seed=0))


class GeneratorsPortContract:
    """Inherit it with fixtures `script`, `offer` and `generators` that follow the script."""

    async def open(self, generators: Generators, offer: Offer) -> Answer:
        deadline = asyncio.get_running_loop().time() + 30
        return await generators.open(offer, CHAT, request_id=Identity(1, 1), deadline_seconds=deadline)

    async def test_an_answer_comes_piece_by_piece_and_ends_with_counts(
        self, generators: Generators, offer: Offer, script: GeneratorScript
    ) -> None:
        script.is_length = True
        answer = await self.open(generators, offer)
        assert [await answer.next_text() for _ in range(4)] == ["Bon", "jour", " !", None]
        assert answer.finished == Finished(FinishReason.LENGTH, 11, 0, 3)
        assert script.texts == ["Bonjour"]
        assert script.seeds == [0]
        assert script.attempts == [1]

    async def test_a_refused_ticket_fails_to_open(
        self, generators: Generators, offer: Offer, script: GeneratorScript
    ) -> None:
        script.before_started = [ComptoirError(Reason.TICKET_ALREADY_USED)]
        with pytest.raises(ComptoirError) as raised:
            await self.open(generators, offer)
        assert raised.value.reason is Reason.TICKET_ALREADY_USED

    async def test_a_failure_comes_after_the_text_before_it(
        self, generators: Generators, offer: Offer, script: GeneratorScript
    ) -> None:
        script.steps = ["a", ComptoirError(Reason.ENGINE_FAILED)]
        answer = await self.open(generators, offer)
        assert await answer.next_text() == "a"
        with pytest.raises(ComptoirError) as raised:
            await answer.next_text()
        assert raised.value.reason is Reason.ENGINE_FAILED
        assert answer.finished is None

    async def test_a_replica_that_is_gone_is_unavailable(self, generators: Generators, offer: Offer) -> None:
        gone = Offer("unix:/nonexistent/replica", offer.claims, offer.signature, 1)
        with pytest.raises(ComptoirError) as raised:
            await self.open(generators, gone)
        assert raised.value.reason is Reason.UNAVAILABLE

    async def test_cancelling_stops_the_replica(
        self, generators: Generators, offer: Offer, script: GeneratorScript
    ) -> None:
        script.steps = ["a", asyncio.Event()]
        answer = await self.open(generators, offer)
        assert await answer.next_text() == "a"
        answer.cancel()
        await asyncio.wait_for(script.cancelled.wait(), 2)

    async def test_a_caller_that_stops_waiting_to_open_stops_the_replica(
        self, generators: Generators, offer: Offer, script: GeneratorScript
    ) -> None:
        script.before_started = [asyncio.Event()]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(self.open(generators, offer), 0.2)
        await asyncio.wait_for(script.cancelled.wait(), 2)
