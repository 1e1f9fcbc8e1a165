"""Whatever is read late and changed meanwhile, a look leaves nothing in memory of before a change."""

import asyncio
import contextlib
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError
from services.router.adapters.cached_keys import CachedKeys
from services.router.adapters.key_changes import KeyChanges
from services.router.domain.tenancy import Key, KeyChange
from tests.contracts.key_store import store_key
from tests.fakes.keys import MemoryKeys

DIGESTS: Final = [bytes([at]) * 32 for at in range(3)]


class LateKeys(MemoryKeys):
    """Answers a look-up as of when it was asked, when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[asyncio.Event] = []

    async def find(self, digest: bytes) -> Key | None:
        found, may_answer = await super().find(digest), asyncio.Event()
        self.late.append(may_answer)
        await may_answer.wait()
        return found


class Scene:
    """A store that another router changes too, and what one remembers of it."""

    def __init__(self) -> None:
        self.store, clock = LateKeys(), ManualClock()
        self.cached = CachedKeys(self.store, clock)
        self.changes = KeyChanges(self.store, self.cached, clock)
        self.reading: list[asyncio.Task[Key | None]] = []

    async def find(self, at: int) -> None:
        self.reading.append(asyncio.create_task(self.cached.find(DIGESTS[at])))

    async def answer(self, at: int) -> None:
        if self.store.late:
            self.store.late.pop(at % len(self.store.late)).set()

    async def create(self, at: int) -> None:
        with contextlib.suppress(ComptoirError):
            await store_key(self.store, digest=DIGESTS[at])

    async def create_here(self, at: int) -> None:
        with contextlib.suppress(ComptoirError):
            await store_key(self.cached, digest=DIGESTS[at])

    async def disable_tenant(self, at: int) -> None:
        await self.store.disable_tenant("acme", is_disabled=bool(at))

    async def change(self, at: int) -> None:
        for number in self.some_number(at):
            await self.store.change_key(number, KeyChange(label=str(self.store.changes)))

    async def change_here(self, at: int) -> None:
        for number in self.some_number(at):
            await self.cached.change_key(number, KeyChange(label=str(self.store.changes)))

    async def rotate(self, at: int) -> None:
        if not any(DIGESTS[at] in key.digests for key in self.store.keys.values()):
            for number in self.some_number(at):
                await self.store.rotate_key(number, DIGESTS[at], 10_000)

    async def delete(self, at: int) -> None:
        for number in self.some_number(at):
            await self.store.delete_key(number)

    async def look(self, _at: int) -> None:
        await self.changes.look()
        self.check()

    def some_number(self, at: int) -> list[int]:
        numbers = sorted(self.store.keys)
        return [numbers[at % len(numbers)]] if numbers else []

    def check(self) -> None:
        for digest in DIGESTS:
            stored = next((key for key in self.store.keys.values() if digest in key.digests), None)
            remembered = self.cached._found.get(digest)
            assert remembered is None or remembered[0] == stored
            assert stored is None or digest not in self.cached._absent


STEPS: Final = st.tuples(
    st.sampled_from(
        [
            Scene.find,
            Scene.answer,
            Scene.create,
            Scene.create_here,
            Scene.disable_tenant,
            Scene.change,
            Scene.change_here,
            Scene.rotate,
            Scene.delete,
            Scene.look,
        ]
    ),
    st.integers(0, 2),
)


async def play(steps: list[tuple[object, int]]) -> None:
    scene = Scene()
    await scene.create(0)
    await scene.look(0)
    for step, at in steps:
        await step(scene, at)  # type: ignore[operator] # a method of the scene
        # A read begins, and one that was answered is remembered.
        for _ in range(3):
            await asyncio.sleep(0)
    for late in scene.store.late:
        late.set()
    await asyncio.gather(*scene.reading)
    await scene.look(0)


@settings(max_examples=300)
@given(st.lists(STEPS, min_size=5, max_size=40))
def test_a_look_leaves_nothing_of_before(steps: list[tuple[object, int]]) -> None:
    asyncio.run(play(steps))
