"""Another ticket of a lease: for whom, for which replica, how often, and what it permits."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contract.ticket import TicketClaims
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.domain.admission import Admission
from services.router.domain.amount import NOTHING, Amount
from services.router.domain.lease import Process, Settlement
from services.router.domain.limits import RouterLimits
from services.router.domain.quota import Payer
from services.router.domain.tenancy import Quota
from services.router.domain.ticket import TicketOffer
from tests.fakes.router import LIMITS, AdmissionWorld, busy, request_for

ALONE = Quota(tokens_per_minute=200, concurrency=1)


def payer_of(ticket: TicketClaims) -> Payer:
    return Payer(ticket.tenant, ticket.key)


class Scene:
    """A request that was admitted, and what its caller and its replicas do then."""

    def __init__(self, replicas: int, limits: RouterLimits = LIMITS) -> None:
        self.world = AdmissionWorld(limits=limits)
        self.api_key = ""
        for number in range(1, replicas + 1):
            self.world.add_replica(number, incarnation=5)

    async def admitted(self, quota: Quota | None = None) -> Admission:
        self.api_key = self.api_key or await self.world.key(quota=quota)
        return await self.world.admitter.admit(request_for(self.api_key))

    async def another(self, admission: Admission, *, api_key: str = "", needs: int = 0) -> TicketOffer:
        lease_id = admission.grant.lease_id
        return await self.world.admitter.next_offer(api_key or self.api_key, lease_id, needs=needs)

    async def refuse(self, ticket: TicketClaims) -> None:
        """What a replica says that did not serve a ticket."""
        process = self.process(ticket.replica)
        settlement = Settlement(
            ticket.lease_id, ticket.ticket_id, payer_of(ticket), NOTHING, process, is_unserved=True
        )
        await self.world.leases.settle(settlement)

    async def accept(self, ticket: TicketClaims) -> None:
        tokens = ticket.max_input_tokens + ticket.max_output_tokens
        await self.world.leases.accept(
            self.process(ticket.replica),
            ticket.lease_id,
            ticket.ticket_id,
            payer=payer_of(ticket),
            permitted=Amount(tokens),
        )

    def restart(self, number: int, *, incarnation: int) -> None:
        """Another process of a replica registers, as one that is killed and started again."""
        self.world.replicas.leave(self.world.sessions[number], self.world.clock.monotonic_seconds())
        self.world.add_replica(number, incarnation=incarnation)

    def process(self, number: int) -> Process:
        everyone = self.world.replicas.everyone()
        return next(one.registration.process for one in everyone if one.registration.replica == number)

    @property
    def signed(self) -> list[TicketClaims]:
        return self.world.signer.signed


async def reason_of(asked: Awaitable[object]) -> Reason:
    with pytest.raises(ComptoirError) as refusal:
        await asked
    return refusal.value.reason


async def test_a_request_is_admitted_with_one_ticket_however_many_replicas_there_are() -> None:
    scene = Scene(replicas=3)
    admission = await scene.admitted()
    (ticket,) = scene.signed
    assert admission.offer.generator_address == f"127.0.0.1:{9000 + ticket.replica}"
    assert [event.tickets for event in scene.world.log.events] == [1]


async def test_another_ticket_permits_the_same_on_another_replica() -> None:
    scene = Scene(replicas=2)
    offer = await scene.another(await scene.admitted())
    first, second = scene.signed
    assert offer.generator_address == f"127.0.0.1:{9000 + second.replica}"
    assert {first.replica, second.replica} == {1, 2}
    assert second.attempt == 2
    same = {"ticket_id": first.ticket_id, "replica": first.replica, "attempt": 1}
    assert replace(second, **same) == first  # type: ignore[arg-type] # by name


async def test_blocks_are_predicted_for_all_choices_on_each_ticket() -> None:
    scene = Scene(replicas=2)
    scene.api_key = await scene.world.key()
    request = replace(request_for(scene.api_key), max_output_tokens=400, choices=3)
    await scene.another(await scene.world.admitter.admit(request))
    first, second = scene.signed
    # A quarter of the prompt's bytes, and three answers of usual length.
    blocks = -(-(25 + 3 * 256) // 16)
    assert first.predicted_kv_blocks == second.predicted_kv_blocks == blocks
    assert [event.predicted_kv_blocks for event in scene.world.log.events] == [blocks]


async def test_the_replica_that_is_best_now_gets_it_and_not_the_one_that_was() -> None:
    scene = Scene(replicas=3)
    admission = await scene.admitted()
    first = scene.signed[0].replica
    idle, busier = sorted({1, 2, 3} - {first}, reverse=True)
    now_seconds = scene.world.clock.monotonic_seconds()
    scene.world.replicas.report(scene.world.sessions[busier], busy(running=3), now_seconds)
    await scene.another(admission)
    assert scene.signed[-1].replica == idle
    assert scene.world.in_flight(idle) == 1
    assert scene.world.in_flight(first) == 0


async def test_a_replica_that_came_meanwhile_gets_it_and_so_does_the_next_process_of_the_one_that_died() -> (
    None
):
    scene = Scene(replicas=1)
    admission = await scene.admitted()
    assert await reason_of(scene.another(admission)) is Reason.NO_REPLICA
    scene.restart(1, incarnation=6)
    await scene.another(admission)
    scene.world.add_replica(2, incarnation=5)
    await scene.another(admission)
    assert [ticket.replica for ticket in scene.signed] == [1, 1, 2]


async def test_a_refusal_for_want_of_a_replica_takes_nothing_of_the_lease() -> None:
    scene = Scene(replicas=1)
    admission = await scene.admitted()
    scene.world.add_replica(2, max_requests=1, load=busy(running=1))
    assert await reason_of(scene.another(admission)) is Reason.REPLICA_OVERLOADED
    scene.world.add_replica(3)
    await scene.another(admission)
    assert [(ticket.replica, ticket.attempt) for ticket in scene.signed] == [(1, 1), (3, 2)]


async def test_nobody_gets_a_ticket_of_anothers_lease() -> None:
    scene = Scene(replicas=2)
    admission = await scene.admitted()
    stranger = await scene.world.key()
    assert await reason_of(scene.another(admission, api_key=stranger)) is Reason.LEASE_ENDED
    assert await reason_of(scene.another(admission, api_key="nonsense")) is Reason.KEY_INVALID
    nobodys = replace(admission, grant=replace(admission.grant, lease_id=Identity(9, 9)))
    assert await reason_of(scene.another(nobodys)) is Reason.LEASE_ENDED
    assert len(scene.signed) == 1


async def test_a_key_that_was_revoked_meanwhile_gets_none() -> None:
    scene = Scene(replicas=2)
    admission = await scene.admitted()
    await scene.world.keys.revoke_key(2, 10)
    assert await reason_of(scene.another(admission)) is Reason.KEY_INVALID


async def test_callers_that_ask_side_by_side_get_no_more_than_three_of_a_lease() -> None:
    scene = Scene(replicas=5)
    admission = await scene.admitted()
    asked = [scene.another(admission) for _ in range(10)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    reasons = [result.reason for result in results if isinstance(result, ComptoirError)]
    assert reasons == [Reason.LEASE_ENDED] * 8
    assert sorted(ticket.attempt for ticket in scene.signed) == [1, 2, 3]


async def test_a_signer_that_fails_leaves_the_replica_its_place() -> None:
    scene = Scene(replicas=2)
    admission = await scene.admitted()
    scene.world.signer.failure = RuntimeError()
    with pytest.raises(RuntimeError):
        await scene.another(admission)
    assert (scene.world.in_flight(1), scene.world.in_flight(2)) == (0, 0)


async def test_an_answer_that_ended_gives_no_further_ticket() -> None:
    scene = Scene(replicas=2)
    admission = await scene.admitted()
    (ticket,) = scene.signed
    await scene.accept(ticket)
    process = scene.process(ticket.replica)
    await scene.world.leases.settle(
        Settlement(ticket.lease_id, ticket.ticket_id, payer_of(ticket), Amount(9), process)
    )
    assert await reason_of(scene.another(admission)) is Reason.LEASE_ENDED


async def test_a_key_with_one_place_moves_on_from_a_replica_that_died_with_its_request() -> None:
    scene = Scene(replicas=2)
    admission = await scene.admitted(ALONE)
    (ticket,) = scene.signed
    await scene.accept(ticket)
    scene.world.replicas.leave(scene.world.sessions[ticket.replica], scene.world.clock.monotonic_seconds())
    offer = await scene.another(admission)
    assert offer.generator_address != admission.offer.generator_address
    await scene.accept(scene.signed[-1])
    counts = scene.world.transitions
    assert (counts["reserved"], counts["accepted"], counts["accepted_unreserved"]) == (2, 2, 0)


async def test_a_caller_whose_replica_is_well_gets_no_further_ticket_beyond_the_limits_of_its_key() -> None:
    scene = Scene(replicas=2)
    admission = await scene.admitted(Quota(concurrency=1))
    (ticket,) = scene.signed
    await scene.accept(ticket)
    assert await reason_of(scene.another(admission)) is Reason.CONCURRENCY_EXHAUSTED
    assert len(scene.signed) == 1
    assert scene.world.transitions["reserved"] == 1


class Life(Scene):
    """A lease to which anything happens, in any order."""

    def __init__(self, replicas: int) -> None:
        super().__init__(replicas)
        self.incarnations = itertools.count(6)
        self.is_released = False

    async def begin(self) -> None:
        self.admission = await self.admitted(Quota(tokens_per_minute=10_000, concurrency=3))

    async def ask(self) -> None:
        before = len(self.signed)
        try:
            await self.another(self.admission)
        except ComptoirError as refusal:
            assert refusal.reason in {Reason.LEASE_ENDED, Reason.NO_REPLICA}  # noqa: PT017
            assert len(self.signed) == before
        else:
            assert not self.is_released
            assert self.world.store.in_flight >= 1, "a ticket without a reservation"

    async def release(self) -> None:
        self.is_released = True
        await self.world.leases.release(self.admission.grant.lease_id)

    async def wait(self) -> None:
        self.world.clock.advance(1.0)
        await self.world.leases.expire()

    async def die(self) -> None:
        self.restart(self.signed[-1].replica, incarnation=next(self.incarnations))
        await self.world.leases.lose_gone()

    async def be_refused(self) -> None:
        await self.refuse(self.signed[-1])

    async def be_accepted(self) -> None:
        await self.accept(self.signed[-1])


STEPS = st.sampled_from([Life.ask, Life.release, Life.wait, Life.die, Life.be_refused, Life.be_accepted])


@given(replicas=st.integers(1, 5), steps=st.lists(STEPS, max_size=20))
async def test_whatever_happens_a_lease_has_three_tickets_at_most_and_none_without_a_reservation(
    replicas: int, steps: list[Callable[[Life], Coroutine[Any, Any, None]]]
) -> None:
    life = Life(replicas)
    await life.begin()
    for step in steps:
        await step(life)
    attempts = [ticket.attempt for ticket in life.signed]
    assert attempts == [1, 2, 3][: len(attempts)]
    assert len({ticket.ticket_id for ticket in life.signed}) == len(attempts)
    counts = life.world.transitions
    taken = sum(counts[name] for name in ("reserved", "accepted_unreserved", "recovered"))
    freed = sum(counts[name] for name in ("settled", "released", "cancelled", "lost", "expired"))
    assert taken == freed + life.world.store.in_flight


async def test_no_ticket_of_a_lease_is_for_a_replica_of_another_tenant() -> None:
    scene = Scene(replicas=1)
    scene.world.add_replica(2, incarnation=5, tenant=99)
    admission = await scene.admitted()
    assert admission.placement.replica == 1
    with pytest.raises(ComptoirError) as refusal:
        await scene.another(admission)
    assert refusal.value.reason is Reason.NO_REPLICA
    own = admission.grant.key.tenant.number
    scene.world.add_replica(3, incarnation=5, tenant=own)
    await scene.another(admission)
