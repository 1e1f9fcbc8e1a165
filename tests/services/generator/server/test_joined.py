"""Many answers on one stream: each is whole, counted once and ended alone."""

import asyncio
from collections import defaultdict
from typing import Any

import grpc
import pytest
from comptoir.generator.v1 import generator_pb2

from services.generator.domain.terminal_event import Outcome
from services.generator.server import joined as server
from services.kernel.errors import Reason
from tests.contracts.engine_requests import until
from tests.fakes.joined import heard
from tests.services.generator.running import RunningGenerator


class Joined:
    """A caller of GenerateMany: what it heard of each call."""

    def __init__(self, running: RunningGenerator) -> None:
        self._stream: Any = running.stub.GenerateMany()
        self.messages = 0
        self.largest_bytes = 0
        self.details: dict[tuple[int, int], str] = defaultdict(str)
        self.started: dict[int, generator_pb2.Started] = {}
        self.texts: dict[int, str] = defaultdict(str)
        self.tokens: dict[int, int] = defaultdict(int)
        self.finished: dict[int, generator_pb2.Finished] = {}
        self.failed: dict[int, Reason] = {}

    async def begin(
        self, *calls: tuple[int, generator_pb2.GenerateRequest], waits_milliseconds: int = 0
    ) -> None:
        await self._stream.write(
            generator_pb2.GenerateManyRequest(
                calls=[
                    generator_pb2.GenerateCall(
                        call_number=number,
                        request=request.SerializeToString(),
                        timeout_milliseconds=waits_milliseconds,
                    )
                    for number, request in calls
                ]
            )
        )

    async def cancel(self, number: int) -> None:
        await self._stream.write(generator_pb2.GenerateManyRequest(cancelled=[number]))

    async def hear(self) -> bool:
        """Reads one message; False at the end of the stream."""
        message = await asyncio.wait_for(self._stream.read(), 10)
        if message is grpc.aio.EOF:
            return False
        self.messages += 1
        self.largest_bytes = max(self.largest_bytes, message.ByteSize())
        for call in message.started:
            self.started[call.call_number] = call.started
        for detail in message.details:
            assert detail.call_number not in self.finished
            self.details[detail.call_number, detail.delta.index] += detail.delta.text
        deltas = message.deltas
        for number, text, tokens in zip(deltas.call_numbers, deltas.texts, deltas.output_tokens, strict=True):
            assert number in self.started
            assert number not in self.finished
            self.texts[number] += text
            self.tokens[number] += tokens
        for ended in message.ended:
            self._end(ended)
        return True

    def _end(self, ended: generator_pb2.EndedCall) -> None:
        assert ended.call_number not in self.finished | self.failed
        if ended.HasField("finished"):
            self.finished[ended.call_number] = ended.finished
        else:
            self.failed[ended.call_number] = heard(ended.failed).reason

    async def until_ended(self, count: int) -> None:
        while len(self.finished) + len(self.failed) < count:
            assert await self.hear()

    def close(self) -> None:
        self._stream.cancel()


def seeded(running: RunningGenerator) -> generator_pb2.GenerateRequest:
    request = running.request()
    request.sampling.seed = 5
    return request


async def test_many_answers_come_whole_on_one_stream(running: RunningGenerator) -> None:
    alone = await running.generate(seeded(running))
    joined = Joined(running)
    await joined.begin(*((number, seeded(running)) for number in range(1, 9)))
    await joined.until_ended(8)
    text = "".join(response.delta.text for response in alone.responses if response.HasField("delta"))
    assert set(joined.texts.values()) == {text}
    for number, finished in joined.finished.items():
        assert finished.output_tokens == alone.finished.output_tokens
        assert 0 < joined.tokens[number] <= finished.output_tokens
        assert joined.started[number].input_tokens == finished.input_tokens
    assert len(await running.events(9)) == 9
    joined.close()


