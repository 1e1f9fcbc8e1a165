import asyncio
import itertools

import pytest

from services.edge.domain.generation import GenerationRequest, Message, Role
from services.edge.domain.hedging import Hedging
from services.edge.domain.ports import Admission, Offer
from services.edge.domain.ticketed_generation import TicketedGeneration
from services.kernel.errors import ComptoirError, Reason
from services.kernel.quota import QuotaState
from tests.services.edge.memory import MemoryGenerators, offer_of
from tests.services.edge.scripts import LEASE, GeneratorScript, RouterScript, Step

_PASSING = [reason for reason in Reason if reason.row.may_try_next_ticket]
_FINAL = [reason for reason in Reason if not reason.row.may_try_next_ticket]
REQUEST = GenerationRequest("m", (Message(Role.USER, "x"),))


def generation_of(*scripts: GeneratorScript) -> TicketedGeneration:
    addresses = [f"replica-{number}" for number in range(1, len(scripts) + 1)]
    offers = itertools.starmap(offer_of, enumerate(addresses, start=1))

    async def next_offer() -> Offer:
        offer = next(offers, None)
        if offer is None:
            raise ComptoirError(Reason.LEASE_ENDED)
        return offer

    recorded = RouterScript([]).recorded
    admission = Admission(
        next(offers),
        LEASE,
        QuotaState(),
        1,
        1,
        1,
        recorded=recorded,
        next_offer=next_offer,
        release=recorded,
    )
    generators = MemoryGenerators(dict(zip(addresses, scripts, strict=True)))
    return TicketedGeneration(generators, admission, REQUEST, deadline_seconds=1e9, hedging=Hedging())


def failing(reason: Reason, *steps: Step) -> GeneratorScript:
    return GeneratorScript(steps=[*steps, ComptoirError(reason)])


async def text_of(generation: TicketedGeneration) -> list[str]:
    await generation.start()
    texts = []
    while (delta := await generation.next_delta()) is not None:
        texts += [delta.text] if delta.finish is None else []
    return texts


@pytest.mark.parametrize("reason", _PASSING)
async def test_a_replica_that_fails_before_its_first_text_is_left(reason: Reason) -> None:
    generation = generation_of(
        failing(reason), GeneratorScript(before_started=[ComptoirError(reason)]), GeneratorScript()
    )
    assert await text_of(generation) == ["Bon", "jour", " !"]
    assert generation.attempts == 3
    assert not generation.is_lease_unused
    assert generation.counts is not None


@pytest.mark.parametrize("first", ["", "Bon"])
async def test_a_replica_is_never_left_after_a_delta_even_an_empty_one(first: str) -> None:
    generation = generation_of(failing(Reason.UNAVAILABLE, first), GeneratorScript())
    with pytest.raises(ComptoirError) as raised:
        await text_of(generation)
    assert raised.value.reason is Reason.UNAVAILABLE
    assert generation.attempts == 1
    assert not generation.is_lease_unused


@pytest.mark.parametrize("reason", _FINAL)
async def test_a_failure_that_is_not_the_replicas_alone_ends_the_request(reason: Reason) -> None:
    generation = generation_of(GeneratorScript(before_started=[ComptoirError(reason)]), GeneratorScript())
    with pytest.raises(ComptoirError) as raised:
        await text_of(generation)
    assert raised.value.reason is reason
    assert generation.attempts == 1


@pytest.mark.parametrize("reason", _FINAL)
async def test_the_lease_is_unused_when_a_replica_accepts_and_fails_before_its_first_text(
    reason: Reason,
) -> None:
    generation = generation_of(failing(reason), GeneratorScript())
    with pytest.raises(ComptoirError) as raised:
        await text_of(generation)
    assert raised.value.reason is reason
    assert generation.attempts == 1
    assert generation.is_lease_unused


async def test_the_lease_is_used_when_the_engine_fails_after_a_text() -> None:
    generation = generation_of(failing(Reason.ENGINE_FAILED, "Bon"), GeneratorScript())
    with pytest.raises(ComptoirError):
        await text_of(generation)
    assert not generation.is_lease_unused


async def test_the_lease_is_unused_when_the_caller_goes_before_a_replica_accepts() -> None:
    script = GeneratorScript(before_started=[asyncio.Event()])
    generation = generation_of(script)
    started = asyncio.create_task(generation.start())
    await asyncio.wait_for(script.has_been_asked.wait(), 2)
    started.cancel()
    with pytest.raises(asyncio.CancelledError):
        await started
    assert script.cancelled.is_set()
    assert generation.is_lease_unused


async def test_the_lease_is_unused_when_every_ticket_failed() -> None:
    generation = generation_of(failing(Reason.UNAVAILABLE), failing(Reason.REPLICA_OVERLOADED))
    with pytest.raises(ComptoirError) as raised:
        await text_of(generation)
    assert raised.value.reason is Reason.REPLICA_OVERLOADED
    assert generation.is_lease_unused


async def test_a_router_lost_before_it_gives_another_ticket_leaves_its_request_to_another_admission() -> None:
    generation = generation_of(failing(Reason.REPLICA_OVERLOADED))

    async def lost() -> Offer:
        raise ComptoirError(Reason.UNAVAILABLE)

    generation._next_offer = lost
    with pytest.raises(ComptoirError) as raised:
        await text_of(generation)
    assert raised.value.reason is Reason.UNAVAILABLE
    assert generation.is_lease_unused


async def test_the_lease_is_unused_when_the_caller_goes_while_another_ticket_is_asked_for() -> None:
    generation = generation_of(failing(Reason.UNAVAILABLE))
    is_asked = asyncio.Event()

    async def never() -> Offer:
        is_asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    generation._next_offer = never
    reading = asyncio.create_task(text_of(generation))
    await asyncio.wait_for(is_asked.wait(), 2)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert generation.is_lease_unused


async def test_cancelling_reaches_the_replica() -> None:
    script = GeneratorScript(steps=["a", asyncio.Event()])
    generation = generation_of(script)
    generation.cancel()
    await generation.start()
    await generation.next_delta()
    generation.cancel()
    assert script.cancelled.is_set()
