"""A generation needs a ticket that is good, for this replica, and used once."""

import grpc
import pytest
from comptoir.generator.v1 import generator_pb2
from comptoir.ticket.v1 import ticket_pb2

from services.generator.domain.terminal_event import Outcome
from services.kernel.errors import Reason
from services.runtime.grpc.status import error_from
from tests.services.generator.running import REPLICA, RunningGenerator, reason_of


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"replica": REPLICA.number + 1}, Reason.TICKET_WRONG_REPLICA),
        ({"region": REPLICA.region + 1}, Reason.TICKET_WRONG_REPLICA),
        ({"model": REPLICA.model + 1}, Reason.TICKET_WRONG_REPLICA),
        ({"tenant": 0}, Reason.TICKET_INVALID),
        ({"issued_at_microseconds": 1_700_000_000_000_000}, Reason.TICKET_INVALID),
        ({"expires_at_microseconds": 1_700_000_000_000_000}, Reason.TICKET_INVALID),
    ],
)
async def test_a_ticket_for_something_else_is_refused_and_leaves_no_event(
    running: RunningGenerator, changes: dict[str, int], reason: Reason
) -> None:
    call = await running.generate(running.request(ticket=running.signed(running.claims(**changes))))
    assert reason_of(call) is reason
    assert running.sink.events == []
    assert not running.link.accepted_tickets
    assert not running.link.settled_leases


@pytest.mark.parametrize("age_seconds", [10, 61])
async def test_a_ticket_from_before_this_process_is_refused(
    running: RunningGenerator, age_seconds: int
) -> None:
    issued = running.clock.wall_microseconds() - age_seconds * 1_000_000
    claims = running.claims(issued_at_microseconds=issued, expires_at_microseconds=issued + 60_000_000)
    call = await running.generate(running.request(ticket=running.signed(claims)))
    assert reason_of(call) is Reason.TICKET_EXPIRED


async def test_a_ticket_is_good_once(running: RunningGenerator) -> None:
    ticket = running.signed(running.claims())
    assert (await running.generate(running.request(ticket=ticket))).error is None
    assert reason_of(await running.generate(running.request(ticket=ticket))) is Reason.TICKET_ALREADY_USED
    assert len(await running.events()) == 1


async def test_a_tampered_ticket_is_refused(running: RunningGenerator) -> None:
    ticket = running.signed(running.claims())
    ticket.claims = running.claims(max_output_tokens=100_000).SerializeToString()
    assert reason_of(await running.generate(running.request(ticket=ticket))) is Reason.TICKET_INVALID
    stranger = ticket_pb2.SignedTicket(claims=b"\xff\xff", signature=b"x" * 64, signing_key_number=9)
    assert reason_of(await running.generate(running.request(ticket=stranger))) is Reason.TICKET_INVALID


@pytest.mark.parametrize("is_expired", [True, False])
async def test_a_request_without_a_good_ticket_is_not_even_read(
    running: RunningGenerator, is_expired: bool
) -> None:
    """Its messages break the schema, and reading them would say so; 1 MiB of them would take 160 ms."""
    old = running.claims(issued_at_microseconds=1_000_000, expires_at_microseconds=2_000_000)
    ticket = running.signed(old) if is_expired else running.request().ticket
    ticket.signing_key_number = 1 if is_expired else 9
    content = generator_pb2.GenerateRequest(ticket=ticket).SerializeToString() + b"\x12\x00" * 500_000
    method = "/comptoir.generator.v1.GeneratorService/Generate"
    generate: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = running.channel.unary_stream(method)
    call = generate(content, timeout=10)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call.read()
    expected = Reason.TICKET_EXPIRED if is_expired else Reason.TICKET_INVALID
    assert error_from(failure.value).reason is expected


async def test_a_request_that_breaks_the_schema_leaves_its_ticket_unused(running: RunningGenerator) -> None:
    ticket = running.signed(running.claims())
    broken = await running.generate(generator_pb2.GenerateRequest(ticket=ticket))
    assert reason_of(broken) is Reason.REQUEST_INVALID
    assert (await running.generate(running.request(ticket=ticket))).error is None


async def test_more_output_than_the_ticket_permits_is_cut_to_that(running: RunningGenerator) -> None:
    claims = running.claims(max_output_tokens=5)
    request = running.request(ticket=running.signed(claims), max_output_tokens=2**32 - 1)
    call = await running.generate(request)
    assert call.error is None
    (event,) = await running.events()
    assert (event.ending.outcome, event.counts.output_tokens) == (Outcome.LENGTH, 5)
