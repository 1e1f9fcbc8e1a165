"""Models by what they do: a request gets a ticket for its own task, and none that serves for another."""

from dataclasses import replace

import pytest

from services.kernel.catalog import Catalog, Model, Task
from services.kernel.errors import Reason
from tests.fakes.router import FRANCE, GERMANY, TINY, AdmissionWorld, refusal_of, request_for

VECTORS = Model(number=2, name="vectors", context_tokens=64, task=Task.EMBED)
REGION = FRANCE.model_copy(update={"default_model": "tiny-eu", "default_embedding_model": "vectors"})


def world_of_both() -> AdmissionWorld:
    catalog = Catalog(models=(TINY, VECTORS), regions=(REGION, GERMANY))
    return AdmissionWorld(catalog=catalog, region=REGION)


@pytest.mark.parametrize("name", ["vectors", "default", ""])
async def test_a_ticket_for_vectors_permits_no_output_and_has_a_lease(name: str) -> None:
    world = world_of_both()
    world.add_replica(7)
    world.add_replica(8, model=2)
    request = request_for(await world.key(), model=name, prompt_tokens_upper_bound=200, max_output_tokens=50)
    admission = await world.admitter.admit(replace(request, task=Task.EMBED, inputs=3))
    (claims,) = world.signer.signed
    assert (claims.model, claims.replica) == (2, 8)
    assert (claims.max_input_tokens, claims.max_output_tokens, claims.choices) == (192, 0, 1)
    assert claims.lease_id == admission.grant.lease_id
    assert [event.reserved_tokens for event in world.log.events] == [192]
    assert [event.max_output_tokens for event in world.log.events] == [0]


@pytest.mark.parametrize(("name", "task"), [("tiny-eu", Task.EMBED), ("vectors", Task.GENERATE)])
async def test_a_model_is_not_asked_for_the_other_task(name: str, task: Task) -> None:
    world = world_of_both()
    world.add_replica(7)
    world.add_replica(8, model=2)
    refusal = await refusal_of(world, replace(request_for(await world.key(), model=name), task=task))
    assert refusal.reason is Reason.MODEL_TASK_MISMATCH
    assert world.in_flight() == 0
    assert [event.model for event in world.log.events] == [1 if name == "tiny-eu" else 2]


async def test_a_model_that_a_key_may_not_use_tells_nobody_its_task() -> None:
    world = world_of_both()
    refusal = await refusal_of(world, request_for(await world.key(models=(1,)), model="vectors"))
    assert refusal.reason is Reason.MODEL_NOT_FOUND
