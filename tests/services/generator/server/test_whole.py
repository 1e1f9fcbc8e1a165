"""GenerateWhole over gRPC: what Generate streams, in one message, with the same guarantees."""

import asyncio
from typing import Any

import grpc
import pytest
from comptoir.generator.v1 import generator_pb2

from services.generator.domain import whole_answer
from services.generator.domain.terminal_event import Outcome
from services.kernel.errors import Reason
from services.runtime.grpc.status import error_from
from tests.contracts.engine_requests import until
from tests.services.generator.running import RunningGenerator


def greedy(running: RunningGenerator, *, n: int = 1, **claims: int) -> generator_pb2.GenerateRequest:
    request = running.request(ticket=running.signed(running.claims(choices=n, **claims)))
    request.sampling.temperature = 0
    request.sampling.n = n
    request.sampling.logprobs = 1
    request.returns_token_ids = True
    return request


async def refusal_of(call: Any) -> Reason:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return error_from(failure.value).reason


@pytest.mark.parametrize("n", [1, 3])
async def test_a_whole_answer_is_what_its_stream_says(running: RunningGenerator, n: int) -> None:
    stream = await running.generate(greedy(running, n=n))
    whole = await running.stub.GenerateWhole(greedy(running, n=n), timeout=10)
    deltas = [response.delta for response in stream.responses if response.HasField("delta")]
    assert len(whole.choices) == n
    for index, choice in enumerate(whole.choices):
        own = [delta for delta in deltas if delta.index == index]
        assert choice.text == "".join(delta.text for delta in own) != ""
        assert list(choice.tokens) == [token for delta in own for token in delta.tokens]
        assert list(choice.token_ids) == [token_id for delta in own for token_id in delta.token_ids]
        assert choice.finish_reason == generator_pb2.FINISH_REASON_STOP
    told, streamed = whole.finished, stream.finished
    assert (told.input_tokens, told.output_tokens) == (streamed.input_tokens, streamed.output_tokens)
    assert sum(len(choice.token_ids) for choice in whole.choices) == told.output_tokens
    assert whole.started.input_tokens == told.input_tokens
    assert [event.ending.outcome for event in await running.events(2)] == [Outcome.STOP] * 2
    assert len(running.link.settled_leases) == 2


async def test_a_joined_caller_gets_ids_too(running: RunningGenerator) -> None:
    stream: Any = running.stub.GenerateMany()
    call = generator_pb2.GenerateCall(call_number=1, request=greedy(running).SerializeToString())
    await stream.write(generator_pb2.GenerateManyRequest(calls=[call]))
    ids: list[int] = []
    async with asyncio.timeout(5):
        while not (message := await stream.read()).ended:
            ids += [token_id for detail in message.details for token_id in detail.delta.token_ids]
    ids += [token_id for detail in message.details for token_id in detail.delta.token_ids]
    assert len(ids) == message.ended[0].finished.output_tokens
    stream.cancel()


async def test_the_answer_comes_once_its_count_is_durable(running: RunningGenerator) -> None:
    running.sink.gate.clear()
    call = running.stub.GenerateWhole(running.request(), timeout=10)
    await until(lambda: running.recorder.unrecorded == 1, 5)
    assert not call.done()
    running.sink.gate.set()
    assert ("comptoir-accepted", "1") in tuple(await call.initial_metadata())
    assert (await call).finished.output_tokens == 40
    assert len(running.sink.events) == 1


async def test_usage_that_is_not_recorded_in_time_fails_the_call_and_is_recorded_later(
    running: RunningGenerator,
) -> None:
    running.sink.failures = 2
    assert await refusal_of(running.stub.GenerateWhole(running.request())) is Reason.USAGE_NOT_RECORDED
    (event,) = await running.events()
    assert event.ending.outcome is Outcome.STOP


@pytest.mark.parametrize("phase", [{"ttft_seconds": 60.0}, {"answer_tokens": 5000, "itl_seconds": 0.005}])
async def test_a_caller_that_goes_away_frees_the_engine_and_is_counted(
    running: RunningGenerator, phase: dict[str, float]
) -> None:
    running.slow(**phase)
    call = running.stub.GenerateWhole(running.request(), timeout=10)
    await until(lambda: running.engine.unfinished_requests() == 1, 5)
    call.cancel()
    await running.until_idle()
    (event,) = await running.events()
    assert event.ending.outcome is Outcome.CLIENT_CANCELLED
    assert event.counts.input_tokens > 0
    assert len(running.link.settled_leases) == 1


