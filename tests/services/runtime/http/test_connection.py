import asyncio
import time

import pytest

from services.runtime.http.asgi import Receive, Scope, Send
from services.runtime.http.cycle import HIGH_WATER_BYTES
from tests.services.runtime.http.serving import GET, Client, Echo, answer, post, read_all, serving, stream


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


async def rest_or_reset(client: Client) -> bytes:
    """As `rest`; the kernel resets a connection whose other end is closed when more is sent on it."""
    try:
        return await client.rest()
    except ConnectionResetError:
        return b""


async def test_a_line_end_behind_an_answer_pins_no_connection() -> None:
    async with serving(Echo(), idle_seconds=0.2) as served:
        client = await served.connect()
        client.send(GET)
        await client.answer()

        async def send_line_ends() -> None:
            while True:
                client.send(b"\r\n")
                await asyncio.sleep(0.02)

        sending = asyncio.create_task(send_line_ends())
        assert await rest_or_reset(client) == b""
        sending.cancel()


async def test_a_head_that_comes_byte_by_byte_ends_with_its_time() -> None:
    async with serving(Echo(), head_seconds=0.2, idle_seconds=60.0) as served:
        client = await served.connect()
        client.send(GET)
        await client.answer()

        async def send_slowly() -> None:
            for byte in b"GET / HTTP/1.1\r\n" + b"a" * 1_000:
                client.send(bytes([byte]))
                await asyncio.sleep(0.02)

        sending = asyncio.create_task(send_slowly())
        assert await rest_or_reset(client) == b""
        sending.cancel()


async def test_a_connection_that_sends_nothing_is_closed() -> None:
    async with serving(Echo(), head_seconds=0.05) as served:
        assert await served.ask(b"") == b""


async def test_connections_that_send_nothing_keep_nobody_out() -> None:
    async with serving(Echo(), max_connections=8, head_seconds=60.0) as served:
        silent = [await served.connect() for _ in range(30)]
        client = await served.connect()
        client.send(GET)
        assert (await client.answer())[0] == 200
        assert await silent[0].rest() == b""
        assert served.server.connections <= 8


async def test_connections_with_half_a_head_keep_nobody_out() -> None:
    async with serving(Echo(), max_connections=4, head_seconds=60.0) as served:
        for _ in range(10):
            (await served.connect()).send(b"GET / HTTP/1.1\r\n")
        client = await served.connect()
        client.send(GET)
        assert (await client.answer())[0] == 200


@pytest.mark.parametrize(
    "half", [b"content-length: 10\r\n\r\nhi", b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"]
)
async def test_connections_with_half_a_body_keep_nobody_out(half: bytes) -> None:
    async with serving(Echo(), max_connections=4, head_seconds=60.0) as served:
        stalled = [await served.connect() for _ in range(4)]
        for client in stalled:
            client.send(b"POST / HTTP/1.1\r\n" + half)
            await asyncio.sleep(0.01)
        client = await served.connect()
        client.send(GET)
        assert (await client.answer())[0] == 200
        assert await stalled[0].rest() == b""


async def test_a_connection_whose_body_is_whole_does_not_give_way() -> None:
    gate = asyncio.Event()

    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await gate.wait()
        await answer(send, b"ok")

    async with serving(application, max_connections=1) as served:
        working = await served.connect()
        working.send(b"POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nhi")
        await asyncio.sleep(0.01)
        working.send(b"hi")
        await asyncio.sleep(0.05)
        assert (await served.ask(b"")).startswith(b"HTTP/1.1 503 ")
        gate.set()
        assert (await working.answer())[2] == b"ok"


async def test_where_every_connection_works_a_new_one_is_told_so() -> None:
    gate = asyncio.Event()

    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await gate.wait()
        await answer(send, b"ok")

    async with serving(application, max_connections=2) as served:
        working = [await served.connect() for _ in range(2)]
        for client in working:
            client.send(GET)
        await asyncio.sleep(0.05)
        assert (await served.ask(b"")).startswith(b"HTTP/1.1 503 ")
        gate.set()
        for client in working:
            assert (await client.answer())[0] == 200


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


async def test_a_client_that_sends_without_end_after_its_answer_is_closed() -> None:
    async def application(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, b"no", 401)

    async with serving(application) as served:
        client = await served.connect()
        client.send(b"POST / HTTP/1.1\r\ncontent-length: 900000000\r\n\r\n")
        with pytest.raises(OSError, match=r"reset|Broken pipe|lost"):
            await client.send_without_end(b"x" * 65_536)
        await served.closed()


async def test_a_drain_lets_answers_end_and_closes_what_waits() -> None:
    gate = asyncio.Event()

    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await gate.wait()
        await answer(send, b"ok")

    async with serving(application) as served:
        waiting, working = await served.connect(), await served.connect()
        working.send(GET)
        await asyncio.sleep(0.05)
        stopping = asyncio.create_task(served.server.stop())
        assert await waiting.rest() == b""
        gate.set()
        status, fields, _ = await working.answer()
        assert (status, fields["connection"]) == (200, "close")
        await asyncio.wait_for(stopping, 2)


async def test_a_drain_that_begins_right_behind_an_answer_leaves_no_connection() -> None:
    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await answer(send, b"ok")
        for member in served.server._registry._members:
            member.drain()

    async with serving(application, idle_seconds=60.0) as served:
        assert (await served.ask(GET)).endswith(b"ok")


async def test_a_drain_ends_within_its_bound() -> None:
    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await stream(send, [b"x"])
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await send({"type": "http.response.body", "body": b"last words"})

    async with serving(application, drain_seconds=0.1) as served:
        client = await served.connect()
        client.send(GET)
        await client.until(b"x\r\n")
        started = time.monotonic()
        await served.server.stop()
        assert (await client.rest()).endswith(b"last words\r\n0\r\n\r\n")
        assert time.monotonic() - started < 5


async def test_a_client_that_stops_reading_its_last_answer_is_closed_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.runtime.http.connection._FLUSH_SECONDS", 0.1)

    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await answer(send, b"x" * 64_000_000)

    async with serving(application, idle_seconds=0.1) as served:
        client = await served.connect()
        client.send(GET)
        await client.until(b"\r\n\r\n")
        await served.closed()
