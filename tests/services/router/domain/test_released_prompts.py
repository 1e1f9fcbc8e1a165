"""What a key has back of a request's prompts that were admitted before another of them was refused."""

from services.kernel.errors import Reason
from services.router.domain.tenancy import Quota
from tests.fakes.router import LIMITS, AdmissionWorld, busy, refusal_of, request_for


async def test_prompts_that_were_admitted_before_another_was_refused_stay_requests_of_the_minute() -> None:
    """Their tickets had left the router; tokens and places come back, once the tickets are dead."""
    world = AdmissionWorld()
    world.add_replica(1)
    api_key = await world.key(quota=Quota(requests_per_minute=3, tokens_per_minute=600, concurrency=3))
    admitted = [await world.admitter.admit(request_for(api_key)) for _ in range(3)]
    assert (await refusal_of(world, request_for(api_key))).reason is Reason.REQUESTS_EXHAUSTED
    for each in admitted:
        assert await world.leases.release(each.grant.lease_id)
    world.clock.advance(LIMITS.reserved_seconds)
    await world.leases.expire()
    assert world.store.in_flight == 0
    world.replicas.report(world.sessions[1], busy(running=0), world.clock.monotonic_seconds())
    left = (await world.admitter.admit(request_for(api_key))).quota
    assert left.remaining_tokens == 600 - 150
    assert left.remaining_requests == int(3 * LIMITS.reserved_seconds / 60) - 1 < 3 - 1
