"""What an application and its client notice of each other: back pressure, leaving, defects."""

import asyncio
from functools import partial

import pytest
import structlog

from services.runtime.http.asgi import ABORT, WATCH, WRITE_PART, BrokenAnswerError, Receive, Scope, Send
from tests.services.runtime.http.serving import GET, answer, post, read_all, serving, stream


async def test_an_application_that_does_not_read_holds_the_client_back() -> None:
    gate = asyncio.Event()

    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await gate.wait()
        await answer(send, b"%d" % len(await read_all(receive) or b""))

    async with serving(application) as served:
        client = await served.connect()
        client.send(post(b"x" * 30_000_000))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.flushed(), 0.3)
        gate.set()
        assert (await client.answer())[2] == b"30000000"


async def test_a_client_that_leaves_is_noticed_at_once() -> None:
    left = asyncio.Event()

    async def application(_scope: Scope, receive: Receive, _send: Send) -> None:
        await read_all(receive)
        assert await receive() == {"type": "http.disconnect"}
        left.set()

    async with serving(application) as served:
        client = await served.connect()
        client.send(GET)
        await asyncio.sleep(0.02)
        client.close()
        await asyncio.wait_for(left.wait(), 2)


async def test_a_client_that_does_not_read_holds_the_application_back() -> None:
    written = 0
    ended = asyncio.Event()

    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal written
        await read_all(receive)
        await stream(send, [])
        for _ in range(10_000):
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            written += 65_536
        ended.set()

    async with serving(application) as served:
        client = await served.connect()
        client.send(GET)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ended.wait(), 0.3)
        assert written < 64_000_000
        client.abort()
        # What is written to a client that is gone goes nowhere.
        await asyncio.wait_for(ended.wait(), 5)


async def test_a_head_leaves_with_the_first_part_of_its_body() -> None:
    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await stream(send, [])
        raise ValueError

    async with serving(application) as served:
        assert (await served.ask(GET)).startswith(b"HTTP/1.1 500 "), "there was nothing of another answer"


async def test_a_part_is_written_at_once_while_its_body_is_open() -> None:
    sent: list[bool] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        write_part = scope["state"][WRITE_PART]
        sent.append(write_part(lambda: b"before the head"))
        await stream(send, [b"a"])
        sent.extend([write_part(lambda: b"bc"), write_part(lambda: b"")])
        await send({"type": "http.response.body"})
        sent.append(write_part(lambda: b"behind the end"))

    async with serving(application) as served:
        assert (await served.ask(GET)).endswith(b"\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")
    assert sent == [False, True, True, False]


async def test_no_part_is_written_at_once_to_a_client_that_does_not_read_or_left() -> None:
    made = written = 0
    is_behind, ended = asyncio.Event(), asyncio.Event()

    def part() -> bytes:
        nonlocal made
        made += 65_536
        return b"x" * 65_536

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal written
        await read_all(receive)
        await stream(send, [])
        while scope["state"][WRITE_PART](part):
            written += 65_536
            await asyncio.sleep(0)
        is_behind.set()
        assert (await receive())["type"] == "http.disconnect"
        assert not scope["state"][WRITE_PART](part)
        assert made == written, "what is not sent is not made"
        ended.set()

    async with serving(application) as served:
        client = await served.connect()
        client.send(GET)
        await asyncio.wait_for(is_behind.wait(), 5)
        assert written < 64_000_000
        client.abort()
        await asyncio.wait_for(ended.wait(), 5)


async def test_an_application_hears_once_that_its_client_left() -> None:
    heard: list[str] = []
    is_open, ended = asyncio.Event(), asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        watch = scope["state"][WATCH]
        left = asyncio.Event()

        def hear(word: str) -> None:
            heard.append(word)
            left.set()

        watch(partial(hear, "too early"))
        watch(None)
        watch(partial(hear, "left"))
        await stream(send, [b"x"])
        is_open.set()
        await left.wait()
        left.clear()
        watch(partial(hear, "had left"))
        await left.wait()
        ended.set()

    async with serving(application) as served:
        client = await served.connect()
        client.send(GET)
        await asyncio.wait_for(is_open.wait(), 5)
        client.abort()
        await asyncio.wait_for(ended.wait(), 5)
    assert heard == ["left", "had left"]


async def test_a_client_that_leaves_after_its_answer_is_not_told_of() -> None:
    heard: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        scope["state"][WATCH](lambda: heard.append("left"))
        await answer(send, b"x")

    async with serving(application) as served:
        assert (await served.ask(GET)).endswith(b"x")
    assert heard == []


async def test_an_application_may_give_its_client_up() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await stream(send, [b"x"])
        scope["state"][ABORT]()
        await send({"type": "http.response.body", "body": b"y"})

    async with serving(application) as served:
        client = await served.connect()
        client.send(GET)
        assert not (await client.rest()).endswith(b"0\r\n\r\n")


async def test_a_defect_of_the_application_is_an_answer_and_a_line_in_the_log() -> None:
    async def application(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise KeyError("what a caller wrote")

    with structlog.testing.capture_logs() as lines:
        async with serving(application) as served:
            assert (await served.ask(GET)).startswith(b"HTTP/1.1 500 ")
    assert [line["event"] for line in lines] == ["request_crashed"]
    assert "what a caller wrote" not in str(lines)


@pytest.mark.parametrize("error", [None, BrokenAnswerError(), ValueError()])
async def test_an_answer_that_breaks_off_has_no_end(error: Exception | None) -> None:
    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await stream(send, [b"half"])
        if error is not None:
            raise error

    async with serving(application) as served:
        answered = await served.ask(GET)
    assert answered.endswith(b"4\r\nhalf\r\n")
