"""Clients that know several routers: what one leaves unanswered is asked of the next, for both clients."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from comptoir.client import ComptoirError, ErrorReason, aio
from comptoir.client.channels import ANSWER_SECONDS

from services.kernel.errors import ComptoirError as Refusal
from services.kernel.errors import Reason
from tests.client.stage import CALLERS, MODEL, WAIT_SECONDS, Caller, Stage, chat, refusing, soon, tickets
from tests.services.edge.scripts import LEASE, GeneratorScript


@pytest.fixture
async def stages(tmp_path: Path) -> AsyncIterator[list[Stage]]:
    stages = []
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        stages.append(Stage(tmp_path / name))
    yield stages
    for stage in stages:
        await stage.stop()


@pytest.fixture(params=sorted(CALLERS))
async def caller(request: pytest.FixtureRequest, stages: list[Stage]) -> AsyncIterator[Caller]:
    caller = CALLERS[request.param]([stage.address for stage in stages])
    yield caller
    await caller.close()


async def test_the_nearest_router_is_asked_and_the_next_one_where_it_is_gone(
    stages: list[Stage], caller: Caller
) -> None:
    for stage in stages:
        await stage.start(GeneratorScript())
    await caller.answer(**chat())
    assert [tickets(stage) for stage in stages] == [[[1]], [[]]]
    await stages[0].stop()
    assert (await caller.answer(**chat())).text == "Bonjour !"
    assert await caller.models() == ["org/tiny-eu", "tiny-eu"]
    assert [tickets(stage) for stage in stages] == [[[1]], [[1]]]


async def test_a_count_and_a_list_of_models_are_asked_of_the_next_router_too(
    stages: list[Stage], caller: Caller
) -> None:
    await stages[1].start(GeneratorScript())
    assert await caller.count(model="tiny-eu", text="x") > 0
    assert await caller.models() == ["org/tiny-eu", "tiny-eu"]


@pytest.mark.parametrize("asks", ["count", "models"])
async def test_a_router_that_hangs_is_left_by_counts_and_lists_of_models(
    asks: str, stages: list[Stage], caller: Caller
) -> None:
    for stage in stages:
        await stage.start(GeneratorScript())
    stages[0].router.gate.clear()
    asking = caller.models() if asks == "models" else caller.count(model="tiny-eu", text="x")
    assert await asyncio.wait_for(asking, ANSWER_SECONDS + WAIT_SECONDS)
    # Those that come are asked of the other one at once.
    assert (await asyncio.wait_for(caller.answer(**chat()), WAIT_SECONDS)).text == "Bonjour !"
    assert (stages[0].router.admissions, len(stages[1].router.admissions)) == ([], 1)


async def test_a_router_that_has_no_replica_for_a_count_is_asked_again_for_the_next_request(
    stages: list[Stage], caller: Caller
) -> None:
    for stage in stages:
        await stage.start(GeneratorScript())
    stages[0].script.refusal = Refusal(Reason.NO_REPLICA)
    await caller.count(model=MODEL, text="a")
    stages[0].script.refusal = None
    await caller.answer(**chat())
    assert [len(stage.router.admissions) for stage in stages] == [1, 0]


async def test_a_count_that_every_router_refuses_is_refused(stages: list[Stage], caller: Caller) -> None:
    for stage in stages:
        await stage.start(GeneratorScript())
        stage.script.refusal = Refusal(Reason.NO_REPLICA)
    with pytest.raises(ComptoirError) as raised:
        await caller.count(model=MODEL, text="a")
    assert raised.value.reason_name == "NO_REPLICA"
    assert [len(stage.script.request_ids) for stage in stages] == [1, 1]


async def test_an_admission_that_its_router_leaves_unanswered_is_asked_of_the_next(
    stages: list[Stage], caller: Caller
) -> None:
    for stage in stages:
        await stage.start(GeneratorScript())
    stages[0].router.gate.clear()
    asking = asyncio.create_task(caller.answer(**chat()))
    await soon(stages[0].router.has_been_asked)
    await stages[0].stop()
    assert (await asyncio.wait_for(asking, WAIT_SECONDS)).text == "Bonjour !"
    first, second = (stage.router.admissions[0] for stage in stages)
    assert (first.request_id_high, first.request_id_low) == (second.request_id_high, second.request_id_low)


async def test_a_lease_is_given_back_to_the_router_that_lent_it_and_asked_of_it_for_another_ticket(
    stages: list[Stage], caller: Caller
) -> None:
    await stages[1].start(refusing(Reason.REPLICA_OVERLOADED), refusing(Reason.REPLICA_OVERLOADED))
    with pytest.raises(ComptoirError):
        await caller.answer(**chat())
    await stages[0].start()
    await caller.close()
    assert [stage.script.released for stage in stages] == [[], [LEASE]]
    assert [len(stage.script.asked_on) for stage in stages] == [0, 2]


async def test_routers_that_are_all_away_are_waited_for_no_longer_than_their_bound(
    stages: list[Stage],
) -> None:
    for kind in CALLERS.values():
        caller = kind([stage.address for stage in stages], unreachable_seconds=0.2)
        with pytest.raises(ComptoirError) as raised:
            await asyncio.wait_for(caller.answer(**chat()), WAIT_SECONDS)
        assert raised.value.reason == ErrorReason.ERROR_REASON_UNAVAILABLE
        await caller.close()


async def test_a_router_that_hangs_fails_one_request_and_the_next_one_is_for_another(
    stages: list[Stage],
) -> None:
    for stage in stages:
        await stage.start(GeneratorScript())
    stages[0].router.gate.clear()
    for kind in CALLERS.values():
        caller = kind([stage.address for stage in stages], admit_seconds=2.0)
        with pytest.raises(ComptoirError):
            await asyncio.wait_for(caller.answer(**chat()), WAIT_SECONDS)
        assert (await asyncio.wait_for(caller.answer(**chat()), WAIT_SECONDS)).text == "Bonjour !"
        await caller.close()


async def test_there_must_be_a_router() -> None:
    with pytest.raises(ValueError, match="there must be a router"):
        aio.Client([], api_key="k")
