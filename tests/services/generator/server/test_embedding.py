"""Embed over gRPC: a stream with the vectors behind the record, for a ticket that permits nothing else."""

import array
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from comptoir.generator.v1 import generator_pb2
from comptoir.ticket.v1 import ticket_pb2

from services.generator.domain.terminal_event import Outcome
from services.kernel.errors import Reason
from services.runtime.grpc.status import error_from
from tests.contracts.engine_requests import until
from tests.services.generator.running import CANARY, RunningGenerator


@pytest_asyncio.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningGenerator]:
    generator = RunningGenerator(tmp_path, embeds=True)
    await generator.start()
    yield generator
    await generator.stop()


def ticket(running: RunningGenerator, **changes: int) -> ticket_pb2.SignedTicket:
    return running.signed(running.claims(**{"max_output_tokens": 0, **changes}))


def request(running: RunningGenerator, *texts: str, **changes: int) -> generator_pb2.EmbedRequest:
    inputs = [generator_pb2.EmbedInput(text=text) for text in texts or (f"Bonjour {CANARY}",)]
    return generator_pb2.EmbedRequest(ticket=ticket(running, **changes), inputs=inputs)


async def answer(
    running: RunningGenerator, asked: generator_pb2.EmbedRequest
) -> list[generator_pb2.EmbedResponse]:
    return [response async for response in running.stub.Embed(asked, timeout=5)]


async def refusal_of(running: RunningGenerator, asked: generator_pb2.EmbedRequest) -> Reason:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await answer(running, asked)
    return error_from(failure.value).reason


async def test_inputs_get_vectors_a_count_and_one_event_and_leave_no_trace(
    running: RunningGenerator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    started, vectors, embedded = await answer(running, request(running, f"Bonjour {CANARY}", "a"))
    assert started.started.input_tokens == embedded.embedded.input_tokens == len(f"Bonjour {CANARY}") + 1
    assert vectors.vectors.dimensions == 64
    assert len(array.array("f", vectors.vectors.values)) == 2 * 64
    (event,) = running.sink.events
    assert (event.ending.outcome, event.counts.output_tokens) == (Outcome.STOP, 0)
    assert [used for _, *used in running.link.settled_leases] == [[embedded.embedded.input_tokens, 0]]
    assert len(running.link.accepted_tickets) == 1
    assert CANARY not in caplog.text


async def test_many_vectors_come_in_messages_that_callers_take(running: RunningGenerator) -> None:
    _, *parts, _ = await answer(running, request(running, *["a"] * 2048, max_input_tokens=4096))
    assert all(part.ByteSize() < 1024 * 1024 for part in parts)
    assert sum(len(part.vectors.values) for part in parts) == 2048 * 64 * 4


async def test_a_ticket_serves_for_vectors_an_answer_or_a_count_and_for_nothing_else(
    running: RunningGenerator,
) -> None:
    for other in ({"max_output_tokens": 1}, {"lease_id_high": 0, "lease_id_low": 0}):
        assert await refusal_of(running, request(running, **other)) is Reason.TICKET_INVALID
    call = await running.generate(running.request(ticket=ticket(running)))
    assert call.error is not None
    assert error_from(call.error).reason is Reason.TICKET_INVALID
    count = generator_pb2.CountTokensRequest(ticket=ticket(running), text="a")
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await running.stub.CountTokens(count, timeout=5)
    assert error_from(failure.value).reason is Reason.TICKET_INVALID
    assert not running.sink.events


async def test_a_ticket_serves_once(running: RunningGenerator) -> None:
    asked = request(running)
    await answer(running, asked)
    assert await refusal_of(running, asked) is Reason.TICKET_ALREADY_USED


async def test_an_answer_is_not_made_by_what_makes_vectors(running: RunningGenerator) -> None:
    call = await running.generate(running.request(ticket=running.signed(running.claims())))
    assert call.error is not None
    assert error_from(call.error).reason is Reason.MODEL_TASK_MISMATCH
    (event,) = running.sink.events
    assert event.ending.outcome is Outcome.REFUSED


@pytest.mark.parametrize("texts", [("",), ("a", "")])
async def test_nothing_is_no_input(running: RunningGenerator, texts: tuple[str, ...]) -> None:
    assert await refusal_of(running, request(running, *texts)) is Reason.REQUEST_INVALID


async def test_a_caller_that_goes_away_is_counted_and_frees_the_engine(running: RunningGenerator) -> None:
    call = running.stub.Embed(request(running, *["a" * 250] * 100, max_input_tokens=100_000))
    await call.read()
    call.cancel()
    await until(lambda: bool(running.sink.events), 5)
    assert running.sink.events[0].ending.outcome is Outcome.CLIENT_CANCELLED
    await until(lambda: running.embedding_engine.unfinished_requests() == 0, 5)


async def test_a_deadline_is_told_from_a_cancel(running: RunningGenerator) -> None:
    running.slow(ttft_seconds=60.0)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        async for _ in running.stub.Embed(request(running), timeout=1):
            pass
    assert failure.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: bool(running.sink.events), 5)
    (event,) = running.sink.events
    assert event.ending.outcome is Outcome.DEADLINE
    await until(lambda: running.embedding_engine.unfinished_requests() == 0, 5)


async def test_an_engine_that_dies_ends_the_call_and_leaves_the_next_ticket(
    running: RunningGenerator,
) -> None:
    call = running.stub.Embed(request(running, *["a" * 250] * 100, max_input_tokens=100_000))
    await call.read()
    running.embedding_engine.die()
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call.read()
    assert error_from(failure.value).reason is Reason.ENGINE_FAILED
    await until(lambda: bool(running.sink.events), 5)
    assert len(running.link.unserved_leases) == 1
