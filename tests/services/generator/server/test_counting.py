"""CountTokens over gRPC: with a ticket that permits it, without an event, a lease or a trace."""

import logging

import grpc
import pytest
from comptoir.generator.v1 import generator_pb2
from comptoir.ticket.v1 import ticket_pb2

from services.kernel.errors import Reason
from services.runtime.grpc.status import error_from
from tests.services.generator.running import CANARY, RunningGenerator

TURN = generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text=f"Bonjour {CANARY}")


def count_ticket(running: RunningGenerator, **changes: int) -> ticket_pb2.SignedTicket:
    permits = {"lease_id_high": 0, "lease_id_low": 0, "max_output_tokens": 0}
    return running.signed(running.claims(**{**permits, **changes}))


async def refusal_of(running: RunningGenerator, request: generator_pb2.CountTokensRequest) -> Reason:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await running.stub.CountTokens(request, timeout=5)
    return error_from(failure.value).reason


async def test_a_chat_is_counted_as_its_answer_counts_it(
    running: RunningGenerator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    request = generator_pb2.CountTokensRequest(ticket=count_ticket(running), messages=[TURN])
    counted = await running.stub.CountTokens(request, timeout=5)
    assert not running.sink.events
    assert not running.link.accepted_tickets
    assert not running.link.settled_leases
    assert not counted.token_ids
    answer = await running.generate()
    assert counted.input_tokens == answer.finished.input_tokens
    assert counted.context_tokens == 400
    assert CANARY not in caplog.text


async def test_a_texts_ids_are_told_to_those_who_ask(running: RunningGenerator) -> None:
    request = generator_pb2.CountTokensRequest(
        ticket=count_ticket(running), text="Bonjour", returns_token_ids=True
    )
    counted = await running.stub.CountTokens(request, timeout=5)
    assert len(counted.token_ids) == counted.input_tokens > 0


async def test_a_ticket_for_an_answer_is_no_ticket_for_a_count_nor_the_other_way(
    running: RunningGenerator,
) -> None:
    request = generator_pb2.CountTokensRequest(ticket=running.signed(running.claims()), messages=[TURN])
    assert await refusal_of(running, request) is Reason.TICKET_INVALID
    call = await running.generate(running.request(ticket=count_ticket(running)))
    assert call.error is not None
    assert error_from(call.error).reason is Reason.TICKET_INVALID
    assert not running.sink.events


async def test_without_a_ticket_that_is_good_nothing_is_counted(running: RunningGenerator) -> None:
    unsigned = count_ticket(running)
    unsigned.signature = bytes(64)
    request = generator_pb2.CountTokensRequest(ticket=unsigned, messages=[TURN])
    assert await refusal_of(running, request) is Reason.TICKET_INVALID
    assert (
        await refusal_of(running, generator_pb2.CountTokensRequest(messages=[TURN])) is Reason.REQUEST_INVALID
    )
    ticket = count_ticket(running)
    for expected in (None, Reason.TICKET_ALREADY_USED):
        request = generator_pb2.CountTokensRequest(ticket=ticket, messages=[TURN])
        if expected is None:
            await running.stub.CountTokens(request, timeout=5)
        else:
            assert await refusal_of(running, request) is expected


async def test_a_count_is_of_a_chat_or_of_a_text(running: RunningGenerator) -> None:
    for wrong in ({}, {"messages": [TURN], "text": "a"}):
        request = generator_pb2.CountTokensRequest(ticket=count_ticket(running), **wrong)  # type: ignore[arg-type]
        assert await refusal_of(running, request) is Reason.REQUEST_INVALID
