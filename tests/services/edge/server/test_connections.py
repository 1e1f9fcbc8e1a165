"""What a connection goes on to serve after an answer, and what it ignores."""

import socket

import httpx

from tests.services.edge.conftest import CHAT, PATH, Stage
from tests.services.edge.scripts import GOOD_KEY


async def test_small_writes_are_not_held_back_by_the_kernel(stage: Stage) -> None:
    client = await stage.start()
    await client.get("/healthz")
    assert stage.process is not None
    (connection,) = stage.process._listener._server._registry._members
    accepted = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_connection_serves_one_request_after_another(stage: Stage) -> None:
    await stage.start()
    limits = httpx.Limits(max_connections=1)
    headers = {"authorization": f"Bearer {GOOD_KEY}"}
    async with httpx.AsyncClient(base_url=stage.url, limits=limits, headers=headers) as client:
        for is_streamed in (True, False, True):
            answer = await client.post(PATH, json=CHAT | {"stream": is_streamed})
            assert answer.status_code == 200
    await stage.drain()
    assert len(stage.emitter.events) == 3
    assert not any(event.is_client_cancelled for event in stage.emitter.events)


async def test_a_connection_goes_on_after_errors(stage: Stage) -> None:
    await stage.start()
    assert stage.process is not None
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(base_url=stage.url, limits=limits) as client:
        good = {"authorization": f"Bearer {GOOD_KEY}"}
        for method, path, body, headers, status in [
            ("GET", "/v1/models", None, {}, 401),
            ("POST", PATH, {"model": 1}, good, 400),
            ("GET", PATH, None, good, 405),
            ("OPTIONS", PATH, None, good, 204),
            ("HEAD", "/healthz", None, {}, 200),
            ("GET", "/nowhere", None, {}, 404),
            ("POST", PATH, CHAT, good, 200),
        ]:
            answer = await client.request(method, path, json=body, headers=headers)
            assert (answer.status_code, answer.headers.get("connection")) == (status, None)
            assert stage.process._listener.connections == 1


async def test_an_offer_to_upgrade_the_protocol_is_ignored(stage: Stage) -> None:
    client = await stage.start()
    offer = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABk"}
    answer = await client.post(PATH, json=CHAT, headers=offer)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "Bonjour !"
