"""What a service gets from the client, blocking and on asyncio alike."""

import asyncio
import uuid

import pytest
from comptoir.client import ComptoirError, ErrorReason, Priority, Sampling, user
from comptoir.generator.v1 import generator_pb2

from services.kernel.errors import ComptoirError as Refusal
from services.kernel.errors import Reason
from tests.client.conftest import NewCaller
from tests.client.stage import CANARY, MODEL, Caller, Stage, chat, failing, refusing, soon, tickets, waiting
from tests.services.edge.scripts import GOOD_KEY, LEASE, GeneratorScript

WAIT_SECONDS = 5.0
MOVES_ON = {reason for reason in Reason if reason.row.may_try_next_ticket}
STAYS = sorted(set(Reason) - {*MOVES_ON, Reason.UNSPECIFIED, Reason.CLIENT_CANCELLED})


async def test_deltas_come_as_they_are_generated_and_the_counts_come_last(
    stage: Stage, caller: Caller
) -> None:
    await stage.start(GeneratorScript())
    assert await caller.texts(**chat()) == ["Bon", "jour", " !"]
    assert stage.script.released == []
    assert stage.replicas[0].requests[0].is_streamed


async def test_a_whole_answer_has_its_text_and_its_counts(stage: Stage, caller: Caller) -> None:
    await stage.start(GeneratorScript(is_length=True))
    answer = await caller.answer(**chat())
    assert answer.text == "Bonjour !"
    assert (answer.finished.input_tokens, answer.finished.output_tokens) == (11, 3)
    assert answer.finished.finish_reason == generator_pb2.FINISH_REASON_LENGTH
    assert not stage.replicas[0].requests[0].is_streamed


async def test_the_router_and_the_replica_are_asked_for_what_the_caller_said(
    stage: Stage, caller: Caller
) -> None:
    await stage.start(GeneratorScript())
    request_id = uuid.uuid4()
    await caller.answer(
        model=MODEL,
        messages=[user("Bonjour", "le monde")],
        max_output_tokens=7,
        sampling=Sampling(temperature=0.5, stop=["fin"]),
        priority=Priority.PRIORITY_BATCH,
        request_id=request_id,
        timeout_seconds=60,
    )
    admission, generation = stage.router.admissions[0], stage.replicas[0].requests[0]
    assert (admission.api_key, admission.model) == (GOOD_KEY, MODEL)
    assert (admission.max_output_tokens, admission.priority) == (7, Priority.PRIORITY_BATCH)
    assert f"{admission.request_id_high:016x}{admission.request_id_low:016x}" == request_id.hex
    assert (generation.messages[0].text, list(generation.messages[0].parts)) == (
        "Bonjour\nle monde",
        ["Bonjour", "le monde"],
    )
    assert (generation.sampling.temperature, list(generation.sampling.stop)) == (0.5, ["fin"])
    noted = [stage.router.metadata[0], stage.replicas[0].metadata[0]]
    assert [metadata["x-request-id"] for metadata in noted] == [request_id.hex] * 2


async def test_no_text_and_no_key_goes_where_it_is_not_needed(stage: Stage, caller: Caller) -> None:
    await stage.start(GeneratorScript())
    await caller.answer(**chat())
    assert CANARY.encode() not in stage.router.admissions[0].SerializeToString()
    assert GOOD_KEY.encode() not in stage.replicas[0].requests[0].SerializeToString()


async def test_every_request_has_an_identity_of_its_own(stage: Stage, caller: Caller) -> None:
    await stage.start(GeneratorScript())
    answers = [await caller.answer(**chat()) for _ in range(2)]
    assert len({answer.request_id for answer in answers}) == 2
    told = [f"{asked.request_id_high:016x}{asked.request_id_low:016x}" for asked in stage.router.admissions]
    assert told == [answer.request_id.hex for answer in answers]


@pytest.mark.parametrize("first", ["", "Bon"])
async def test_a_replica_is_never_left_after_a_delta_even_an_empty_one(
    first: str, stage: Stage, caller: Caller
) -> None:
    await stage.start(failing(Reason.UNAVAILABLE, first), GeneratorScript())
    with pytest.raises(ComptoirError) as raised:
        await caller.texts(**chat())
    assert raised.value.reason == ErrorReason.ERROR_REASON_UNAVAILABLE
    await caller.close()
    assert tickets(stage) == [[1], []]
    assert stage.script.released == []


@pytest.mark.parametrize("reason", STAYS)
async def test_a_failure_that_is_not_the_replicas_alone_ends_the_request_and_gives_the_lease_back(
    reason: Reason, stage: Stage, caller: Caller
) -> None:
    await stage.start(refusing(reason), GeneratorScript())
    with pytest.raises(ComptoirError) as raised:
        await caller.answer(**chat())
    assert raised.value.reason_name == reason.name
    await caller.close()
    assert tickets(stage) == [[1], []]
    assert stage.script.released == [LEASE]


async def test_the_lease_is_given_back_when_every_replica_fails_before_any_text(
    stage: Stage, caller: Caller
) -> None:
    await stage.start(refusing(Reason.REPLICA_DRAINING), failing(Reason.REPLICA_OVERLOADED))
    with pytest.raises(ComptoirError) as raised:
        await caller.texts(**chat())
    assert raised.value.reason == ErrorReason.ERROR_REASON_REPLICA_OVERLOADED
    assert raised.value.is_retryable
    await caller.close()
    assert tickets(stage) == [[1], [2]]
    assert stage.script.released == [LEASE]


