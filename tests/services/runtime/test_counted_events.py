"""Events that are alike are sent as one that says how many it stands for."""

import asyncio

import pytest

from services.runtime import counted_events
from services.runtime.counted_events import CountedEvents


async def test_events_of_a_group_become_the_first_of_them_with_their_number() -> None:
    sent: list[tuple[str, int]] = []
    counted = CountedEvents[str](lambda event, count: sent.append((event, count)))
    for number in range(10_000):
        counted.add(number % 2, f"event {number}")
    assert sent == []
    counted.flush()
    assert sent == [("event 0", 5_000), ("event 1", 5_000)]
    counted.flush()
    assert len(sent) == 2


async def test_what_waits_is_sent_by_itself_and_then_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted_events, "WITHIN_SECONDS", 0.01)
    sent: asyncio.Queue[int] = asyncio.Queue()
    counted = CountedEvents[str](lambda _, count: sent.put_nowait(count))
    for _ in range(2):
        counted.add("group", "event")
        assert await asyncio.wait_for(sent.get(), 5) == 1


async def test_groups_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted_events, "MAX_GROUPS", 3)
    sent: list[int] = []
    counted = CountedEvents[int](lambda event, _: sent.append(event))
    for number in range(4):
        counted.add(number, number)
    assert sent == [0, 1, 2, 3]
