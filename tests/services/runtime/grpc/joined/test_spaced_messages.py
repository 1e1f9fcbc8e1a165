"""Spaced messages of one stream: the first leaves at once, what comes up behind it travels together."""

import asyncio
from pathlib import Path

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.runtime.grpc.joined.message_spacing import MessageSpacing
from tests.services.runtime.grpc.joined.shouting import Shouting, shouting

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/s.sock"


class Held:
    """A spacing whose time stands still: behind the first message all wait until the test lets them go."""

    def __init__(self) -> None:
        self.is_held = asyncio.Event()
        self.may_leave = asyncio.Event()
        self.spacing = MessageSpacing(0.002, clock=lambda: 0.0, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        assert seconds <= 0.002
        self.is_held.set()
        await self.may_leave.wait()


async def within(waited: "asyncio.Future[str]") -> str:
    return await asyncio.wait_for(waited, 10)


async def is_held(held: Held) -> None:
    await asyncio.wait_for(held.is_held.wait(), 10)


async def until_read(service: Shouting, count: int) -> None:
    async with asyncio.timeout(10):
        while len(service.words) < count:  # noqa: ASYNC110 - what is waited for is gRPC's doing
            await asyncio.sleep(0)


async def until_said(service: Shouting) -> None:
    async with asyncio.timeout(10):
        while any(words.qsize() for words in service.words.values()):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
    # Those that took their words say them in the next turn.
    await asyncio.sleep(0)


async def test_the_first_question_leaves_at_once_and_those_behind_it_share_a_message(address: str) -> None:
    calling = Held()
    async with shouting(address, calling=calling.spacing) as (service, listening):
        for number in range(1, 6):
            service.say(number, f"word {number}")
        assert await within(listening.ask(1)) == "word 1"
        assert not calling.is_held.is_set()
        second = listening.ask(2)
        await is_held(calling)
        others = [listening.ask(number) for number in range(3, 6)]
        calling.may_leave.set()
        assert [await within(one) for one in (second, *others)] == [f"word {it}" for it in range(2, 6)]
        assert service.messages_read == 2


async def test_a_call_that_is_given_up_while_it_is_held_back_is_told_in_its_order(address: str) -> None:
    calling = Held()
    async with shouting(address, calling=calling.spacing) as (service, listening):
        service.say(1, "one")
        assert await within(listening.ask(1)) == "one"
        listening.ask(2)
        await is_held(calling)
        listening.send(-2)
        again = listening.ask(3)
        calling.may_leave.set()
        service.say(3, "three")
        assert await within(again) == "three"
        assert service.messages_read == 2


async def test_calls_that_are_held_back_fail_where_the_stream_is_closed(address: str) -> None:
    calling = Held()
    async with shouting(address, calling=calling.spacing) as (service, listening):
        service.say(1, "one")
        assert await within(listening.ask(1)) == "one"
        lost = listening.ask(2)
        await is_held(calling)
        await listening.stream.close()
        with pytest.raises(ComptoirError) as failure:
            await within(lost)
        assert failure.value.reason is Reason.UNAVAILABLE
        assert 2 not in service.words


async def test_answers_behind_the_first_share_a_message_in_their_order(address: str) -> None:
    called = Held()
    async with shouting(address, called=called.spacing) as (service, listening):
        futures = {number: listening.ask(number) for number in range(1, 5)}
        await until_read(service, 4)
        service.say(1, "first")
        assert await within(futures[1]) == "first"
        assert not called.is_held.is_set()
        service.say(3, "third")
        await is_held(called)
        service.say(2, "second")
        service.say(4, "fourth")
        await until_said(service)
        called.may_leave.set()
        assert await within(futures[4]) == "fourth"
        assert service.messages_written == [[(1, "first")], [(3, "third"), (2, "second"), (4, "fourth")]]


async def test_a_server_that_drains_sends_what_it_holds_back_before_the_stream_ends(address: str) -> None:
    called = Held()
    async with shouting(address, called=called.spacing) as (service, listening):
        first, second = listening.ask(1), listening.ask(2)
        await until_read(service, 2)
        service.say(1, "first")
        assert await within(first) == "first"
        service.say(2, "second")
        await is_held(called)
        assert service.server is not None
        draining = asyncio.create_task(service.server.drain(10))
        await asyncio.sleep(0)
        called.may_leave.set()
        assert await within(second) == "second"
        await asyncio.wait_for(draining, 20)
