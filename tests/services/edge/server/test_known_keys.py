"""Who shows a key of the right form that nobody has makes the edge read and hold no long body."""

import asyncio
from functools import partial

import pytest

from services.edge.domain.timeline import EdgeRequest
from services.edge.server.bodies import SHORT_BYTES
from services.edge.server.known_keys import MAX_AGE_SECONDS, KnownKeys
from services.edge.server.places import Places
from services.kernel.api_keys import make_key
from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.conftest import CHAT, PATH, Stage
from tests.services.edge.scripts import GOOD_KEY, LEASE

NOBODYS_KEY = make_key("eu-fr", bytes(16))
EVENT = EdgeRequest(LEASE, 1, 1.0, source=5)
LONG = b'{"messages":[{"role":"user","content":"%b"}]}' % (b"a" * SHORT_BYTES)


class Router:
    """Says how often it was asked, and refuses all keys but one."""

    def __init__(self) -> None:
        self.asked = 0

    async def list_models(self, *, key: str, request_id: object, source: int) -> tuple[()]:
        assert (request_id, source) == (LEASE, 5)
        self.asked += 1
        if key != GOOD_KEY:
            raise ComptoirError(Reason.KEY_INVALID)
        return ()


async def test_a_key_is_asked_for_once_in_a_while_and_an_unknown_one_each_time() -> None:
    router, clock = Router(), ManualClock()
    keys = KnownKeys(router, clock)  # type: ignore[arg-type] # as much of a router as keys need
    for _ in range(3):
        await keys.check(GOOD_KEY, EVENT)
    assert router.asked == 1
    for asked in (2, 3):
        with pytest.raises(ComptoirError):
            await keys.check(NOBODYS_KEY, EVENT)
        assert router.asked == asked
    clock.advance(MAX_AGE_SECONDS)
    await keys.check(GOOD_KEY, EVENT)
    assert router.asked == 4


@pytest.mark.parametrize("head", [b"content-length: 1000000", b"transfer-encoding: chunked"])
async def test_the_body_of_a_key_that_nobody_has_is_not_waited_for(stage: Stage, head: bytes) -> None:
    stage.router.refusal = ComptoirError(Reason.KEY_INVALID)
    await stage.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    authorization = b"authorization: Bearer " + NOBODYS_KEY.encode()
    writer.write(
        b"\r\n".join([b"POST %b HTTP/1.1" % PATH.encode(), b"host: a", authorization, head, b"", b""])
    )
    async with asyncio.timeout(2):
        assert (await reader.readline()).split()[1] == b"401"
    writer.close()


async def test_a_short_body_is_read_without_a_question_and_a_long_one_after_one(stage: Stage) -> None:
    client = await stage.start()
    assert (await client.post(PATH, json=CHAT)).status_code == 200
    assert len(stage.router.keys) == 1
    for _ in range(2):
        assert (await client.post(PATH, content=LONG)).status_code == 200
    assert len(stage.router.keys) == 1 + 1 + 2


async def test_a_key_that_sends_many_long_bodies_slowly_waits_and_others_do_not(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = partial(Places, max_bytes=40_000, max_bytes_of_key=20_000)
    monkeypatch.setattr(
        "services.edge.server.bodies.Places", lambda *, wait_seconds, **_: room(wait_seconds=0.2)
    )
    client = await stage.start()
    slow = await asyncio.open_connection("127.0.0.1", stage.port)
    authorization = b"authorization: Bearer " + GOOD_KEY.encode()
    slow[1].write(
        b"\r\n".join(
            [
                b"POST %b HTTP/1.1" % PATH.encode(),
                b"host: a",
                authorization,
                b"content-length: 15000",
                b"",
                b"{",
            ]
        )
    )
    await slow[1].drain()
    await _until_held(stage)
    assert (await client.post(PATH, content=LONG)).status_code == 429
    assert (await client.post(PATH, json=CHAT)).status_code == 200
    other = {"authorization": f"Bearer {NOBODYS_KEY}"}
    assert (await client.post(PATH, content=LONG, headers=other)).status_code == 200
    slow[1].close()


async def _until_held(stage: Stage) -> None:
    async with asyncio.timeout(2):
        while not stage.router.keys:  # noqa: ASYNC110 - nobody tells that the router was asked
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)


async def test_the_router_is_told_apart_the_clients_behind_a_proxy(stage: Stage) -> None:
    client = await stage.start(forwarding_proxies=1)
    for address in ("203.0.113.7", "203.0.113.8", "203.0.113.7", "10.0.0.1, 203.0.113.7"):
        assert (await client.post(PATH, json=CHAT, headers={"x-forwarded-for": address})).status_code == 200
    first, second, *others = stage.router.sources
    assert 0 != first != second != 0
    assert others == [first, first]
