"""Who has calls open with a server that drains hears each answer, whatever it asks meanwhile."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.runtime.grpc.joined import answers
from services.runtime.grpc.joined.answers import JoinedAnswers
from tests.fakes.joined import joined_streams
from tests.services.runtime.grpc.joined.shouting import Shouting, shouting

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/s.sock"


async def until_read(service: Shouting, count: int) -> None:
    async with asyncio.timeout(5):
        while len(service.words) < count:  # noqa: ASYNC110 - what is waited for is gRPC's doing
            await asyncio.sleep(0)


async def outcome(future: "asyncio.Future[str]") -> str:
    try:
        return await asyncio.wait_for(future, 5)
    except ComptoirError as error:
        return error.reason.name


def drain(service: Shouting, grace_seconds: float) -> "asyncio.Task[None]":
    assert service.server is not None
    return asyncio.create_task(service.server.drain(grace_seconds))


async def test_a_server_that_drains_lets_calls_end_and_takes_no_new_ones(address: str) -> None:
    async with shouting(address) as (service, listening):
        running = listening.ask(1)
        await until_read(service, 1)
        draining = drain(service, 5)
        await asyncio.sleep(0)
        refused = listening.ask(2)
        assert await outcome(refused) == "UNAVAILABLE"
        service.say(1, "one")
        assert await outcome(running) == "one"
        assert await outcome(listening.ask(3)) == "UNAVAILABLE"
        await draining
        assert await outcome(listening.ask(4)) == "UNAVAILABLE"
        assert len(service.streams) == 1


class BusyReader:
    """A stream whose caller is busy with other things before each message that it reads."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.write, self.cancel = stream.write, stream.cancel

    async def read(self) -> Any:
        await asyncio.sleep(0.02)
        return await self._stream.read()


async def test_who_goes_on_asking_while_a_server_drains_hears_what_it_asked_before(address: str) -> None:
    async with shouting(address) as (service, listening):
        method = listening.stream._method
        listening.stream._method = lambda: BusyReader(method())  # type: ignore[assignment]
        before = [listening.ask(number) for number in range(1, 4)]
        await until_read(service, 3)
        draining = drain(service, 5)
        for number in range(1, 4):
            service.say(number, "word")
            await asyncio.sleep(0.002)
        behind: list[asyncio.Future[str]] = []
        while not (draining.done() and all(future.done() for future in before)):
            behind.append(listening.ask(10 + len(behind)))
            await asyncio.sleep(0.001)
        assert [await outcome(future) for future in before] == ["word"] * 3
        assert {await outcome(future) for future in behind} == {Reason.UNAVAILABLE.name}


async def test_a_caller_that_was_told_nothing_holds_no_drain_up(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "_READ_SECONDS", 60)
    async with shouting(address) as (service, listening):
        listening.ask(1)
        await until_read(service, 1)
        listening.send(-1)
        async with asyncio.timeout(5):
            while not service.cancelled:  # noqa: ASYNC110 - what is waited for is gRPC's doing
                await asyncio.sleep(0)
            await drain(service, 30)


async def test_callers_that_come_again_and_again_hold_no_drain_up() -> None:
    streams = joined_streams()
    before, behind = (JoinedAnswers[Any, Any](streams, "m", outgoing=lambda: None) for _ in range(2))
    streams.enter(before)
    draining = asyncio.create_task(streams.drain(within_seconds=60))
    await asyncio.sleep(0)
    streams.enter(behind)
    streams.leave(before)
    await asyncio.wait_for(draining, 5)


async def test_a_drain_does_not_wait_longer_than_it_may(address: str) -> None:
    async with shouting(address) as (service, listening):
        running = listening.ask(1)
        await until_read(service, 1)
        async with asyncio.timeout(2):
            await drain(service, 0.1)
        assert await outcome(running) == "UNAVAILABLE"