async def test_a_stream_has_a_call_for_every_request_that_the_replica_serves(
    running: RunningGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_CALLS", 1)
    joined = Joined(running)
    served = running.generations.max_requests
    await joined.begin(*((number, running.request()) for number in range(served + 2)))
    await joined.until_ended(served + 2)
    assert len(joined.finished) == served
    # One more is let in and refused by the replica, the next by the stream.
    assert list(joined.failed.values()) == [Reason.REPLICA_OVERLOADED] * 2
    joined.close()


async def test_texts_of_one_moment_share_a_message(running: RunningGenerator) -> None:
    joined = Joined(running)
    await joined.begin(*((number, running.request()) for number in range(1, 17)))
    await joined.until_ended(16)
    assert joined.messages < sum(joined.tokens.values()) / 2
    joined.close()


async def test_what_is_too_much_for_one_message_comes_in_several_before_each_end(
    running: RunningGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = seeded(running)
    several.sampling.logprobs = 3
    plain, detailed = await running.generate(seeded(running)), await running.generate(several)
    texts = ["".join(each.delta.text for each in call.responses) for call in (plain, detailed)]
    monkeypatch.setattr(server, "_MESSAGE_BYTES", 256)
    joined, requests = Joined(running), []
    for number in range(1, 13):
        request = seeded(running)
        if number % 2:
            request.sampling.logprobs = 3
        requests.append((number, request))
    await joined.begin(*requests)
    await joined.until_ended(12)
    assert len(joined.finished) == 12
    assert [joined.texts[number] for number in range(2, 13, 2)] == texts[:1] * 6
    assert [joined.details[number, 0] for number in range(1, 13, 2)] == texts[1:] * 6
    # One delta may be over the bound, and the ends are told beside the last.
    assert joined.largest_bytes < 256 + 256 + 12 * 64
    joined.close()


async def test_a_bad_ticket_refuses_its_call_and_no_other(running: RunningGenerator) -> None:
    forged = running.request(ticket=running.signed(running.claims()))
    forged.ticket.signature = bytes(64)
    used = running.request()
    joined = Joined(running)
    await joined.begin((1, forged), (2, used), (3, used), (4, running.request()))
    await joined.until_ended(4)
    assert joined.failed == {1: Reason.TICKET_INVALID, 3: Reason.TICKET_ALREADY_USED}
    assert set(joined.finished) == {2, 4}
    assert len(await running.events(2)) == 2
    joined.close()


async def test_what_is_no_request_refuses_its_call_and_no_other(running: RunningGenerator) -> None:
    joined = Joined(running)
    await joined._stream.write(
        generator_pb2.GenerateManyRequest(
            calls=[
                generator_pb2.GenerateCall(call_number=1, request=b"\xff"),
                generator_pb2.GenerateCall(call_number=2, request=running.request().SerializeToString()),
            ]
        )
    )
    await joined.until_ended(2)
    assert joined.failed == {1: Reason.REQUEST_INVALID}
    assert set(joined.finished) == {2}
    joined.close()


async def test_a_cancelled_call_frees_the_engine_and_is_counted(running: RunningGenerator) -> None:
    running.slow(answer_tokens=5000, itl_seconds=0.005)
    joined = Joined(running)
    await joined.begin((1, running.request()))
    while not joined.texts:
        await joined.hear()
    await joined.cancel(1)
    await running.until_idle()
    (event,) = await running.events()
    assert event.ending.outcome is Outcome.CLIENT_CANCELLED
    assert event.counts.output_tokens > 0
    assert len(running.link.settled_leases) == 1
    joined.close()


async def test_a_stream_that_breaks_ends_all_of_its_calls_and_counts_each(running: RunningGenerator) -> None:
    running.slow(answer_tokens=5000, itl_seconds=0.005)
    joined = Joined(running)
    await joined.begin((1, running.request()), (2, running.request()))
    while len(joined.texts) < 2:
        await joined.hear()
    joined.close()
    await running.until_idle()
    events = await running.events(2)
    assert [event.ending.outcome for event in events] == [Outcome.CLIENT_CANCELLED] * 2


async def test_a_call_that_takes_longer_than_its_caller_waits_ends_as_late(running: RunningGenerator) -> None:
    running.slow(ttft_seconds=60.0)
    joined = Joined(running)
    await joined.begin((1, running.request()), waits_milliseconds=100)
    await joined.until_ended(1)
    assert joined.failed[1] is Reason.DEADLINE_EXCEEDED
    (event,) = await running.events()
    assert event.ending.outcome is Outcome.DEADLINE
    joined.close()


async def test_each_count_is_durable_before_its_caller_hears_that_it_is_over(
    running: RunningGenerator,
) -> None:
    running.sink.gate.clear()
    joined = Joined(running)
    await joined.begin((1, running.request()))
    await until(lambda: running.recorder.unrecorded == 1, 5)
    await running.until_idle()
    while not joined.texts:
        await joined.hear()
    assert not joined.finished
    running.sink.gate.set()
    await joined.until_ended(1)
    joined.close()


async def test_a_drain_lets_answers_end_and_then_ends_the_stream(running: RunningGenerator) -> None:
    joined = Joined(running)
    await joined.begin((1, running.request()))
    while not joined.started:
        await joined.hear()
    running.stop_event.set()
    while await joined.hear():
        pass
    assert set(joined.finished) == {1}
    assert await running.ended() is None
