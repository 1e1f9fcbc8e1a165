"""Vectors of texts: one admission, one call, and the tickets of a request that no vector came of."""

import array
import asyncio
from typing import Any, cast

import pytest
from comptoir.client import ComptoirError, ErrorReason, Inputs
from comptoir.client.embedding import EmbedOrder
from comptoir.generator.v1.generator_pb2 import Embedded, EmbedResponse, Started, Vectors
from comptoir.router.v1.router_pb2 import Task, TicketOffer

from services.kernel.errors import ComptoirError as Refusal
from services.kernel.errors import Reason
from services.runtime.grpc.interceptors import validate
from tests.client.stage import CANARY, SECONDS, Caller, Stage, refusing, soon, tickets, waiting
from tests.services.edge.scripts import LEASE, GeneratorScript

TENTH = 0.10000000149011612


def inputs(**fields: Any) -> Inputs:
    """Two inputs, with other fields where given."""
    asked: Any = {"model": "vectors", "inputs": [f"é {CANARY}", [1, 2, 3]], "timeout_seconds": SECONDS}
    return cast("Inputs", {**asked, **fields})


async def test_each_input_has_its_vector_and_the_request_its_count(stage: Stage, caller: Caller) -> None:
    await stage.start(GeneratorScript(input_tokens=7))
    answer = await caller.embed(**inputs())
    assert [list(vector) for vector in answer.vectors] == [[0, TENTH], [1, TENTH]]
    assert answer.embedded.input_tokens == 7
    assert stage.replicas[0].script.prompts == [f"é {CANARY}", [1, 2, 3]]
    (admission,) = stage.router.admissions
    assert (admission.task, admission.inputs, admission.max_output_tokens) == (Task.TASK_EMBED, 2, 0)
    assert admission.prompt_tokens_upper_bound == len(f"é {CANARY}".encode()) + 4 + 3
    assert stage.router.metadata[0]["x-request-id"] == answer.request_id.hex
    assert not stage.script.released


async def test_a_replica_that_fails_before_any_vector_costs_no_request(stage: Stage, caller: Caller) -> None:
    await stage.start(refusing(Reason.UNAVAILABLE), GeneratorScript())
    assert len((await caller.embed(**inputs())).vectors) == 2
    assert tickets(stage) == [[1], [2]]


async def test_a_replica_that_was_lost_in_its_work_is_another_admission(stage: Stage, caller: Caller) -> None:
    await stage.start(GeneratorScript(steps=[Refusal(Reason.UNAVAILABLE)]), GeneratorScript())
    stage.script.addresses_in_turn = [[address] for address in stage.script.addresses]
    assert len((await caller.embed(**inputs())).vectors) == 2
    assert len(stage.router.admissions) == 2
    assert stage.script.released == [LEASE]


async def test_a_refusal_of_the_replica_is_raised_with_its_reason(stage: Stage, caller: Caller) -> None:
    await stage.start(refusing(Reason.CONTEXT_TOO_LONG))
    with pytest.raises(ComptoirError) as raised:
        await caller.embed(**inputs())
    assert raised.value.reason == ErrorReason.ERROR_REASON_CONTEXT_TOO_LONG
    assert CANARY not in repr(raised.value)


async def test_a_refusal_of_the_router_is_raised_with_its_reason(stage: Stage, caller: Caller) -> None:
    await stage.start(GeneratorScript())
    stage.script.refusal = Refusal(Reason.MODEL_TASK_MISMATCH)
    with pytest.raises(ComptoirError) as raised:
        await caller.embed(**inputs())
    assert raised.value.reason == ErrorReason.ERROR_REASON_MODEL_TASK_MISMATCH
    assert tickets(stage) == [[]]


async def test_a_request_ends_at_its_deadline_and_so_does_the_work_of_its_replica(
    stage: Stage, caller: Caller
) -> None:
    script = waiting(steps=[asyncio.Event()])
    await stage.start(script)
    with pytest.raises(ComptoirError) as raised:
        await caller.embed(**inputs(timeout_seconds=0.3))
    assert raised.value.reason == ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED
    await soon(script.cancelled)


def order(*said: EmbedResponse, **fields: Any) -> EmbedOrder:
    """A request, with what its replica said."""
    asked = EmbedOrder(inputs(**fields))
    for response in said:
        asked.heard(response)
    return asked


def vectors(*numbers: float, dimensions: int) -> EmbedResponse:
    values = array.array("f", numbers).tobytes()
    return EmbedResponse(vectors=Vectors(dimensions=dimensions, values=values))


DONE = EmbedResponse(embedded=Embedded(input_tokens=5))


def test_vectors_are_divided_where_they_end_whatever_message_they_came_in() -> None:
    said = order(EmbedResponse(started=Started()), vectors(1, 2, 3, 4, dimensions=2), DONE)
    assert [list(vector) for vector in said.answer().vectors] == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "said", [(), (vectors(1, 2, dimensions=2),), (vectors(1, 2, 3, dimensions=2),), (vectors(dimensions=0),)]
)
def test_an_answer_in_which_a_vector_is_missing_is_none(said: tuple[EmbedResponse, ...]) -> None:
    with pytest.raises(ComptoirError) as raised:
        order(*said, DONE).answer()
    assert raised.value.reason == ErrorReason.ERROR_REASON_INTERNAL


def test_requests_keep_the_rules_of_their_schema() -> None:
    asked = order(dimensions=32)
    validate(asked.admit_request("key"))
    offer = TicketOffer()
    offer.ticket.claims, offer.ticket.signature, offer.ticket.signing_key_number = b"1", bytes(64), 1
    request = asked.embed_request(offer)
    validate(request)
    assert (request.dimensions, request.inputs[0].text) == (32, f"é {CANARY}")
    assert list(request.inputs[1].token_ids.ids) == [1, 2, 3]
