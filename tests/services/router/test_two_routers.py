"""Two routers of one region: one store of keys, one signing key, a number and leases of each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from comptoir.router.v1 import admin_pb2
from comptoir.ticket.v1 import ticket_pb2

from services.kernel.errors import Reason
from tests.fakes.running_router import (
    RunningRouter,
    admit,
    refused,
    running_router,
    settings_in,
    settlement,
)


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[list[RunningRouter]]:
    first = settings_in(tmp_path)
    addresses = {
        name: getattr(first, name).model_copy(update={"address": f"unix:{tmp_path}/{name}-2"})
        for name in ("listen", "replica_listen", "admin_listen")
    }
    second = first.model_copy(update={"number": 2, **addresses})
    async with running_router(first) as one, running_router(second) as other:
        yield [one, other]


async def test_a_key_of_one_router_is_good_at_the_other_and_tickets_say_who_lent(
    two: list[RunningRouter],
) -> None:
    api_key = await two[0].key()
    for number, router in enumerate(two, start=1):
        async with router.replica() as replica:
            admitted = await router.router.Admit(admit(api_key))
            ticket = admitted.offer.ticket
            assert ticket_pb2.TicketClaims.FromString(ticket.claims).router == number
            assert ticket.signing_key_number == 1
            assert (await replica.report()).router_number == number


async def test_each_router_has_quotas_of_its_own_and_settles_what_it_lent(two: list[RunningRouter]) -> None:
    api_key = await two[0].key(quota=admin_pb2.Quota(concurrency=1))
    async with two[0].replica() as replica, two[1].replica():
        lent = await two[0].router.Admit(admit(api_key))
        await two[1].router.Admit(admit(api_key))
        assert (await refused(two[0].router.Admit(admit(api_key)))).reason is Reason.CONCURRENCY_EXHAUSTED
        await replica.say(settlements=[settlement(lent)])
        await two[0].router.Admit(admit(api_key))
        assert (await refused(two[1].router.Admit(admit(api_key)))).reason is Reason.CONCURRENCY_EXHAUSTED
