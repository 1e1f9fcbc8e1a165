"""Of the engines of one model a request gets one that has what it asks for, with every ticket."""

from services.kernel.engine_features import EngineFeature
from services.kernel.errors import Reason
from tests.fakes.router import AdmissionWorld, refusal_of, request_for

LOGPROBS = EngineFeature.LOGPROBS


async def test_a_request_is_placed_on_the_engine_that_has_what_it_needs() -> None:
    world = AdmissionWorld()
    for number in range(1, 4):
        world.add_replica(number, features=LOGPROBS if number == 2 else 0)
    key = await world.key()
    for _ in range(3):
        admission = await world.admitter.admit(request_for(key, needs=LOGPROBS))
        assert admission.placement.replica == 2


async def test_what_no_engine_of_the_model_has_is_refused_by_name_and_nothing_stays_reserved() -> None:
    world = AdmissionWorld()
    world.add_replica(1, features=0)
    refusal = await refusal_of(world, request_for(await world.key(), needs=LOGPROBS))
    assert (refusal.reason, refusal.field) == (Reason.PARAMETER_UNSUPPORTED, "sampling.logprobs")
    assert world.in_flight(1) == 0


async def test_the_next_ticket_is_for_an_engine_that_has_it_too() -> None:
    world = AdmissionWorld()
    for number, features in enumerate((LOGPROBS, 0, 0, LOGPROBS), 1):
        world.add_replica(number, features=features)
    key = await world.key()
    admission = await world.admitter.admit(request_for(key, needs=LOGPROBS))
    lease = admission.grant.lease_id
    world.replicas.judge(admission.placement.process, world.clock.monotonic_seconds(), has_failed=True)
    offer = await world.admitter.next_offer(key, lease, needs=LOGPROBS)
    assert {admission.placement.address, offer.generator_address} == {"127.0.0.1:9001", "127.0.0.1:9004"}
