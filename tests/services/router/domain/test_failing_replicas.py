"""A replica that fails its requests at once looks idle, and gets no more than it takes to find out."""

from collections import Counter

from services.kernel.errors import Reason
from services.kernel.identity import Identity
from services.router.domain.amount import Amount
from services.router.domain.lease import Settlement
from services.router.domain.limits import PlacementRules, RouterLimits
from services.router.domain.placement.circuit import CircuitRules
from services.router.domain.quota import Payer
from tests.fakes.router import changed_limits, request_for
from tests.services.router.domain.test_offers import Scene, reason_of


async def first_choices(scene: Scene, *, requests: int, failing: set[int]) -> Counter[int]:
    """How many requests each replica got first, of which some fail all at once and others answer all."""
    firsts: Counter[int] = Counter()
    scene.api_key = scene.api_key or await scene.world.key()
    # One that remembers whose turn it was.
    admitter = scene.world.admitter
    for _ in range(requests):
        admission = await admitter.admit(request_for(scene.api_key))
        ticket = scene.signed[-1]
        firsts[ticket.replica] += 1
        if ticket.replica in failing and len(failing) < len(scene.world.sessions):
            await scene.refuse(ticket)
            await admitter.next_offer(scene.api_key, admission.grant.lease_id)
            ticket = scene.signed[-1]
        await scene.accept(ticket)
        await answer(scene, ticket.lease_id, ticket.ticket_id, ticket.replica)
        scene.world.clock.advance(0.05)
    return firsts


async def answer(scene: Scene, lease_id: Identity, ticket_id: Identity, replica: int) -> None:
    process = scene.process(replica)
    await scene.world.leases.settle(
        Settlement(lease_id, ticket_id, Payer(1, 1), Amount(9), process, has_output=True)
    )


def rules(failures: int) -> RouterLimits:
    circuit = CircuitRules(failures=failures, open_seconds=60.0)
    return changed_limits(placement=PlacementRules(circuit=circuit), report_timeout_seconds=1e6)


async def test_a_replica_that_fails_fast_does_not_become_the_favourite() -> None:
    firsts = await first_choices(Scene(3, rules(5)), requests=100, failing={1})
    assert firsts[1] == 5
    assert min(firsts[2], firsts[3]) > 40


async def test_without_the_rule_it_is_the_favourite() -> None:
    firsts = await first_choices(Scene(3, rules(0)), requests=99, failing={1})
    assert firsts[1] > max(firsts[2], firsts[3])


async def test_it_is_tried_with_one_request_and_gets_its_share_again_once_that_is_answered() -> None:
    scene = Scene(2, rules(5))
    await first_choices(scene, requests=20, failing={1})
    scene.world.clock.advance(60.0)
    assert (await first_choices(scene, requests=20, failing=set()))[1] == 10


async def test_where_every_replica_is_left_alone_requests_are_sent_all_the_same() -> None:
    scene = Scene(2, rules(1))
    await first_choices(scene, requests=2, failing={1})
    admission = await scene.admitted()
    assert scene.signed[-1].replica == 2
    await scene.another(admission)
    assert scene.signed[-1].replica == 1


async def test_a_process_that_replaces_one_that_failed_starts_with_a_clean_slate() -> None:
    scene = Scene(2, rules(1))
    await first_choices(scene, requests=2, failing={1})
    scene.restart(1, incarnation=6)
    assert (await first_choices(scene, requests=4, failing=set()))[1] == 2


async def test_a_caller_that_asks_and_asks_for_another_ticket_turns_nobody_away_from_a_replica() -> None:
    scene = Scene(2, rules(5))
    admission = await scene.admitted()
    # One that remembers who failed.
    admitter, lease_id = scene.world.admitter, admission.grant.lease_id
    await admitter.next_offer(scene.api_key, lease_id)
    for _ in range(20):
        assert await reason_of(admitter.next_offer(scene.api_key, lease_id)) is Reason.NO_REPLICA
    assert [one.circuit.failures for one in scene.world.replicas.everyone()] == [1, 1]