async def test_a_deadline_is_told_from_a_cancel(running: RunningGenerator) -> None:
    running.slow(answer_tokens=5000, itl_seconds=0.005)
    reason = await refusal_of(running.stub.GenerateWhole(running.request(), timeout=1))
    assert reason is Reason.DEADLINE_EXCEEDED
    (event,) = await running.events()
    assert event.ending.outcome is Outcome.DEADLINE
    await running.until_idle()


async def test_an_engine_lost_in_the_middle_leaves_the_lease_to_the_next_ticket(
    running: RunningGenerator,
) -> None:
    running.slow(answer_tokens=5000, itl_seconds=0.002)
    call = running.stub.GenerateWhole(running.request(), timeout=10)
    await until(lambda: running.engine.load().output_tokens_total > 5, 5)
    running.engine.die()
    assert await refusal_of(call) is Reason.ENGINE_FAILED
    (event,) = await running.events()
    assert event.counts.output_tokens > 0
    assert running.link.settled_leases == []
    assert len(running.link.unserved_leases) == 1


async def test_an_answer_too_large_for_a_message_fails_and_is_counted(
    running: RunningGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_answer, "MAX_BYTES", 500)
    assert await refusal_of(running.stub.GenerateWhole(greedy(running))) is Reason.ANSWER_TOO_LARGE
    (event,) = await running.events()
    assert event.ending.outcome is Outcome.REFUSED
    assert event.counts.output_tokens > 0
    assert len(running.link.settled_leases) == 1
    await running.until_idle()


async def test_a_refusal_is_that_of_a_stream(running: RunningGenerator) -> None:
    request = running.request()
    assert (await running.stub.GenerateWhole(request, timeout=10)).choices
    assert await refusal_of(running.stub.GenerateWhole(request)) is Reason.TICKET_ALREADY_USED
    request = running.request(ticket=running.signed(running.claims(max_input_tokens=1)))
    assert await refusal_of(running.stub.GenerateWhole(request)) is Reason.TICKET_LIMIT_EXCEEDED
    running.generations.close_gate()
    assert await refusal_of(running.stub.GenerateWhole(running.request())) is Reason.REPLICA_DRAINING


async def test_only_an_accepted_ticket_is_told_as_accepted(running: RunningGenerator) -> None:
    mark = ("comptoir-accepted", "1")
    request = running.request()
    call = running.stub.GenerateWhole(request, timeout=10)
    assert mark in tuple(await call.initial_metadata())
    await call
    again = running.stub.GenerateWhole(request, timeout=10)
    assert mark not in tuple(await again.initial_metadata() or ())
    running.generations.close_gate()
    drained = running.stub.GenerateWhole(running.request(), timeout=10)
    assert await refusal_of(drained) is Reason.REPLICA_DRAINING
    assert mark not in tuple(await drained.initial_metadata() or ())


async def test_an_answer_that_fails_at_once_was_accepted_all_the_same(running: RunningGenerator) -> None:
    call = running.stub.GenerateWhole(
        running.request(ticket=running.signed(running.claims(max_input_tokens=1))), timeout=10
    )
    assert ("comptoir-accepted", "1") in tuple(await call.initial_metadata())
    assert await refusal_of(call) is Reason.TICKET_LIMIT_EXCEEDED


async def test_a_replica_says_what_it_serves_to_who_has_no_ticket(running: RunningGenerator) -> None:
    said = await running.stub.GetModelInfo(generator_pb2.GetModelInfoRequest(), timeout=5)
    assert (said.model, said.context_tokens, said.tool_format) == ("tiny-eu", 400, "hermes")
    assert (said.engine_name, said.vocabulary_tokens) == (
        "simulated",
        running.engine.capabilities.vocabulary_tokens,
    )
    assert said.engine_version
    assert generator_pb2.MODEL_FEATURE_TOKEN_IDS in said.features
