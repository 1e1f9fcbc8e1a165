"""Many calls on one stream: each gets its own answer and its own end, and none stops another."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.runtime import logs
from services.runtime.addresses import GrpcTarget
from services.runtime.grpc.joined import idle
from services.runtime.grpc.server import channel
from tests.services.runtime.grpc.joined.shouting import (
    MAX_CALLS,
    METHOD,
    Listening,
    Shouting,
    shouting,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/s.sock"


async def heard(future: "asyncio.Future[str]") -> str:
    return await asyncio.wait_for(future, 5)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for is gRPC's doing
            await asyncio.sleep(0)


async def until_read(service: Shouting, count: int) -> None:
    await until(lambda: len(service.words) >= count)


async def test_each_call_gets_its_own_answer(address: str) -> None:
    async with shouting(address) as (service, listening):
        first, second = listening.ask(1), listening.ask(2)
        service.say(2, "two")
        assert await heard(second) == "two"
        assert not first.done()
        service.say(1, "one")
        assert await heard(first) == "one"
        assert len(service.streams) == 1


async def test_calls_that_come_in_one_turn_travel_in_one_message(address: str) -> None:
    async with shouting(address) as (service, listening):
        futures = [listening.ask(number) for number in range(1, 6)]
        for number in range(1, 6):
            service.say(number, "word")
        assert [await heard(future) for future in futures] == ["word"] * 5
        assert service.messages_read == 1


async def test_answers_that_come_while_one_is_written_travel_together(address: str) -> None:
    async with shouting(address) as (service, listening):
        service.may_write.clear()
        futures = [listening.ask(number) for number in range(1, 6)]
        await until_read(service, 5)
        service.say(1, "first")
        for number in range(2, 6):
            service.say(number, "later")
        service.may_write.set()
        for future in futures:
            await heard(future)
        assert len(service.messages_written) <= 2


async def test_a_call_that_fails_is_the_only_one_that_does(address: str) -> None:
    async with shouting(address) as (service, listening):
        failing, defect, well = listening.ask(1), listening.ask(2), listening.ask(3)
        service.say(1, ComptoirError(Reason.MODEL_NOT_FOUND))
        service.say(2, ValueError("canary7f3a"))
        service.say(3, "well")
        assert await heard(failing) == "MODEL_NOT_FOUND"
        assert await heard(defect) == "INTERNAL"
        assert await heard(well) == "well"


async def test_what_a_failed_call_had_goes_with_it_and_waits_for_no_collector(address: str) -> None:
    gc.collect()
    gc.disable()
    try:
        async with shouting(address) as (service, listening):
            # The frame that raises it has it too.
            failure = ComptoirError(Reason.NO_REPLICA)
            failed = weakref.ref(failure)
            service.say(1, failure)
            del failure
            assert await heard(listening.ask(1)) == Reason.NO_REPLICA.name
            assert failed() is None
    finally:
        gc.enable()


async def test_a_cancelled_call_ends_at_the_other_side_and_no_other_does(address: str) -> None:
    async with shouting(address) as (service, listening):
        listening.ask(1)
        other = listening.ask(2)
        await until_read(service, 2)
        listening.send(-1)
        service.say(2, "here")
        assert await heard(other) == "here"
        await until(lambda: service.cancelled == [1])


async def test_a_call_that_is_cancelled_before_it_began_leaves_nothing_behind(address: str) -> None:
    async with shouting(address) as (service, listening):
        listening.ask(1)
        listening.send(-1)
        follower = listening.ask(2)
        service.say(2, "two")
        assert await heard(follower) == "two"
        again = listening.ask(1)
        service.say(1, "one")
        assert await heard(again) == "one"


async def test_a_number_that_is_in_use_is_refused(address: str) -> None:
    async with shouting(address) as (service, listening):
        listening.ask(1)
        again = listening.ask(1)
        assert await heard(again) == "REQUEST_INVALID"
        assert service.cancelled == []


async def test_more_calls_than_a_stream_may_have_are_refused_one_by_one(address: str) -> None:
    async with shouting(address) as (service, listening):
        held = [listening.ask(number) for number in range(1, MAX_CALLS + 1)]
        above = listening.ask(MAX_CALLS + 1)
        assert await heard(above) == "REPLICA_OVERLOADED"
        service.say(1, "one")
        assert await heard(held[0]) == "one"
        after = listening.ask(MAX_CALLS + 2)
        service.say(MAX_CALLS + 2, "after")
        assert await heard(after) == "after"


async def test_calls_of_a_stream_that_ends_fail_and_the_next_call_opens_another(address: str) -> None:
    async with shouting(address) as (service, listening):
        lost = listening.ask(1)
        await until_read(service, 1)
        await listening.stream.close()
        with pytest.raises(ComptoirError) as failure:
            await heard(lost)
        assert failure.value.reason is Reason.UNAVAILABLE
        following = listening.ask(2)
        service.say(2, "two")
        assert await heard(following) == "two"
        assert service.cancelled == [1]
        assert len(service.streams) == 2


async def test_nobody_at_the_address_fails_the_calls_at_once(tmp_path: Path) -> None:
    async with shouting(f"unix:{tmp_path}/s.sock") as (service, listening):
        assert service.server is not None
        await service.server.drain(0)
        with pytest.raises(ComptoirError) as failure:
            await heard(listening.ask(1))
        assert failure.value.reason is Reason.UNAVAILABLE


async def test_a_call_behind_the_close_of_its_channel_fails_at_once(address: str) -> None:
    async with channel(GrpcTarget(address=address)) as connection:
        listening = Listening(connection)
    with pytest.raises(ComptoirError) as failure:
        await heard(listening.ask(1))
    assert failure.value.reason is Reason.UNAVAILABLE


async def test_each_call_leaves_its_own_line_with_its_own_request_id(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("test", "debug")
    async with shouting(address) as (service, listening):
        futures = [listening.ask(7), listening.ask(8)]
        service.say(7, "seven")
        service.say(8, ValueError("canary7f3a"))
        for future in futures:
            await heard(future)
    lines = capsys.readouterr().err.splitlines()
    assert any(f"{7:032x}" in line and METHOD in line and "OK" in line for line in lines)
    assert any(f"{8:032x}" in line and "ValueError" in line for line in lines)
    assert not any("canary7f3a" in line for line in lines)


async def test_a_stream_without_a_call_ends_and_one_with_a_call_stays(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "_IDLE_SECONDS", 0.05)
    async with shouting(address) as (service, listening):
        long = listening.ask(1)
        await until_read(service, 1)
        await asyncio.sleep(0.2)
        service.say(1, "one")
        assert await heard(long) == "one"
        await until(lambda: not listening.stream.is_open)
        after = listening.ask(2)
        service.say(2, "two")
        assert await heard(after) == "two"


async def test_where_too_many_streams_are_idle_the_longest_idle_gives_way(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "_MOST_IDLE", 2)
    monkeypatch.setattr(idle, "_PATIENCE_SECONDS", 0.0)
    async with shouting(address) as (service, _), channel(GrpcTarget(address=address)) as connection:
        others = [Listening(connection) for _ in range(3)]
        for number, other in enumerate(others, 1):
            service.say(number, "word")
            assert await heard(other.ask(number)) == "word"
        await until(lambda: not others[0].stream.is_open)
        assert [other.stream.is_open for other in others[1:]] == [True, True]
        for other in others:
            await other.stream.close()
