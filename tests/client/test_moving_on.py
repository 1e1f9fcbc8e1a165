"""A request whose replica fails before any text: another ticket, then another admission, for both clients."""

import asyncio
import uuid
from collections.abc import Callable

import pytest
from comptoir.client import ComptoirError, ErrorReason

from services.kernel.errors import ComptoirError as Refusal
from services.kernel.errors import Reason
from tests.client.conftest import NewCaller
from tests.client.stage import (
    WAIT_SECONDS,
    Caller,
    Stage,
    chat,
    failing,
    refusing,
    soon,
    tickets,
    waiting,
)
from tests.services.edge.scripts import GOOD_KEY, LEASE, GeneratorScript

MOVES_ON = [reason for reason in Reason if reason.row.may_try_next_ticket]


@pytest.mark.parametrize("reason", MOVES_ON)
async def test_a_replica_that_fails_before_any_text_is_left_for_the_next(
    reason: Reason, stage: Stage, caller: Caller
) -> None:
    await stage.start(failing(reason), refusing(reason), GeneratorScript())
    assert (await caller.answer(**chat())).text == "Bonjour !"
    assert tickets(stage) == [[1], [2], [3]]
    assert stage.script.released == []


async def test_another_ticket_is_asked_for_with_the_key_and_the_lease_and_only_when_it_is_needed(
    stage: Stage, caller: Caller
) -> None:
    await stage.start(GeneratorScript(), GeneratorScript())
    await caller.answer(**chat())
    assert stage.script.asked_on == []
    stage.replicas[0].script.before_started.append(Refusal(Reason.REPLICA_OVERLOADED))
    await caller.answer(**chat())
    assert stage.script.asked_on == [(GOOD_KEY, LEASE)]


async def test_a_router_that_signs_no_other_ticket_leaves_the_caller_the_replicas_failure(
    stage: Stage, caller: Caller
) -> None:
    stage.script.next_refusal = Refusal(Reason.LEASE_ENDED)
    await stage.start(refusing(Reason.REPLICA_OVERLOADED), GeneratorScript())
    with pytest.raises(ComptoirError) as raised:
        await caller.answer(**chat())
    assert raised.value.reason_name == "REPLICA_OVERLOADED"
    await caller.close()
    assert (tickets(stage), stage.script.released) == ([[1], []], [LEASE])


def one_at_a_time(stage: Stage) -> None:
    """The router names the next replica each time that it is asked to admit."""
    stage.script.addresses_in_turn = [[address] for address in stage.script.addresses]


@pytest.mark.parametrize("scripted", [refusing, failing])
@pytest.mark.parametrize("reason", [Reason.UNAVAILABLE, Reason.REPLICA_DRAINING])
async def test_a_request_that_lost_its_replica_before_any_text_is_admitted_again(
    scripted: Callable[[Reason], GeneratorScript], reason: Reason, stage: Stage, caller: Caller
) -> None:
    await stage.start(scripted(reason), GeneratorScript())
    one_at_a_time(stage)
    assert await caller.texts(**chat()) == ["Bon", "jour", " !"]
    await caller.close()
    assert tickets(stage) == [[1], [1]]
    first, second = stage.router.admissions
    assert first == second
    assert stage.script.released == [LEASE], "that of the lost replica"


async def test_a_request_that_breaks_every_replica_breaks_three(stage: Stage, caller: Caller) -> None:
    await stage.start(*(failing(Reason.UNAVAILABLE) for _ in range(4)))
    one_at_a_time(stage)
    with pytest.raises(ComptoirError) as raised:
        await caller.answer(**chat())
    assert raised.value.reason == ErrorReason.ERROR_REASON_UNAVAILABLE
    assert tickets(stage) == [[1], [1], [1], []]


async def test_a_replica_that_cannot_be_reached_is_asked_for_no_longer_than_the_caller_waits(
    stage: Stage, new_caller: NewCaller
) -> None:
    await stage.start()
    stage.script.addresses.append(f"unix:/nowhere/{uuid.uuid4()}")
    for waits in ({"unreachable_seconds": 0.3}, {"unreachable_seconds": 60.0}):
        began, asked = asyncio.get_running_loop().time(), len(stage.router.admissions)
        with pytest.raises(ComptoirError) as raised:
            await new_caller(**waits).answer(**chat(timeout_seconds=1.0))
        # The second where its time ended in the middle of an admission.
        assert raised.value.reason_name in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
        assert asyncio.get_running_loop().time() - began < WAIT_SECONDS
        assert len(stage.router.admissions) > asked + 1


async def test_what_the_router_says_to_the_next_admission_is_what_the_caller_is_told(
    stage: Stage, caller: Caller
) -> None:
    script = waiting(asyncio.Event())
    await stage.start(script)
    asking = asyncio.create_task(caller.answer(**chat()))
    await soon(script.has_been_asked)
    stage.script.refusal = Refusal(Reason.TOKENS_EXHAUSTED)
    await stage.stop_replica(1)
    with pytest.raises(ComptoirError) as raised:
        await asyncio.wait_for(asking, WAIT_SECONDS)
    assert raised.value.reason_name == "TOKENS_EXHAUSTED"


async def test_closing_the_client_ends_what_waits_for_another_ticket(stage: Stage, caller: Caller) -> None:
    stage.script.next_gate = asyncio.Event()
    await stage.start(refusing(Reason.UNAVAILABLE))
    asking = asyncio.create_task(caller.answer(**chat()))
    await soon(stage.script.has_asked_on)
    await caller.close()
    with pytest.raises(ComptoirError) as raised:
        await asyncio.wait_for(asking, WAIT_SECONDS)
    assert raised.value.reason == ErrorReason.ERROR_REASON_CLIENT_CANCELLED


async def test_a_replica_that_is_not_there_is_left_for_the_next(stage: Stage, caller: Caller) -> None:
    await stage.start(GeneratorScript())
    stage.script.addresses.insert(0, f"unix:/nowhere/{uuid.uuid4()}")
    assert (await caller.answer(**chat())).text == "Bonjour !"
    assert tickets(stage) == [[2]]
