"""A call that its time has cancelled fails by that, and no other does."""

import asyncio

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.runtime.grpc.joined.time_limits import TimeLimits


async def test_a_call_ends_once_its_time_is_over_and_fails_by_that() -> None:
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    limits = TimeLimits(ended.set_result)
    limits.begin(7, 1)
    assert await asyncio.wait_for(ended, 5) == 7
    failure = limits.failure(7, asyncio.CancelledError())
    assert isinstance(failure, ComptoirError)
    assert failure.reason is Reason.DEADLINE_EXCEEDED


async def test_a_call_that_was_over_when_its_time_came_has_what_it_ended_with() -> None:
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    limits, defect = TimeLimits(ended.set_result), ValueError("a defect")
    limits.begin(7, 1)
    await asyncio.wait_for(ended, 5)
    assert limits.failure(7, defect) is defect
    limits.begin(8, 600_000)
    assert limits.failure(8, None) is None


@pytest.mark.parametrize("milliseconds", [0, 600_000])
async def test_a_call_that_its_caller_cancelled_in_time_is_a_call_that_was_cancelled(
    milliseconds: int,
) -> None:
    limits, cancelled = TimeLimits(lambda _: None), asyncio.CancelledError()
    limits.begin(7, milliseconds)
    assert limits.failure(7, cancelled) is cancelled
