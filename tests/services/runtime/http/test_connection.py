import asyncio

import pytest

from services.runtime.http.asgi import Receive, Scope, Send
from services.runtime.http.cycle import HIGH_WATER_BYTES
from tests.services.runtime.http.serving import GET, Echo, answer, post, read_all, serving, stream


async def test_one_request_after_another_on_one_connection() -> None:
    async with serving(Echo()) as served:
        client = await served.connect()
        for number in range(3):
            client.send(post(b"body%d" % number))
            status, fields, body = await client.answer()
            assert (status, body) == (200, b"POST /a body%d" % number)
            assert "connection" not in fields


async def test_an_offer_of_h2c_with_each_request_loses_no_body() -> None:
    # As Java's HttpClient sends it in plaintext.
    offer = [b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAEAAEAAAAIAAAAB"]
    async with serving(Echo()) as served:
        client = await served.connect()
        for number in range(4):
            client.send(post(b"body%d" % number, *offer))
            assert (await client.answer())[2] == b"POST /a body%d" % number


async def test_a_client_of_http_1_0_reads_a_stream_to_the_end_of_its_connection() -> None:
    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await stream(send, [b"one", b"two"])
        await send({"type": "http.response.body"})

    async with serving(application) as served:
        head, _, body = (await served.ask(b"GET / HTTP/1.0\r\n\r\n")).partition(b"\r\n\r\n")
        assert b"chunked" not in head
        assert body == b"onetwo"


async def test_a_connection_is_closed_when_the_client_asks_for_it() -> None:
    async with serving(Echo()) as served:
        answered = await served.ask(post(b"x", b"connection: close"))
    assert answered.endswith(b"connection: close\r\n\r\nPOST /a x")


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    echo = Echo()
    async with serving(echo) as served:
        client = await served.connect()
        client.send(b"".join([post(b"%d" % number) for number in range(50)]))
        for number in range(50):
            assert (await client.answer())[2] == b"POST /a %d" % number


async def test_thousands_of_pipelined_requests_hold_no_other_client_up() -> None:
    turns: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        turns.append(scope["path"])
        await read_all(receive)
        await answer(send, b"ok")

    async with serving(application) as served:
        greedy, other = await served.connect(), await served.connect()
        greedy.send(GET * 14_000)
        await greedy.answer()
        for _ in range(10):
            before = len(turns)
            other.send(b"GET /other HTTP/1.1\r\n\r\n")
            await other.answer()
            # One by one, each after a turn of everybody else.
            assert len(turns) - before < 200
        assert turns.count("/other") == 10


async def test_what_a_client_sends_ahead_is_bounded() -> None:
    gate = asyncio.Event()

    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await gate.wait()
        await answer(send, b"ok")

    async with serving(application) as served:
        client = await served.connect()
        client.send(GET * 1_000_000)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.flushed(), 0.5)
        (connection,) = served.server._registry._members
        assert len(connection._buffer) <= HIGH_WATER_BYTES + 512 * 1024  # type: ignore[attr-defined]
        gate.set()
        client.abort()


async def test_trailers_are_dropped_and_become_no_headers() -> None:
    echo = Echo()
    chunked = b"POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    async with serving(echo) as served:
        client = await served.connect()
        client.send(chunked + b"3\r\nabc\r\n0\r\nauthorization: Bearer x\r\n\r\n" + GET)
        assert (await client.answer())[2] == b"POST /a abc"
        assert (await client.answer())[2] == b"GET /a "
    assert all(name != b"authorization" for scope in echo.scopes for name, _ in scope["headers"])


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 2_000, 431),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1;" + b"a" * 20_000, 431),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 70_000, 400),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET /" + b"a" * 20_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 1_000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 20_000, 431),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
    ],
)
async def test_what_is_refused_without_the_application(request_bytes: bytes, status: int) -> None:
    async with serving(Echo()) as served:
        answered = await served.ask(request_bytes)
        assert answered.startswith(b"HTTP/1.1 %d " % status)
        assert answered.endswith(b"connection: close\r\n\r\nrefused")


async def test_100_continue_is_sent_only_when_the_application_wants_the_body() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/refused":
            await answer(send, b"no", 401)
        else:
            await answer(send, await read_all(receive) or b"")

    head = b"POST %b HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n"
    async with serving(application) as served:
        client = await served.connect()
        client.send(head % b"/wanted")
        assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"hello")
        assert (await client.answer())[2] == b"hello"
        client.send(head % b"/refused")
        status, fields, _ = await client.answer()
        assert (status, fields["connection"]) == (401, "close")
        assert await client.rest() == b""


async def test_an_answer_before_the_body_is_whole_reaches_a_client_that_goes_on_sending() -> None:
    async def application(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, b"too large", 413)

    async with serving(application) as served:
        client = await served.connect()
        client.send(b"POST / HTTP/1.1\r\ncontent-length: 4000000\r\n\r\n")
        await asyncio.sleep(0.02)
        client.send(b"x" * 4_000_000)
        await client.flushed()
        status, fields, body = await client.answer()
        assert (status, fields["connection"], body) == (413, "close", b"too large")
        client.close()
        await served.closed()
