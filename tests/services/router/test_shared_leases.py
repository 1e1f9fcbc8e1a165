"""Two routers that share a Valkey lend what one quota holds, and refuse while it is away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from comptoir.router.v1 import admin_pb2

from services.kernel.errors import Reason
from services.router.settings import RouterSettings
from tests.fakes.running_router import (
    RunningRouter,
    acceptance,
    admit,
    admitted_soon,
    claims,
    next_offer,
    refused,
    release,
    running_router,
    settings_in,
    settlement,
)
from tests.valkey_process import ValkeyProcess

ONE = admin_pb2.Quota(concurrency=1, tokens_per_minute=1_000)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ValkeyProcess]:
    process = ValkeyProcess(tmp_path)
    process.start()
    await process.ready()
    yield process
    process.kill()


@pytest.fixture
def settings(tmp_path: Path, server: ValkeyProcess) -> RouterSettings:
    return settings_in(
        tmp_path,
        lease_store={"address": f"unix:{server.socket}", "timeout_seconds": 10},
        # A place that another router frees is not waited for.
        place_wait_seconds=0,
    )


@pytest.fixture
async def one(settings: RouterSettings) -> AsyncIterator[RunningRouter]:
    async with running_router(settings) as running:
        yield running


@pytest.fixture
async def other(settings: RouterSettings, one: RunningRouter) -> AsyncIterator[RunningRouter]:
    folder = settings.pepper_file.parent / "other"
    folder.mkdir()
    addresses = {
        name: {"address": f"unix:{folder}/{name}"} for name in ("listen", "replica_listen", "admin_listen")
    }
    elsewhere = RouterSettings.model_validate({**settings.model_dump(by_alias=True), **addresses})
    async with running_router(elsewhere) as running:
        yield running


async def test_routers_that_share_a_store_have_no_quotas_of_their_own(
    one: RunningRouter, capsys: pytest.CaptureFixture[str]
) -> None:
    async with one.replica(routers=2):
        listed = await one.admin.ListReplicas(admin_pb2.ListReplicasRequest())
    assert (len(listed.replicas), listed.routers_with_own_quotas) == (1, 0)
    assert "each_router_has_its_own_quotas" not in capsys.readouterr().out


async def test_what_one_router_lent_no_other_lends_again(one: RunningRouter, other: RunningRouter) -> None:
    api_key = await one.key(quota=ONE)
    async with one.replica() as here, other.replica() as there:
        first = await one.router.Admit(admit(api_key))
        assert (await refused(other.router.Admit(admit(api_key)))).reason is Reason.CONCURRENCY_EXHAUSTED
        await here.say(acceptances=[acceptance(first)])
        # The replica tells any router: no ticket names one.
        assert claims(first).router == 0
        await there.say(settlements=[settlement(first, tokens=20)])
        second = await other.router.Admit(admit(api_key))
        assert second.quota.remaining_tokens == pytest.approx(1_000 - 40 - 150, abs=100)
        assert (await refused(one.router.Admit(admit(api_key)))).reason is Reason.CONCURRENCY_EXHAUSTED
        assert (await other.router.Release(release(second))).is_released


async def test_another_router_signs_the_next_ticket_of_a_lease(
    one: RunningRouter, other: RunningRouter
) -> None:
    api_key = await one.key(quota=ONE)
    async with one.replica(), other.replica(replica=8, address="127.0.0.1:9"):
        first = await one.router.Admit(admit(api_key))
        second = await other.router.NextOffer(next_offer(api_key, first))
        assert second.offer.generator_address == "127.0.0.1:9"


async def test_while_the_store_is_away_requests_are_refused_with_the_wait_and_replicas_stay(
    one: RunningRouter, server: ValkeyProcess
) -> None:
    api_key = await one.key(quota=ONE)
    async with one.replica() as replica:
        first = await one.router.Admit(admit(api_key))
        server.kill()
        refusal = await refused(one.router.Admit(admit(api_key)))
        assert (refusal.reason, refusal.retry_after_seconds) == (Reason.QUOTA_UNAVAILABLE, 1.0)
        # What it says of leases is kept, and not confirmed.
        report = await replica.report(acceptances=[acceptance(first)], settlements=[settlement(first)])
        assert (len(report.accepted), len(report.closed)) == (0, 0)
        server.start()
        await server.ready()
        async with asyncio.timeout(20):
            while not (await replica.report()).closed:  # noqa: ASYNC110 - it says what it is asked for
                await asyncio.sleep(0.05)
        assert (await admitted_soon(one, api_key)).lease_id_low


async def test_what_a_replica_says_again_while_the_store_is_away_is_not_kept_each_time(
    one: RunningRouter, server: ValkeyProcess
) -> None:
    api_key = await one.key(quota=ONE)
    async with one.replica() as replica:
        first = await one.router.Admit(admit(api_key))
        server.kill()
        for _ in range(100):
            await replica.report(acceptances=[acceptance(first)], settlements=[settlement(first)])
        server.start()
        await server.ready()
        async with asyncio.timeout(20):
            while not (confirmed := await replica.report()).closed:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        assert len(confirmed.closed) <= 32
        assert (await admitted_soon(one, api_key)).lease_id_low


SHARE = {"while_away": "local_share", "sharing_routers": 2}


async def test_with_a_share_requests_go_on_while_the_store_is_away_and_it_is_told_once_it_is_back(
    tmp_path: Path, server: ValkeyProcess
) -> None:
    address = {"address": f"unix:{server.socket}", "timeout_seconds": 10}
    settings = settings_in(tmp_path, lease_store={**address, **SHARE}, place_wait_seconds=0)
    async with running_router(settings) as running, running.replica() as replica:
        api_key = await running.key(quota=admin_pb2.Quota(concurrency=4))
        before = await running.router.Admit(admit(api_key))
        assert claims(before).router == 0
        server.kill()
        lent = [await running.router.Admit(admit(api_key)) for _ in range(2)]
        # Their replica settles them here: no other router knows them.
        assert [claims(one).router for one in lent] == [1, 1]
        refusal = await refused(running.router.Admit(admit(api_key)))
        assert refusal.reason is Reason.CONCURRENCY_EXHAUSTED
        # Of a report the part is confirmed that is known here.
        said = [acceptance(one) for one in (before, *lent)]
        report = await replica.report(acceptances=said, settlements=[settlement(lent[0])])
        assert (report.router_number, len(report.accepted), len(report.closed)) == (1, 2, 1)
        await running.router.Admit(admit(api_key))
        server.start()
        await server.ready()
        async with asyncio.timeout(20):
            while not (await replica.report(settlements=[settlement(before)])).closed:  # noqa: ASYNC110 - asked
                await asyncio.sleep(0.05)
        assert claims(await admitted_soon(running, api_key)).router == 0
