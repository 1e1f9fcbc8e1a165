"""Requests wait at the router for free KV blocks, in their turn, and leave nothing behind."""

import asyncio
from dataclasses import replace

import pytest

from services.kernel.errors import Numbers, Reason
from services.router.domain.admission import Admission, AdmitRequest
from services.router.domain.amount import NOTHING
from services.router.domain.lease import Settlement
from services.router.domain.limits import RouterLimits
from services.router.domain.placement.replica import Load
from services.router.domain.quota import Payer
from services.router.domain.tenancy import Priority
from tests.contracts.engine_requests import until
from tests.fakes.router import AdmissionWorld, busy, changed_limits, refusal_of, request_for

HOLDING = changed_limits(hold_seconds=30.0)
# Expected are a quarter of the bytes and all of the few output tokens: 50 and 2 blocks.
LARGE, SMALL = 3_168, 64


class Scene:
    """A replica of 64 blocks, of which it says how many are free."""

    def __init__(self, limits: RouterLimits = HOLDING) -> None:
        self.world = AdmissionWorld(limits=limits)
        self.admitter = self.world.admitter
        self.world.add_replica(1, max_requests=64)
        self.api_key = ""

    def says(self, free_blocks: int, *, running: int = 1, number: int = 1) -> None:
        load: Load = busy(running=running, kv_free_blocks=free_blocks)
        now_seconds = self.world.clock.monotonic_seconds()
        self.world.replicas.report(self.world.sessions[number], load, now_seconds)
        self.world.leases.replicas_changed()

    async def asks(self, bound: int, priority: Priority = Priority.DEFAULT) -> "asyncio.Task[Admission]":
        self.api_key = self.api_key or await self.world.key(best_priority=Priority.INTERACTIVE)
        request = self.request(bound, priority)
        before = self.world.leases.places.waiting
        asking = asyncio.create_task(self.admitter.admit(request))
        await until(lambda: self.world.leases.places.waiting > before or asking.done(), 5)
        return asking

    def request(self, bound: int, priority: Priority = Priority.DEFAULT) -> AdmitRequest:
        return request_for(
            self.api_key, prompt_tokens_upper_bound=bound, max_output_tokens=8, priority=priority
        )


async def done_soon(asking: "asyncio.Task[Admission]") -> bool:
    """Tells whether it is done once all that could run has run."""
    for _ in range(20):
        await asyncio.sleep(0)
    return asking.done()


async def test_a_request_is_held_until_its_blocks_are_free_and_nothing_is_reserved_meanwhile() -> None:
    scene = Scene()
    scene.says(49)
    asking = await scene.asks(LARGE)
    assert (asking.done(), scene.world.leases.held, scene.world.store.in_flight) == (False, 1, 0)
    scene.says(50)
    admission = await asyncio.wait_for(asking, 5)
    assert admission.placement.predicted_kv_blocks == 50
    assert (scene.world.leases.held, scene.world.store.in_flight) == (0, 1)


async def test_small_requests_behind_a_large_one_do_not_take_what_it_waits_for() -> None:
    scene = Scene()
    scene.says(30)
    large = await scene.asks(LARGE)
    small = await scene.asks(SMALL)
    assert not small.done(), "thirty blocks are free, and they are kept"
    scene.says(52)
    admissions = [await asyncio.wait_for(one, 5) for one in (large, small)]
    assert [one.placement.predicted_kv_blocks for one in admissions] == [50, 2]


async def test_one_whose_turn_is_sooner_passes_a_large_one_that_waits() -> None:
    scene = Scene()
    scene.says(30)
    large = await scene.asks(LARGE)
    small = await scene.asks(SMALL, Priority.INTERACTIVE)
    assert (small.done(), large.done()) == (True, False)
    large.cancel()
    await asyncio.gather(large, return_exceptions=True)


async def test_small_requests_go_on_elsewhere_while_a_large_one_waits_for_one_replica() -> None:
    scene = Scene()
    scene.world.add_replica(2, max_requests=64)
    scene.says(30)
    scene.says(10, number=2)
    large = await scene.asks(LARGE)
    small = [await asyncio.wait_for(await scene.asks(SMALL), 5) for _ in range(3)]
    assert [one.placement.replica for one in small] == [2] * 3
    assert not large.done()
    scene.says(50)
    assert (await asyncio.wait_for(large, 5)).placement.replica == 1


async def test_a_large_one_whose_room_others_take_goes_to_the_engines_queue_and_is_not_refused() -> None:
    """Another router, which knows nothing of what is kept here, sends small ones all the time."""
    scene = Scene()
    scene.says(30)
    large = await scene.asks(LARGE)
    second = await scene.asks(LARGE)
    for _ in range(4):
        scene.world.clock.advance(1.0)
        scene.says(30)
        assert not await done_soon(large)
    scene.world.clock.advance(1.0)
    scene.says(30)
    assert (await asyncio.wait_for(large, 5)).placement.replica == 1
    scene.says(30)
    assert not await done_soon(second), "one at a time: its own five seconds begin"
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)


@pytest.mark.parametrize("leaves", ["cancelled", "refused"])
async def test_a_large_one_that_gives_up_keeps_nothing_from_others(leaves: str) -> None:
    scene = Scene(HOLDING if leaves == "cancelled" else changed_limits(place_wait_seconds=0.01))
    scene.says(30)
    large = await scene.asks(LARGE)
    if leaves == "cancelled":
        large.cancel()
    await asyncio.gather(large, return_exceptions=True)
    assert (await asyncio.wait_for(await scene.asks(SMALL), 5)).placement.replica == 1
    assert (scene.world.leases.held, scene.world.leases.places.waiting) == (0, 0)


async def test_a_refusal_says_what_is_needed_and_when_to_come_back_and_not_what_others_have() -> None:
    world = AdmissionWorld(limits=changed_limits(hold_seconds=0.0, place_wait_seconds=0.0))
    world.add_replica(1, load=busy(running=1, kv_free_blocks=49))
    request = request_for(await world.key(), prompt_tokens_upper_bound=LARGE, max_output_tokens=8)
    refusal = await refusal_of(world, request)
    assert refusal.reason is Reason.REPLICA_OVERLOADED
    assert refusal.numbers == Numbers(limit=64, requested=50)
    assert refusal.retry_after_seconds > 0


async def test_what_answers_really_used_is_what_the_next_ones_are_expected_to_use() -> None:
    world = AdmissionWorld()
    world.add_replica(kv_blocks=6_400, max_requests=64)
    admitter, api_key = world.admitter, await world.key()
    request = replace(request_for(api_key, max_output_tokens=400), prompt_tokens_upper_bound=320)
    for _ in range(60):
        lease_id = (await admitter.admit(request)).grant.lease_id
        ticket = world.signer.signed[-1]
        process = world.replicas.everyone()[0].registration.process
        payer = Payer(ticket.tenant, ticket.key)
        await world.leases.accept(process, lease_id, ticket.ticket_id, payer=payer, permitted=NOTHING)
        settlement = Settlement(
            lease_id,
            ticket.ticket_id,
            payer,
            NOTHING,
            process,
            has_output=True,
            input_tokens=80,
            output_tokens=16,
        )
        await world.leases.settle(settlement)
    predicted = [event.predicted_kv_blocks for event in world.log.events]
    # First 80 and 256 tokens are expected; they are 80 and 16.
    assert predicted[0] == 21
    assert 6 <= predicted[-1] <= 8
