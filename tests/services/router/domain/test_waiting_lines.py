"""Who finds no place waits a moment, in order, and leaves nothing behind."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.router.domain import waiting_lines
from services.router.domain.waiting_lines import WaitingLines

FULL, OTHER = Reason.CONCURRENCY_EXHAUSTED, Reason.TOKENS_EXHAUSTED


class Places:
    """Some places, and the order in which they were taken."""

    def __init__(self, places: int, *, wait_seconds: float = 30.0) -> None:
        self.lines = WaitingLines(FULL, wait_seconds=wait_seconds)
        self.free_places = places
        self.failure: Reason | None = None
        self.taken: list[int] = []

    def attempt(self, number: int) -> Callable[[], Awaitable[int]]:
        async def take() -> int:
            if self.failure is not None:
                raise ComptoirError(self.failure)
            if not self.free_places:
                raise ComptoirError(FULL, retry_after_seconds=1.0, numbers=Numbers(1, 1))
            self.free_places -= 1
            self.taken.append(number)
            return number

        return take

    async def ask(self, number: int, *, most: int = 100) -> "asyncio.Task[int]":
        """Ask for a place, and let it get as far as it can."""
        asking = asyncio.create_task(self.lines.take("key", self.attempt(number), most=most))
        await settle()
        return asking

    async def give_back(self) -> None:
        self.free_places += 1
        self.lines.free("key")
        await settle()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def reason_of(asking: "asyncio.Task[int]") -> Reason:
    with pytest.raises(ComptoirError) as refusal:
        await asyncio.wait_for(asking, 5)
    return refusal.value.reason


async def test_a_place_that_is_free_is_taken_at_once() -> None:
    places = Places(1)
    assert (await places.ask(1)).result() == 1
    assert places.lines.waiting == 0


async def test_those_who_wait_are_served_in_their_order() -> None:
    places = Places(0)
    asking = [await places.ask(number) for number in (1, 2, 3)]
    for _ in asking:
        await places.give_back()
    assert places.taken == [1, 2, 3]
    assert places.lines.waiting == 0


async def test_who_comes_later_does_not_pass_those_who_wait() -> None:
    places = Places(0)
    first = await places.ask(1)
    places.free_places = 1
    second = await places.ask(2)
    assert not second.done()
    places.lines.free("key")
    await settle()
    assert first.result() == 1
    second.cancel()


async def test_two_places_that_become_free_at_once_serve_two() -> None:
    places = Places(0)
    asking = [await places.ask(number) for number in (1, 2, 3)]
    places.free_places = 1
    await places.give_back()
    assert [one.done() for one in asking] == [True, True, False]
    asking[2].cancel()


async def test_a_wait_that_is_over_ends_in_the_refusal_with_its_numbers() -> None:
    places = Places(0, wait_seconds=0.01)
    asking = [await places.ask(number) for number in (1, 2)]
    for one in asking:
        with pytest.raises(ComptoirError) as refusal:
            await asyncio.wait_for(one, 5)
        assert (refusal.value.reason, refusal.value.numbers) == (FULL, Numbers(1, 1))
        assert refusal.value.retry_after_seconds == 1.0
    assert places.lines.waiting == 0
    assert not places.lines._lines


async def test_any_other_refusal_ends_the_wait_and_lets_the_next_one_try() -> None:
    places = Places(0)
    first, second = [await places.ask(number) for number in (1, 2)]
    places.failure = OTHER
    places.lines.free("key")
    assert await reason_of(first) is OTHER
    assert await reason_of(second) is OTHER
    assert not places.lines._lines


async def test_who_leaves_while_waiting_hands_the_place_on() -> None:
    places = Places(0)
    first, second, third = [await places.ask(number) for number in (1, 2, 3)]
    second.cancel()
    await settle()
    places.free_places = 1
    places.lines.free("key")
    # Called, and gone before it could try.
    first.cancel()
    await settle()
    assert third.result() == 3
    assert places.lines.waiting == 0
    assert not places.lines._lines


async def test_more_than_may_wait_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(0)
    waiting = [await places.ask(number, most=2) for number in (1, 2)]
    assert await reason_of(await places.ask(3, most=2)) is FULL
    monkeypatch.setattr(waiting_lines, "MAX_WAITING", 2)
    assert await reason_of(await places.ask(4)) is FULL
    for one in waiting:
        one.cancel()


async def test_without_a_wait_nobody_waits() -> None:
    places = Places(0, wait_seconds=0.0)
    assert await reason_of(await places.ask(1)) is FULL


async def test_lines_of_different_names_do_not_wait_for_one_another() -> None:
    places = Places(0)
    first = await places.ask(1)
    other = asyncio.create_task(places.lines.take("other", places.attempt(2), most=9))
    await settle()
    places.free_places = 1
    places.lines.free("other")
    await settle()
    assert other.done()
    assert not first.done()
    places.free_places = 1
    places.lines.free_all()
    assert await first == 1


@given(
    st.lists(st.sampled_from(["ask", "give back", "leave"]), max_size=40), st.randoms(use_true_random=False)
)
def test_in_any_order_of_events_no_place_is_idle_while_somebody_waits(
    steps: list[str], chance: object
) -> None:
    asyncio.run(_any_order(steps, chance))


async def _any_order(steps: list[str], chance: object) -> None:
    places = Places(1)
    asking: list[asyncio.Task[int]] = []
    for number, step in enumerate(steps):
        waiting = [one for one in asking if not one.done()]
        if step == "ask":
            asking.append(await places.ask(number))
        elif step == "give back":
            await places.give_back()
        elif waiting:
            chance.choice(waiting).cancel()  # type: ignore[attr-defined]
            await settle()
        waiting = [one for one in asking if not one.done()]
        assert not (waiting and places.free_places)
        assert places.lines.waiting == len(waiting)
    assert places.taken == sorted(places.taken)
    for one in asking:
        one.cancel()
    await settle()
    assert not places.lines._lines
