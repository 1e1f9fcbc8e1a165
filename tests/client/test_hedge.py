"""A replica that says nothing is left for another one, before any text and never after, by both clients."""

import asyncio
from typing import Any

import pytest
from comptoir.client import ComptoirError

from services.kernel.errors import ComptoirError as Refusal
from services.kernel.errors import Reason
from tests.client.conftest import NewCaller
from tests.client.stage import MODEL, WAIT_SECONDS, Caller, Stage, chat, soon, tickets, waiting
from tests.services.edge.scripts import LEASE, GeneratorScript

# Long beside the way of an acceptance: one that comes while another ticket is asked for keeps its replica.
HEDGE_SECONDS = 0.5


@pytest.fixture
def caller(new_caller: NewCaller) -> Caller:
    return new_caller(first_token_hedge_seconds=HEDGE_SECONDS)


def hung(place: str) -> GeneratorScript:
    return GeneratorScript(**{place: [asyncio.Event()]})  # type: ignore[arg-type] # one of two lists


@pytest.mark.parametrize("place", ["before_started", "steps"])
async def test_a_replica_that_hangs_is_left_and_stops(place: str, stage: Stage, caller: Caller) -> None:
    first = hung(place)
    await stage.start(first, GeneratorScript())
    assert await caller.texts(**chat()) == ["Bon", "jour", " !"]
    await soon(first.cancelled)
    assert tickets(stage) == [[1], [2]]
    # The other one may be slow to speak on a busy machine, which asks once more in vain.
    assert (stage.script.hedges >= 1, stage.script.released) == (True, [])


@pytest.mark.parametrize("place", ["before_started", "steps"])
async def test_so_it_is_with_a_whole_answer(place: str, stage: Stage, caller: Caller) -> None:
    await stage.start(hung(place), GeneratorScript())
    assert (await caller.answer(**chat())).text == "Bonjour !"
    assert tickets(stage) == [[1], [2]]


async def test_and_with_vectors(stage: Stage, caller: Caller) -> None:
    await stage.start(hung("before_started"), GeneratorScript(steps=[]))
    inputs: Any = {"model": MODEL, "inputs": ["a", "b"]}
    assert len((await caller.embed(**inputs)).vectors) == 2
    assert tickets(stage) == [[1], [2]]


async def test_a_second_one_that_hangs_is_left_too(stage: Stage, caller: Caller) -> None:
    await stage.start(hung("steps"), hung("before_started"), GeneratorScript())
    assert await caller.texts(**chat()) == ["Bon", "jour", " !"]
    assert tickets(stage) == [[1], [2], [3]]


async def test_a_replica_that_has_said_something_is_never_left(stage: Stage, caller: Caller) -> None:
    script = waiting(steps=["Bon", asyncio.Event()])
    await stage.start(script, GeneratorScript())
    asking = asyncio.create_task(caller.texts(**chat(timeout_seconds=1.0)))
    with pytest.raises(ComptoirError) as raised:
        await asyncio.wait_for(asking, WAIT_SECONDS)
    assert raised.value.reason_name == "DEADLINE_EXCEEDED"
    assert (tickets(stage), stage.script.hedges) == ([[1], []], 0)


async def test_a_token_that_comes_while_the_router_is_asked_is_kept(stage: Stage, caller: Caller) -> None:
    token = asyncio.Event()
    stage.script.next_gate = asyncio.Event()
    await stage.start(waiting(steps=[token, "Bonjour"]), GeneratorScript())
    asking = asyncio.create_task(caller.texts(**chat()))
    await soon(stage.script.has_asked_on)
    token.set()
    assert await asyncio.wait_for(asking, WAIT_SECONDS) == ["Bonjour"]
    stage.script.next_gate.set()
    assert tickets(stage) == [[1], []]


async def test_a_replica_that_fails_while_the_router_is_asked_is_left_with_that_ticket(
    stage: Stage, caller: Caller
) -> None:
    failure = asyncio.Event()
    stage.script.next_gate = asyncio.Event()
    await stage.start(waiting(steps=[failure, Refusal(Reason.UNAVAILABLE)]), GeneratorScript())
    asking = asyncio.create_task(caller.texts(**chat()))
    await soon(stage.script.has_asked_on)
    failure.set()
    # Whichever is heard first: the failure has a head start.
    asyncio.get_running_loop().call_later(HEDGE_SECONDS, stage.script.next_gate.set)
    assert await asyncio.wait_for(asking, WAIT_SECONDS) == ["Bon", "jour", " !"]
    assert tickets(stage) == [[1], [2]]


@pytest.mark.parametrize("reason", [Reason.REPLICA_OVERLOADED, Reason.NO_REPLICA, Reason.LEASE_ENDED])
async def test_where_there_is_no_other_it_is_as_good_as_before(
    reason: Reason, stage: Stage, caller: Caller
) -> None:
    token = asyncio.Event()
    stage.script.next_refusal = Refusal(reason)
    await stage.start(waiting(steps=[token, "Bonjour"]), GeneratorScript())
    asking = asyncio.create_task(caller.texts(**chat()))
    await soon(stage.script.has_asked_on)
    token.set()
    assert await asyncio.wait_for(asking, WAIT_SECONDS) == ["Bonjour"]
    assert tickets(stage) == [[1], []]


async def test_one_that_leaves_a_hung_replica_for_a_full_one_is_admitted_anew(
    stage: Stage, caller: Caller
) -> None:
    full = GeneratorScript(before_started=[Refusal(Reason.REPLICA_OVERLOADED)])
    await stage.start(hung("before_started"), full, GeneratorScript())
    first, second, third = stage.script.addresses
    stage.script.addresses_in_turn = [[first, second], [third]]
    assert await caller.texts(**chat()) == ["Bon", "jour", " !"]
    assert tickets(stage) == [[1], [2], [1]]
    await caller.close()
    assert stage.script.released == [LEASE]


async def test_closing_the_client_while_the_router_is_asked_ends_all(stage: Stage, caller: Caller) -> None:
    stage.script.next_gate = asyncio.Event()
    first = hung("before_started")
    await stage.start(first, GeneratorScript())
    asking = asyncio.create_task(caller.texts(**chat()))
    await soon(stage.script.has_asked_on)
    await asyncio.wait_for(caller.close(), WAIT_SECONDS)
    with pytest.raises(ComptoirError) as raised:
        await asyncio.wait_for(asking, WAIT_SECONDS)
    assert raised.value.reason_name == "CLIENT_CANCELLED"
    await soon(first.cancelled)
    assert tickets(stage) == [[1], []]


@pytest.mark.parametrize("why", ["the router is older", "it is switched off"])
async def test_nobody_is_asked_where_it_is_not_to_be(why: str, stage: Stage, new_caller: NewCaller) -> None:
    is_off = why == "it is switched off"
    caller = new_caller(first_token_hedge_seconds=0.0 if is_off else HEDGE_SECONDS)
    stage.script.may_hedge = is_off
    await stage.start(hung("steps"), GeneratorScript())
    with pytest.raises(ComptoirError) as raised:
        await asyncio.wait_for(caller.texts(**chat(timeout_seconds=1.0)), WAIT_SECONDS)
    assert raised.value.reason_name == "DEADLINE_EXCEEDED"
    assert stage.script.asked_on == []
