import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.edge.adapters.generator_client import GeneratorClient
from services.edge.domain.ports import Offer
from services.runtime.clock import SystemClock
from services.runtime.errors import ComptoirError, Reason
from services.runtime.identity import Identity
from tests.contracts.edge_generators_port import CHAT, GeneratorsPortContract
from tests.services.edge.memory import MemoryGenerators
from tests.services.edge.neighbours import serve_generator
from tests.services.edge.scripts import GeneratorScript


@pytest.fixture
def script() -> GeneratorScript:
    return GeneratorScript()


@pytest.fixture
def offer(tmp_path: Path) -> Offer:
    return Offer(f"unix:{tmp_path}/replica", b"1", bytes(64), 1)


class TestMemoryGenerators(GeneratorsPortContract):
    @pytest.fixture
    def generators(self, script: GeneratorScript, offer: Offer) -> MemoryGenerators:
        return MemoryGenerators({offer.generator_address: script})


class TestGeneratorClient(GeneratorsPortContract):
    @pytest.fixture
    async def generators(self, script: GeneratorScript, tmp_path: Path) -> AsyncIterator[GeneratorClient]:
        server = await serve_generator(script, tmp_path / "replica")
        client = GeneratorClient(None, SystemClock(), max_channels=2)
        yield client
        await client.close()
        await server.drain(0)

    async def test_the_deadline_travels_with_the_call(
        self, generators: GeneratorClient, offer: Offer, script: GeneratorScript
    ) -> None:
        script.steps = [asyncio.Event()]
        deadline = SystemClock().monotonic_seconds() + 0.2
        answer = await generators.open(offer, CHAT, request_id=Identity(1, 1), deadline_seconds=deadline)
        with pytest.raises(ComptoirError) as raised:
            await answer.next_text()
        assert raised.value.reason is Reason.DEADLINE_EXCEEDED
        await asyncio.wait_for(script.cancelled.wait(), 2)

    async def test_channels_of_replicas_that_are_idle_make_room(
        self, generators: GeneratorClient, offer: Offer, tmp_path: Path
    ) -> None:
        for number in range(5):
            with pytest.raises(ComptoirError):
                await self.open(generators, Offer(f"unix:{tmp_path}/{number}", b"1", b"", 1))
        assert len(generators._channels) == 2
        answer = await self.open(generators, offer)
        assert await answer.next_text() == "Bon"
        answer.cancel()

    async def test_plaintext_to_another_machine_is_not_called(self, generators: GeneratorClient) -> None:
        with pytest.raises(ComptoirError) as raised:
            await self.open(generators, Offer("192.0.2.1:50051", b"1", b"", 1))
        assert raised.value.reason is Reason.UNAVAILABLE
