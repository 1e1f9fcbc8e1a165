import asyncio

import pytest

from services.edge.domain.answering import TicketedAnswer
from services.edge.domain.generation import ChatRequest, Message, Role, Sampling
from services.edge.domain.ports import Admission, Offer
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState
from tests.services.edge.memory import MemoryGenerators
from tests.services.edge.scripts import LEASE, GeneratorScript, Step

CHAT = ChatRequest("m", (Message(Role.USER, "x"),), Sampling())
_PASSING = [reason for reason in Reason if reason.row.may_try_next_ticket]
_FINAL = [reason for reason in Reason if not reason.row.may_try_next_ticket]


def answer_of(*scripts: GeneratorScript) -> TicketedAnswer:
    addresses = [f"replica-{number}" for number in range(1, len(scripts) + 1)]
    offers = tuple(
        Offer(address, b"%d" % number, b"", 1) for number, address in enumerate(addresses, start=1)
    )
    admission = Admission(offers, LEASE, QuotaState(), 1, 1, 1)
    generators = MemoryGenerators(dict(zip(addresses, scripts, strict=True)))
    return TicketedAnswer(generators, admission, CHAT, request_id=Identity(1, 1), deadline_seconds=1e9)


def failing(reason: Reason, *steps: Step) -> GeneratorScript:
    return GeneratorScript(steps=[*steps, ComptoirError(reason)])


async def text_of(answer: TicketedAnswer) -> list[str]:
    await answer.start()
    texts = []
    while (text := await answer.next_text()) is not None:
        texts.append(text)
    return texts


@pytest.mark.parametrize("reason", _PASSING)
async def test_a_replica_that_fails_before_its_first_text_is_left(reason: Reason) -> None:
    answer = answer_of(
        failing(reason), GeneratorScript(before_started=[ComptoirError(reason)]), GeneratorScript()
    )
    assert await text_of(answer) == ["Bon", "jour", " !"]
    assert answer.attempts == 3
    assert not answer.is_lease_unused
    assert answer.finished is not None


@pytest.mark.parametrize("first", ["", "Bon"])
async def test_a_replica_is_never_left_after_a_delta_even_an_empty_one(first: str) -> None:
    answer = answer_of(failing(Reason.UNAVAILABLE, first), GeneratorScript())
    with pytest.raises(ComptoirError) as raised:
        await text_of(answer)
    assert raised.value.reason is Reason.UNAVAILABLE
    assert answer.attempts == 1
    assert not answer.is_lease_unused


@pytest.mark.parametrize("reason", _FINAL)
async def test_a_failure_that_is_not_the_replicas_alone_ends_the_request(reason: Reason) -> None:
    answer = answer_of(GeneratorScript(before_started=[ComptoirError(reason)]), GeneratorScript())
    with pytest.raises(ComptoirError) as raised:
        await text_of(answer)
    assert raised.value.reason is reason
    assert answer.attempts == 1


@pytest.mark.parametrize("reason", _FINAL)
async def test_the_lease_is_unused_when_a_replica_accepts_and_fails_before_its_first_text(
    reason: Reason,
) -> None:
    answer = answer_of(failing(reason), GeneratorScript())
    with pytest.raises(ComptoirError) as raised:
        await text_of(answer)
    assert raised.value.reason is reason
    assert answer.attempts == 1
    assert answer.is_lease_unused


async def test_the_lease_is_used_when_the_engine_fails_after_a_text() -> None:
    answer = answer_of(failing(Reason.ENGINE_FAILED, "Bon"), GeneratorScript())
    with pytest.raises(ComptoirError):
        await text_of(answer)
    assert not answer.is_lease_unused


async def test_the_lease_is_unused_when_the_caller_goes_before_a_replica_accepts() -> None:
    script = GeneratorScript(before_started=[asyncio.Event()])
    answer = answer_of(script)
    started = asyncio.create_task(answer.start())
    await asyncio.wait_for(script.has_been_asked.wait(), 2)
    started.cancel()
    with pytest.raises(asyncio.CancelledError):
        await started
    assert script.cancelled.is_set()
    assert answer.is_lease_unused


async def test_the_lease_is_unused_when_every_ticket_failed() -> None:
    answer = answer_of(failing(Reason.UNAVAILABLE), failing(Reason.REPLICA_OVERLOADED))
    with pytest.raises(ComptoirError) as raised:
        await text_of(answer)
    assert raised.value.reason is Reason.REPLICA_OVERLOADED
    assert answer.is_lease_unused


async def test_without_offers_there_is_no_replica() -> None:
    answer = answer_of()
    with pytest.raises(ComptoirError) as raised:
        await answer.start()
    assert raised.value.reason is Reason.NO_REPLICA
    assert answer.is_lease_unused


async def test_cancelling_reaches_the_replica() -> None:
    script = GeneratorScript(steps=["a", asyncio.Event()])
    answer = answer_of(script)
    answer.cancel()
    await answer.start()
    await answer.next_text()
    answer.cancel()
    assert script.cancelled.is_set()
