import asyncio

import pytest

from services.runtime.parts import PartEndedError, Parts, first_of

CANARY = "kanarienvogel-7f3a"


async def fail() -> None:
    raise ZeroDivisionError(CANARY)


async def for_ever() -> None:
    await asyncio.Event().wait()


async def end_at_once() -> None:
    pass


async def test_a_stop_ends_the_wait_and_no_part() -> None:
    parts, stop = Parts(), asyncio.Event()
    task = parts.run("one", for_ever())
    stop.set()
    await asyncio.wait_for(parts.until_stopped(stop), 5)
    assert not task.done()
    await parts.end()
    assert task.cancelled()


async def test_a_part_that_fails_ends_the_wait_with_its_failure_and_is_logged_without_its_text(
    capfd: pytest.CaptureFixture[str],
) -> None:
    parts = Parts()
    other = parts.run("other", for_ever())
    parts.run("one", fail())
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(parts.until_stopped(asyncio.Event()), 5)
    with pytest.raises(ZeroDivisionError):
        await parts.end()
    assert other.cancelled()
    written = "".join(capfd.readouterr())
    assert "part_failed" in written
    assert CANARY not in written


async def test_a_part_that_ends_before_the_stop_ends_the_process() -> None:
    parts = Parts()
    parts.run("expiry", end_at_once())
    with pytest.raises(PartEndedError, match="expiry"):
        await asyncio.wait_for(parts.until_stopped(asyncio.Event()), 5)
    await parts.end()


async def test_a_failure_after_the_stop_is_not_lost() -> None:
    parts, stop = Parts(), asyncio.Event()
    stop.set()
    await parts.until_stopped(stop)
    task = parts.run("one", fail())
    await asyncio.wait({task})
    with pytest.raises(ZeroDivisionError):
        await parts.end()


async def test_a_part_that_fails_with_the_stop_is_not_lost_either() -> None:
    parts, stop = Parts(), asyncio.Event()
    task = parts.run("one", fail())
    await asyncio.wait({task})
    stop.set()
    with pytest.raises(ZeroDivisionError):
        await parts.until_stopped(stop)


async def test_the_first_work_to_end_cancels_the_others_and_waits_for_their_end() -> None:
    seen = []

    async def slow_to_end() -> None:
        try:
            await for_ever()
        finally:
            await asyncio.sleep(0)
            seen.append("ended")

    await asyncio.wait_for(first_of(slow_to_end(), asyncio.sleep(0)), 5)
    assert seen == ["ended"]


async def test_a_time_ends_all_works() -> None:
    await asyncio.wait_for(first_of(for_ever(), for_ever(), within_seconds=0.01), 5)


@pytest.mark.parametrize("other", [for_ever, end_at_once])
async def test_a_failure_of_a_work_is_raised(other: object) -> None:
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(first_of(other(), fail()), 5)  # type: ignore[operator]


async def test_a_work_that_fails_while_it_is_cancelled_is_raised() -> None:
    async def fail_at_the_end() -> None:
        try:
            await for_ever()
        finally:
            await fail()

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(first_of(fail_at_the_end(), asyncio.sleep(0)), 5)


async def test_whoever_is_cancelled_leaves_no_work_behind() -> None:
    works = [asyncio.ensure_future(for_ever()) for _ in range(2)]
    waiting = asyncio.create_task(first_of(*works))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert all(work.cancelled() for work in works)
