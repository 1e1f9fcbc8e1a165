"""Requests that begin alike go to one replica, by digests that say nothing between tenants."""

import sys
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.kernel.identity import Identity
from services.router.domain.admission import Admitter
from services.router.domain.limits import PlacementPolicy, PlacementRules
from services.router.domain.offers import Want
from services.router.domain.placement.prefix_memory import Beginning
from services.router.domain.placement.replica import Load
from services.router.domain.tenancy import Quota
from tests.fakes.router import LIMITS, TINY, AdmissionWorld, busy, request_for

SHARED = (101, 102, 103)


class Scene:
    """Three replicas, and what one router remembers of them from request to request."""

    def __init__(self, policy: PlacementPolicy = PlacementPolicy.PREFIX_AFFINITY) -> None:
        rules = LIMITS.placement.model_copy(update={"policy": policy})
        self.world = AdmissionWorld(limits=LIMITS.model_copy(update={"placement": rules}))
        self.admitter: Admitter = self.world.admitter
        self.keys: dict[str, str] = {}
        for number in (1, 2, 3):
            self.world.add_replica(number, incarnation=5, max_requests=64, kv_blocks=6_400)

    async def send(self, *digests: int, tenant: str = "acme", bound: int = 400) -> int:
        """Returns the replica of a request; its replica has answered it when the next one comes."""
        if tenant not in self.keys:
            self.keys[tenant] = await self.world.key(tenant=tenant, quota=Quota())
        request = request_for(self.keys[tenant], prompt_tokens_upper_bound=bound)
        admission = await self.admitter.admit(replace(request, prefix_digests=digests))
        self.lease_id, self.api_key = admission.grant.lease_id, self.keys[tenant]
        self.claimed = self._claimed()
        await self.world.leases.cancel(self.lease_id)
        return admission.placement.replica

    def _claimed(self) -> int:
        pool = self.world.replicas.pool(TINY.number, self.world.region.number)
        return sum(one.claims.input_tokens for one in pool)


async def test_the_default_sends_what_begins_alike_to_one_replica() -> None:
    assert PlacementRules().policy is PlacementPolicy.PREFIX_AFFINITY
    scene = Scene()
    first = await scene.send(*SHARED)
    assert {await scene.send(*SHARED, 900 + end) for end in range(6)} == {first}


async def test_least_work_remembers_nothing() -> None:
    scene = Scene(PlacementPolicy.LEAST_WORK)
    served = Counter([await scene.send(*SHARED) for _ in range(6)])
    assert served == {1: 2, 2: 2, 3: 2}


async def test_only_what_is_not_expected_in_the_cache_counts_as_work_to_come() -> None:
    scene = Scene()
    await scene.send(1, 2)
    assert scene.claimed == 100
    await scene.send(1, 3)
    # All but one token: the first digest stands for more bytes than the prompt is expected to have.
    assert scene.claimed == 1


@pytest.mark.parametrize(("bound", "expected"), [(1_000, 250), (3_000, 750), (6_000, 1_024)])
async def test_of_a_prompt_with_more_bytes_than_the_context_has_tokens_a_quarter_is_expected_too(
    bound: int, expected: int
) -> None:
    scene = Scene()
    await scene.send(bound=bound)
    assert scene.claimed == expected


async def test_a_replica_that_failed_is_not_expected_to_have_what_it_was_sent() -> None:
    scene = Scene()
    first = await scene.send(*SHARED)
    key = scene.keys["acme"]
    admission = await scene.admitter.admit(replace(request_for(key), prefix_digests=SHARED))
    assert admission.placement.replica == first
    await scene.admitter.next_offer(key, admission.grant.lease_id)
    await scene.world.leases.cancel(admission.grant.lease_id)
    await scene.send(*SHARED)
    assert scene.claimed == 100


async def test_another_process_of_the_replica_is_not_expected_to_have_it() -> None:
    scene = Scene()
    first = await scene.send(*SHARED)
    scene.world.replicas.leave(scene.world.sessions[first], scene.world.clock.monotonic_seconds())
    scene.world.add_replica(first, incarnation=6, max_requests=64)
    await scene.send(*SHARED)
    assert scene.claimed == 100


requests = st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), max_size=8)


@given(requests, st.lists(st.integers(1, 5), min_size=1, max_size=4))
@settings(max_examples=25)
async def test_what_a_tenant_sends_has_no_influence_on_where_another_goes(
    sent: list[list[int]], asked: list[int]
) -> None:
    alone, beside = Scene(), Scene()
    for scene in (alone, beside):
        await scene.send(*asked, tenant="own")
    for digests in sent:
        await beside.send(*digests, tenant="other")
    assert await beside.send(*asked, tenant="own") == await alone.send(*asked, tenant="own")
    assert beside.claimed == alone.claimed == 1


async def test_digests_that_lie_draw_their_own_requests_alone_and_only_until_the_replica_reports() -> None:
    """A caller over gRPC may say the same digests of long prompts that have nothing in common."""
    scene = Scene()
    busiest = await scene.send(*range(1, 17), tenant="liar", bound=4_000)
    request = request_for(scene.keys["liar"], prompt_tokens_upper_bound=4_000)
    lie = replace(request, prefix_digests=tuple(range(1, 17)))

    async def drawn() -> int:
        return (await scene.admitter.admit(lie)).placement.replica

    def says(load: Load) -> None:
        now_seconds = scene.world.clock.monotonic_seconds()
        scene.world.replicas.report(scene.world.sessions[busiest], load, now_seconds)

    assert {await drawn() for _ in range(20)} == {busiest}
    # It has not said yet what it holds; what each of them takes of it counts, whatever is said of its prompt.
    assert busiest not in {await scene.send(tenant="own") for _ in range(6)}
    says(busy(waiting=20, waiting_input_tokens=20_000, input_tokens_per_second=4_096))
    assert busiest not in {await drawn() for _ in range(6)}
    assert busiest not in {await scene.send(tenant="own") for _ in range(6)}


async def test_a_place_among_64_replicas_takes_the_router_few_calls() -> None:
    """Counted, since times depend on the machine: each call is about a tenth of a microsecond."""
    scene, calls = Scene(), Counter[str]()
    offers = scene.world.offers
    for number in range(4, 65):
        scene.world.add_replica(number, incarnation=5, max_requests=64)
    digests = tuple(range(1, 17))
    want = Want(TINY.number, 1_024, 4_000, beginning=Beginning(1, digests))
    offers.place(Identity.random(), want)
    lease_id = Identity.random()
    sys.setprofile(lambda frame, event, argument: calls.update([event]))
    try:
        offers.place(lease_id, want)
    finally:
        sys.setprofile(None)
    assert calls["call"] + calls["c_call"] < 18 * 64
