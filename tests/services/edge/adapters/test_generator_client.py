import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import grpc
import pytest
import structlog

from services.edge.adapters import generator_client
from services.edge.adapters.generator_client import GeneratorClient
from services.edge.domain.generation import Delta, FinishReason
from services.edge.domain.ports import Offer
from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError, Reason
from services.runtime.addresses import GrpcTarget
from services.runtime.grpc.server import channel
from tests.contracts.edge_generators_port import REQUEST, GeneratorsPortContract
from tests.services.edge.memory import MemoryGenerators
from tests.services.edge.neighbours import serve_generator
from tests.services.edge.scripts import GeneratorScript
from tests.services.runtime.certificates import Authority


class Taken:
    """Takes so many deltas, and no more."""

    def __init__(self, *, room_for: int) -> None:
        self._room_for = room_for
        self.deltas: list[Delta] = []
        self.is_full = asyncio.Event()

    def __call__(self, delta: Delta) -> bool:
        if self.is_full.is_set():
            return False
        self.deltas.append(delta)
        if len(self.deltas) == self._room_for:
            self.is_full.set()
        return True


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
        answer = await generators.start(offer, REQUEST, deadline_seconds=deadline)
        with pytest.raises(ComptoirError) as raised:
            await answer.next_delta()
        assert raised.value.reason is Reason.DEADLINE_EXCEEDED
        await asyncio.wait_for(script.cancelled.wait(), 5)

    async def test_text_that_comes_while_its_reader_waits_is_taken_where_it_comes(
        self, generators: GeneratorClient, offer: Offer, script: GeneratorScript
    ) -> None:
        gates = [asyncio.Event(), asyncio.Event()]
        script.steps = ["a", gates[0], "b", "c", gates[1], "d"]
        answer = await self.start(generators, offer)
        assert await answer.next_delta() == Delta("a")
        taken = Taken(room_for=2)
        waiting = asyncio.create_task(answer.next_delta(taken))
        await asyncio.sleep(0)
        gates[0].set()
        await asyncio.wait_for(taken.is_full.wait(), 2)
        assert taken.deltas == [Delta("b"), Delta("c")]
        assert not waiting.done()
        gates[1].set()
        assert await waiting == Delta("d"), "what is not taken waits"
        assert await answer.next_delta(taken) == Delta(finish=FinishReason.STOP)

    async def test_a_defect_where_text_is_taken_ends_that_generation_alone(
        self, generators: GeneratorClient, offer: Offer, script: GeneratorScript
    ) -> None:
        gate = asyncio.Event()
        script.steps = ["a", gate, "what a caller wrote", "c"]
        broken, whole = [await self.start(generators, offer) for _ in range(2)]
        assert [await answer.next_delta() for answer in (broken, whole)] == [Delta("a"), Delta("a")]

        def take(delta: Delta) -> bool:
            raise ValueError(delta.text)

        waiting = asyncio.create_task(broken.next_delta(take))
        await asyncio.sleep(0)
        with structlog.testing.capture_logs() as lines:
            gate.set()
            with pytest.raises(ComptoirError) as raised:
                await waiting
        assert raised.value.reason is Reason.INTERNAL
        assert [line["event"] for line in lines if line["event"] != "call"] == ["delta_not_taken"]
        assert "what a caller wrote" not in str(lines)
        while (delta := await whole.next_delta()) is not None and delta.finish is None:
            pass
        assert delta == Delta(finish=FinishReason.STOP)

    async def test_channels_of_replicas_that_are_idle_close_excess(
        self, generators: GeneratorClient, offer: Offer, tmp_path: Path
    ) -> None:
        for number in range(5):
            with pytest.raises(ComptoirError):
                await self.start(generators, Offer(f"unix:{tmp_path}/{number}", b"1", b"", 1))
        assert len(generators._channels) == 2
        answer = await self.start(generators, offer)
        assert await answer.next_delta() == Delta("Bon")
        answer.cancel()

    async def test_two_requests_for_a_new_replica_share_one_channel(
        self, generators: GeneratorClient, offer: Offer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(2):
            with pytest.raises(ComptoirError):
                await self.start(generators, Offer(f"unix:{tmp_path}/{number}", b"1", b"", 1))
        for replica in generators._channels.values():
            # As a close that waits; gRPC does not say that its own never does.
            monkeypatch.setattr(replica.channel, "close", partial(asyncio.sleep, 0))
        opened: list[grpc.aio.Channel] = []

        def counted(target: GrpcTarget) -> grpc.aio.Channel:
            opened.append(channel(target))
            return opened[-1]

        monkeypatch.setattr(generator_client, "channel", counted)
        answers = await asyncio.gather(*(self.start(generators, offer) for _ in range(3)))
        for answer in answers:
            answer.cancel()
        await generators.close()
        assert [each.get_state() for each in opened] == [grpc.ChannelConnectivity.SHUTDOWN]

    async def test_more_replicas_at_work_than_channels_allowed_are_said_and_made_up_for(
        self, offer: Offer, script: GeneratorScript, tmp_path: Path
    ) -> None:
        script.steps = [asyncio.Event()]
        offers = [Offer(f"unix:{tmp_path}/busy-{number}", b"1", bytes(64), 1) for number in range(3)]
        servers = [await serve_generator(script, tmp_path / f"busy-{number}") for number in range(3)]
        client = GeneratorClient(None, SystemClock(), max_channels=2)
        with structlog.testing.capture_logs() as lines:
            answers = [await self.start(client, each) for each in offers]
        assert [(line["event"], line["count"]) for line in lines] == [("too_many_channels", 3)]
        for answer in answers:
            answer.cancel()
            with pytest.raises(ComptoirError):
                await answer.next_delta()
        with pytest.raises(ComptoirError):
            await self.start(client, Offer(f"unix:{tmp_path}/gone", b"1", b"", 1))
        assert len(client._channels) == 2
        await client.close()
        for server in servers:
            await server.drain(0)

    async def test_plaintext_to_another_machine_is_not_called(self, generators: GeneratorClient) -> None:
        with pytest.raises(ComptoirError) as raised:
            await self.start(generators, Offer("192.0.2.1:50051", b"1", b"", 1))
        assert raised.value.reason is Reason.UNAVAILABLE

    async def test_a_replica_that_comes_while_certificates_are_renewed_is_out_of_reach_for_now(
        self, tmp_path: Path
    ) -> None:
        files = Authority(tmp_path / "authority").files("edge")
        client = GeneratorClient(files, SystemClock(), max_channels=2)
        files.private_key_file.write_text("half a key")
        with structlog.testing.capture_logs() as lines, pytest.raises(ComptoirError) as raised:
            await self.start(client, Offer("127.0.0.1:9", b"1", b"", 1))
        assert raised.value.reason is Reason.UNAVAILABLE
        assert [line["event"] for line in lines] == ["certificate_unusable"]
        await client.close()
