"""A long request is held against its schema in steps, and as it would be at once."""

from collections.abc import Callable

import pytest
from comptoir.generator.v1 import generator_pb2
from comptoir.ticket.v1 import ticket_pb2

from services.generator.wire.orders import pieces_of
from services.kernel.errors import ComptoirError, Reason
from services.kernel.steps import Steps, finished
from services.runtime.grpc.long_requests import PIECES_PER_STEP, request_steps

Change = Callable[[generator_pb2.GenerateRequest], object]
TICKET = ticket_pb2.SignedTicket(claims=b"c", signature=bytes(64), signing_key_number=1)


def asked(messages: int, parts: int = 2) -> generator_pb2.GenerateRequest:
    one = generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, parts=["Bonjour"] * parts)
    return generator_pb2.GenerateRequest(ticket=TICKET, messages=[one] * messages)


def read(request: generator_pb2.GenerateRequest) -> Steps[generator_pb2.GenerateRequest]:
    content = request.SerializeToString()
    return request_steps(generator_pb2.GenerateRequest.FromString, content, long="messages", pieces=pieces_of)


def test_a_request_is_read_as_it_was_sent() -> None:
    for messages in (1, 200, 1024):
        assert finished(read(asked(messages))) == asked(messages)


def test_a_long_list_is_checked_in_steps() -> None:
    assert len(list(read(asked(1024)))) >= 1024 * 3 // PIECES_PER_STEP
    assert len(list(read(asked(20)))) == 1, "a short one at once"


def _speak_for_nobody(request: generator_pb2.GenerateRequest) -> None:
    request.messages[-1].role = generator_pb2.ROLE_UNSPECIFIED


@pytest.mark.parametrize("messages", [3, 1024])
@pytest.mark.parametrize(
    ("change", "field"),
    [
        (_speak_for_nobody, "messages.role"),
        (lambda request: request.ClearField("ticket"), "ticket"),
        (lambda request: request.sampling.__setattr__("temperature", 9), "sampling.temperature"),
        (lambda request: request.messages.extend(list(request.messages) * 1024), "messages"),
    ],
    ids=["message", "ticket", "sampling", "count"],
)
def test_what_breaks_a_rule_is_refused_wherever_it_stands(change: Change, field: str, messages: int) -> None:
    request = asked(messages, parts=0 if messages == 3 else 2)
    change(request)
    with pytest.raises(ComptoirError) as refusal:
        finished(read(request))
    assert (refusal.value.reason, refusal.value.field) == (Reason.REQUEST_INVALID, field)


def test_a_list_of_too_many_is_refused_before_anyone_goes_through_it() -> None:
    looked_at = []

    def looked(message: generator_pb2.ChatMessage) -> int:
        looked_at.append(message)
        return 1

    content = asked(1025).SerializeToString()
    with pytest.raises(ComptoirError) as refusal:
        finished(
            request_steps(generator_pb2.GenerateRequest.FromString, content, long="messages", pieces=looked)
        )
    assert (refusal.value.field, looked_at) == ("messages", [])


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(ComptoirError) as refusal:
        finished(
            request_steps(
                generator_pb2.GenerateRequest.FromString, b"\xff", long="messages", pieces=pieces_of
            )
        )
    assert refusal.value.reason is Reason.REQUEST_INVALID
