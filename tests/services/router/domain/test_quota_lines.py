"""Who waits for a place of a tenant: the keys have their turns, and no tenant keeps others from waiting."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.router.domain.quota import Payer
from services.router.domain.quota_lines import QuotaLines
from services.router.domain.tenancy import Key, Quota, Tenant

WIDE = Quota(concurrency=100)


def key(number: int, *, tenant: int = 1, quota: Quota = WIDE) -> Key:
    return Key(number, Tenant(tenant, "acme", 1, 1, quota=WIDE), b"", "label", frozenset(), quota, 1)


class Scene:
    """Places of tenants, and who got one in which order."""

    def __init__(self) -> None:
        self.lines = QuotaLines(wait_seconds=60.0)
        self.places = {1: 0, 2: 0}
        self.key_is_full: set[int] = set()
        self.got: list[int] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def lend(self, one: Key) -> None:
        if one.number in self.key_is_full:
            raise ComptoirError(Reason.CONCURRENCY_EXHAUSTED)
        if not self.places[one.tenant.number]:
            raise ComptoirError(Reason.CONCURRENCY_EXHAUSTED, numbers=Numbers(1, 1, is_of_tenant=True))
        self.places[one.tenant.number] -= 1
        self.got.append(one.number)

    async def ask(self, *keys: Key) -> None:
        for one in keys:
            self.tasks.append(asyncio.create_task(self.lines.take(one, partial(self.lend, one))))
        await settled()

    async def free(self, one: Key, places: int = 1) -> None:
        self.places[one.tenant.number] += places
        for _ in range(places):
            self.lines.free(Payer.of(one))
            await settled()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    for task in scene.tasks:
        task.cancel()
    await asyncio.gather(*scene.tasks, return_exceptions=True)
    assert scene.lines.waiting == 0


async def test_a_request_waits_for_a_place_of_its_tenant(scene: Scene) -> None:
    await scene.ask(key(1))
    assert scene.got == []
    await scene.free(key(2))
    assert scene.got == [1]


async def test_the_keys_of_a_tenant_have_their_turns_however_many_of_each_wait(scene: Scene) -> None:
    await scene.ask(*(key(1) for _ in range(5)), key(2), key(3), key(2))
    await scene.free(key(9), 8)
    assert sorted(scene.got[:3]) == [1, 2, 3]
    assert sorted(scene.got) == [1, 1, 1, 1, 1, 2, 2, 3]


async def test_nobody_is_passed_over_by_one_that_comes_later(scene: Scene) -> None:
    await scene.ask(key(1))
    scene.places[1] = 1
    await scene.ask(key(2))
    await scene.free(key(9), 0)
    scene.lines.free(Payer(1, 9))
    await settled()
    assert scene.got[0] == 1


async def test_a_key_that_is_full_itself_stands_in_no_other_keys_way(scene: Scene) -> None:
    await scene.ask(key(1), key(2))
    scene.key_is_full = {1}
    await scene.free(key(9))
    assert scene.got == [2]


async def test_of_a_tenant_no_more_wait_than_leaves_others_room(scene: Scene) -> None:
    await scene.ask(*(key(number) for number in range(1, 2_000)))
    waiting = scene.lines.waiting
    assert waiting <= 256
    refused = [task for task in scene.tasks if task.done()]
    assert len(refused) == 1_999 - waiting
    assert {task.exception().reason for task in refused} == {Reason.CONCURRENCY_EXHAUSTED}  # type: ignore[union-attr]
    await scene.ask(key(5_000, tenant=2))
    await scene.free(key(5_001, tenant=2))
    assert scene.got == [5_000]


async def test_no_more_of_a_key_wait_than_may_run(scene: Scene) -> None:
    scene.key_is_full = {1}
    await scene.ask(*(key(1, quota=Quota(concurrency=2)) for _ in range(3)))
    assert [task.done() for task in scene.tasks] == [False, False, True]


async def test_who_finds_no_place_of_its_tenant_is_refused_however_often_its_key_has_one() -> None:
    scene = Scene()
    scene.lines = QuotaLines(wait_seconds=0.05)

    async def free_places_of_the_key() -> None:
        while True:
            scene.lines.free(Payer.of(key(1)))
            await asyncio.sleep(0)

    freeing = asyncio.create_task(free_places_of_the_key())
    with pytest.raises(ComptoirError, check=lambda error: error.reason is Reason.CONCURRENCY_EXHAUSTED):
        await asyncio.wait_for(scene.lines.take(key(1), partial(scene.lend, key(1))), 10)
    freeing.cancel()
