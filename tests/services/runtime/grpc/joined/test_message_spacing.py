import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.grpc.joined.message_spacing import MessageSpacing

SECONDS = 0.002


class Time:
    """A clock that only a sleep moves, and the test."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


async def leave(spacing: MessageSpacing) -> None:
    await spacing.turn()
    spacing.note_leaving()


def spaced(time: Time, seconds: float = SECONDS) -> MessageSpacing:
    return MessageSpacing(seconds, clock=time, sleep=time.sleep)


async def test_the_first_message_leaves_at_once_and_so_does_one_after_a_silence() -> None:
    time = Time()
    spacing = spaced(time)
    await leave(spacing)
    time.now += SECONDS
    await leave(spacing)
    assert time.slept == []


async def test_a_message_behind_another_waits_only_for_what_is_left() -> None:
    time = Time()
    spacing = spaced(time)
    await leave(spacing)
    time.now += 0.75 * SECONDS
    await leave(spacing)
    assert time.slept == [pytest.approx(0.25 * SECONDS, rel=1e-6)]


async def test_without_spacing_nothing_waits() -> None:
    time = Time()
    spacing = spaced(time, 0.0)
    for _ in range(3):
        await leave(spacing)
    assert time.slept == []


async def test_who_waits_and_sends_nothing_holds_nobody_back() -> None:
    time = Time()
    spacing = spaced(time)
    await leave(spacing)
    await spacing.turn()
    await spacing.turn()
    assert len(time.slept) == 1


@given(gaps=st.lists(st.floats(0.0, 3 * SECONDS), min_size=1, max_size=50))
async def test_messages_are_so_far_apart_and_none_waits_longer(gaps: list[float]) -> None:
    time = Time()
    spacing = spaced(time)
    left: list[float] = []
    for gap in gaps:
        time.now += gap
        came = time.now
        await leave(spacing)
        assert time.now - came <= SECONDS + 1e-9
        left.append(time.now)
    assert all(later - earlier >= SECONDS - 1e-9 for earlier, later in itertools.pairwise(left))