async def test_a_refusal_of_the_router_is_told_with_its_numbers(stage: Stage, caller: Caller) -> None:
    stage.script.refusal = Refusal(Reason.REQUESTS_EXHAUSTED, retry_after_seconds=1.5)
    await stage.start(GeneratorScript())
    with pytest.raises(ComptoirError) as raised:
        await caller.texts(**chat())
    assert raised.value.reason == ErrorReason.ERROR_REASON_REQUESTS_EXHAUSTED
    assert raised.value.retry_after_seconds == pytest.approx(1.5)
    await caller.close()
    assert stage.script.released == []


async def test_an_answer_without_its_counts_is_not_whole(stage: Stage, caller: Caller) -> None:
    await stage.start(GeneratorScript())
    stage.replicas[0].leaves_out_finished = True
    with pytest.raises(ComptoirError) as raised:
        await caller.answer(**chat())
    assert raised.value.reason == ErrorReason.ERROR_REASON_UNAVAILABLE


@pytest.mark.parametrize("leave_after", [0, 1])
async def test_leaving_an_answer_stops_the_replica_and_leaves_the_lease_to_it(
    leave_after: int, stage: Stage, caller: Caller
) -> None:
    script = waiting(steps=[*["Bon"] * leave_after, asyncio.Event()])
    await stage.start(script, GeneratorScript())
    assert await caller.texts(leave_after=leave_after, **chat()) == ["Bon"] * leave_after
    await soon(script.cancelled)
    await caller.close()
    assert stage.script.released == []


async def test_a_replica_that_stops_is_left_for_the_next_and_is_not_taken_for_the_callers_wish(
    stage: Stage, caller: Caller
) -> None:
    script = waiting(steps=[asyncio.Event()])
    await stage.start(script, GeneratorScript())
    asking = asyncio.create_task(caller.answer(**chat()))
    await soon(script.has_been_asked)
    await stage.stop_replica(1)
    assert (await asyncio.wait_for(asking, WAIT_SECONDS)).text == "Bonjour !"
    assert tickets(stage) == [[1], [2]]


async def test_a_deadline_reaches_the_replica_and_ends_the_request(stage: Stage, caller: Caller) -> None:
    script = waiting(asyncio.Event())
    await stage.start(script, GeneratorScript())
    with pytest.raises(ComptoirError) as raised:
        await caller.answer(**chat(timeout_seconds=1.0))
    assert raised.value.reason == ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED
    assert 0 < stage.replicas[0].left_seconds[0] <= 1.0
    await soon(script.cancelled)
    await caller.close()
    assert tickets(stage) == [[1], []]
    assert stage.script.released == [LEASE]


async def test_a_router_that_says_nothing_is_out_of_reach_after_its_own_time(
    stage: Stage, new_caller: NewCaller
) -> None:
    await stage.start(GeneratorScript())
    stage.router.gate.clear()
    with pytest.raises(ComptoirError) as raised:
        await new_caller(admit_seconds=0.2).answer(**chat())
    assert raised.value.reason == ErrorReason.ERROR_REASON_UNAVAILABLE
    assert raised.value.is_retryable


async def test_a_deadline_that_passes_in_the_router_is_the_callers_own(stage: Stage, caller: Caller) -> None:
    await stage.start(GeneratorScript())
    stage.router.gate.clear()
    with pytest.raises(ComptoirError) as raised:
        await caller.answer(**chat(timeout_seconds=0.2))
    assert raised.value.reason == ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED


async def test_a_router_that_is_not_there_is_told_as_unavailable(new_caller: NewCaller) -> None:
    caller = new_caller(unreachable_seconds=0.2)
    with pytest.raises(ComptoirError) as raised:
        await caller.answer(**chat())
    assert raised.value.reason == ErrorReason.ERROR_REASON_UNAVAILABLE
    assert raised.value.is_retryable
    with pytest.raises(ComptoirError):
        await caller.models()


async def test_models_are_those_of_the_key(stage: Stage, caller: Caller) -> None:
    await stage.start()
    assert await caller.models() == ["org/tiny-eu", "tiny-eu"]
    assert stage.script.keys == [GOOD_KEY]


async def test_an_offer_in_plaintext_on_another_machine_is_not_used(stage: Stage, caller: Caller) -> None:
    await stage.start(GeneratorScript())
    stage.script.addresses.insert(0, "192.0.2.1:8402")
    assert (await caller.answer(**chat())).text == "Bonjour !"
    assert tickets(stage) == [[2]]


async def test_many_requests_share_one_connection_to_a_replica(stage: Stage, caller: Caller) -> None:
    await stage.start(GeneratorScript())
    await asyncio.gather(*(caller.answer(**chat()) for _ in range(8)))
    assert tickets(stage) == [[1] * 8]


async def test_a_closed_client_asks_nobody(stage: Stage, caller: Caller) -> None:
    await stage.start(GeneratorScript())
    await caller.close()
    with pytest.raises(ComptoirError) as raised:
        await caller.answer(**chat())
    assert raised.value.reason == ErrorReason.ERROR_REASON_CLIENT_CANCELLED
    assert stage.router.admissions == []


async def test_closing_the_client_ends_what_is_open(stage: Stage, caller: Caller) -> None:
    script = waiting(steps=["Bon", asyncio.Event()])
    await stage.start(script)
    asking = asyncio.create_task(caller.answer(**chat()))
    await soon(script.has_played)
    await caller.close()
    with pytest.raises(ComptoirError) as raised:
        await asyncio.wait_for(asking, WAIT_SECONDS)
    assert raised.value.reason == ErrorReason.ERROR_REASON_CLIENT_CANCELLED
    await soon(script.cancelled)
