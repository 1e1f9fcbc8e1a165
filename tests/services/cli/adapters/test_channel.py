"""A pipe between two processes: what is larger than its buffer comes whole, and an end that goes is said."""

import asyncio
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from typing import Final

import pytest
import uvloop

from services.cli.adapters.channel import Begin, Channel, Ended, OtherEndGoneError
from services.cli.bench.exchange import Exchange
from services.cli.bench.sender import Senders
from services.cli.loading.sending import Sent
from services.cli.loading.tally import Tally

SECONDS: Final = 60
# Some megabytes, as a bench of half an hour has them.
MANY: Final = 30_000
Loop = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture(params=[uvloop.new_event_loop, asyncio.new_event_loop])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    loop: Loop = request.param
    with asyncio.Runner(loop_factory=loop) as runner:
        yield runner


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    one, other = (Channel(end) for end in multiprocessing.Pipe())
    yield one, other
    one.close()
    other.close()


async def received(channel: Channel) -> object:
    return await asyncio.wait_for(channel.receive(), SECONDS)


def test_a_message_far_beyond_the_pipe_s_buffer_comes_whole(
    runner: asyncio.Runner, ends: tuple[Channel, Channel]
) -> None:
    command, process = ends
    ended = Ended(Tally(), Sent([Exchange(0.0, float(number), 2.0) for number in range(MANY)], Senders(())))

    async def exchange() -> None:
        command.send(Begin(1.0))
        assert await received(process) == Begin(1.0)
        # Whose next word is waited for while it sends, as a stop is.
        heard = asyncio.create_task(process.receive())
        await asyncio.sleep(0)
        sends = threading.Thread(target=process.send, args=(ended,))
        sends.start()
        whole = await received(command)
        assert isinstance(whole, Ended)
        assert [each.sent_seconds for each in whole.sent.exchanges] == list(range(MANY))
        await asyncio.to_thread(sends.join, SECONDS)
        command.send(Begin(2.0))
        assert await asyncio.wait_for(heard, SECONDS) == Begin(2.0)

    runner.run(exchange())


def test_an_end_that_goes_is_said_to_who_waits_and_to_who_sends(
    runner: asyncio.Runner, ends: tuple[Channel, Channel]
) -> None:
    command, process = ends

    async def exchange() -> None:
        process.close()
        with pytest.raises(OtherEndGoneError):
            await received(command)
        with pytest.raises(OtherEndGoneError):
            command.send(Begin(1.0))

    runner.run(exchange())
