"""Clients that leave, stop reading or do not send free the engine and keep nobody out."""

import asyncio

import pytest
from starlette.types import Message, Receive, Send

from deploy.local.clickhouse.server.streaming import BrokenResultError
from services.runtime.http.asgi import ABORT
from tests.deploy.local.clickhouse.server.served import LOGIN, SCOPE, Served, never


async def test_a_client_that_leaves_frees_the_engine() -> None:
    served = Served([b"1\n"] * 1000)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"} if sent else {"type": "http.request", "body": b"SELECT 1"}

    async def send(message: Message) -> None:
        sent.append(message)

    await served.application(SCOPE, receive, send)
    assert len(sent) < 10
    assert served.connection.streams[-1].is_closed
    assert served.connection.is_closed
    await served.runner.close()


async def test_readers_that_fill_their_places_and_stop_reading_keep_no_insert_out(served: Served) -> None:
    stalls: asyncio.Queue[None] = asyncio.Queue()
    stalled = [asyncio.ensure_future(stalled_reader(served, stalls)) for _ in range(4)]
    async with asyncio.timeout(5.0):
        for _ in range(2):
            await stalls.get()
    refused = await served.client.post("/", content="SELECT 1")
    assert (refused.status_code, refused.headers["X-ClickHouse-Exception-Code"]) == (503, "202")
    inserted = await served.client.post(
        "/", content=b"INSERT INTO t FORMAT RowBinary\n" + bytes(8), auth=LOGIN
    )
    assert inserted.status_code == 200
    for reader in stalled:
        reader.cancel()
    await asyncio.wait(stalled)
    assert (await served.client.post("/", content="SELECT 1")).status_code == 200


async def test_a_reader_that_takes_nothing_is_given_up() -> None:
    for path in (b"", b"wait_end_of_query=1"):
        served = Served([b"1\n"] * 1000, write_seconds=0.01)
        ended: list[bool] = []
        scope = {**SCOPE, "query_string": path, "state": {ABORT: lambda ended=ended: ended.append(True)}}
        with pytest.raises(BrokenResultError):
            await served.application(scope, query_of([]), stalling_after(1))
        assert ended == [True]
        assert served.connection.is_closed
        await served.runner.close()


async def test_an_answer_that_is_taken_too_slowly_is_given_up() -> None:
    served = Served([b"1\n"] * 1000, answer_seconds=0.01)
    with pytest.raises(BrokenResultError):
        await served.application(SCOPE, query_of([]), stalling_after(1))
    assert served.connection.is_closed
    await served.runner.close()


async def test_a_body_that_does_not_come_is_given_up() -> None:
    served = Served(body_seconds=0.01)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await served.application(SCOPE, never, send)
    headers = dict(sent[0]["headers"])
    assert headers[b"x-clickhouse-exception-code"] == b"209"
    assert b"body_seconds = 0.01" in sent[1]["body"]
    assert served.engine.opened == []
    await served.runner.close()


async def stalled_reader(served: Served, stalls: "asyncio.Queue[None]") -> None:
    await served.application(SCOPE, query_of([]), stalling_after(1, stalls))


def query_of(asked: list[Message]) -> Receive:
    async def receive() -> Message:
        if asked:
            return await never()
        asked.append({"type": "http.request", "body": b"SELECT 1"})
        return asked[0]

    return receive


def stalling_after(messages: int, stalls: "asyncio.Queue[None] | None" = None) -> Send:
    taken: list[Message] = []

    async def send(message: Message) -> None:
        taken.append(message)
        if len(taken) > messages:
            if stalls is not None:
                stalls.put_nowait(None)
            await never()

    return send
