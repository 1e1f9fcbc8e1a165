import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import structlog

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from tests.services.edge.conftest import CHAT, PATH, Stage
from tests.services.edge.scripts import GOOD_KEY

CANARY = "canary-7f3a"
HEAD = f"POST {PATH} HTTP/1.1\r\nauthorization: Bearer {GOOD_KEY}\r\n".encode()


def check_shape(answer: httpx.Response, status: int, code: str, param: str | None = None) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert Identity.from_hex(answer.headers["x-request-id"]) is not None
    assert "server" not in answer.headers
    body = answer.json()
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert (error["code"], error["param"]) == (code, param)
    assert CANARY not in answer.text
    assert all(CANARY not in value for value in answer.headers.values())
    return error


async def test_what_is_wrong_with_a_request_is_said_in_openais_shape(stage: Stage) -> None:
    client = await stage.start()

    async def post(content: bytes | str, **headers: str) -> httpx.Response:
        return await client.post(PATH, content=content, headers=headers)

    chat = json.dumps(CHAT)
    check_shape(await post(f'{{"{CANARY}'), 400, "invalid_value")
    check_shape(await post(b""), 400, "invalid_value")
    check_shape(await post(f'["{CANARY}"]'), 400, "invalid_value")
    check_shape(await post(f'{{"a":NaN,"{CANARY}":1}}'), 400, "invalid_value")
    check_shape(await post(b'{"model":"\xff\xfe"}'), 400, "invalid_value")
    check_shape(await post(chat[:-1] + f',"model":"{CANARY}"}}'), 400, "invalid_value")
    check_shape(await post("[" * 500_000 + "]" * 500_000), 400, "invalid_value")
    check_shape(await post(chat[:-1] + f',"temperature":"{CANARY}"}}'), 400, "invalid_value", "temperature")
    check_shape(
        await post(chat[:-1] + f',"{CANARY}":1,"best_of":3}}'), 400, "unsupported_parameter", "best_of"
    )
    check_shape(await post(chat[:-1] + ',"store":true}'), 400, "unsupported_parameter", "store")
    check_shape(await post(chat, authorization=f"Bearer {CANARY * 40}"), 401, "invalid_api_key")
    check_shape(await post(chat, authorization=f"Basic {CANARY}"), 401, "invalid_api_key")
    check_shape(await post(chat, authorization=""), 401, "invalid_api_key")
    check_shape(await post(b"x" * (2 * 1024 * 1024)), 413, "request_too_large")
    # Whether it knows the key, before the one long body that is read.
    assert stage.router.keys == [GOOD_KEY]


async def test_a_body_without_a_length_is_counted_while_it_is_read(stage: Stage) -> None:
    client = await stage.start()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(48):
            yield b" " * 65536

    check_shape(await client.post(PATH, content=endless()), 413, "request_too_large")


@pytest.mark.parametrize(
    ("reason", "status", "code", "param"),
    [
        (Reason.KEY_INVALID, 401, "invalid_api_key", None),
        (Reason.KEY_EXPIRED, 401, "invalid_api_key", None),
        (Reason.MODEL_NOT_FOUND, 404, "model_not_found", "model"),
        (Reason.CONTEXT_TOO_LONG, 400, "context_length_exceeded", "messages"),
        (Reason.TOKENS_EXHAUSTED, 429, "rate_limit_exceeded", None),
        (Reason.NO_REPLICA, 503, "no_replica", None),
        (Reason.USAGE_NOT_RECORDED, 503, "usage_not_recorded", None),
    ],
)
async def test_the_routers_refusals_keep_their_status(
    stage: Stage, reason: Reason, status: int, code: str, param: str | None
) -> None:
    stage.router.refusal = ComptoirError(reason, retry_after_seconds=2.0)
    client = await stage.start()
    for is_streamed in (False, True):
        answer = await client.post(PATH, json=CHAT | {"stream": is_streamed})
        check_shape(answer, status, code, param)
        assert answer.headers.get("retry-after") == ("2" if status in (429, 503) else None)


async def test_routes_and_methods_that_are_not_served(stage: Stage) -> None:
    client = await stage.start()
    error = check_shape(await client.get(f"/v1/{CANARY}?{CANARY}"), 404, "route_not_found")
    assert "/v1" in error["message"]
    check_shape(await client.post("/v1/models/"), 405, "method_not_allowed")
    check_shape(await client.put(PATH), 405, "method_not_allowed")
    answer = await client.get(PATH)
    check_shape(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST, OPTIONS"
    assert (await client.head("/healthz")).status_code == 200


@pytest.mark.parametrize(
    "path", ["/v1/images/generations", "/images/generations", "/v1//images/generations/"]
)
async def test_an_endpoint_of_openai_that_is_not_offered_says_so_and_why(stage: Stage, path: str) -> None:
    client = await stage.start()
    error = check_shape(await client.post(path, json={"prompt": CANARY}), 404, "route_not_found")
    assert error["message"] == (
        "This endpoint of OpenAI's API is not offered: the models here read and write text alone."
    )
    stored = check_shape(await client.get(f"/v1/chat/completions/{CANARY}"), 404, "route_not_found")
    assert "nothing of a request is stored" in stored["message"]


async def test_every_refusal_of_a_served_path_is_an_event_and_no_other_path_is(stage: Stage) -> None:
    client = await stage.start()
    large = {"x-a": "a" * 9_000}
    await client.get(PATH)
    await client.get(PATH, headers=large)
    await client.get("/v1/models", headers=large)
    await client.delete("/v1/models/tiny-eu")
    for path in ("/healthz", "/readyz", "/v1/modelsx", f"/{CANARY}"):
        await client.get(path)
        await client.post(path, headers=large)
    await stage.drain()
    seen = [(event.endpoint, event.http_status) for event in stage.emitter.events]
    assert seen == [(1, 405), (1, 431), (2, 431), (2, 405)]


async def test_compressed_bodies_are_read_and_unknown_compressions_named(stage: Stage) -> None:
    client = await stage.start()
    chat = json.dumps(CHAT).encode()

    async def post(content: bytes, coding: str) -> httpx.Response:
        return await client.post(PATH, content=content, headers={"content-encoding": coding})

    assert (await post(gzip.compress(chat), "gzip")).status_code == 200
    assert (await post(zlib.compress(chat), "deflate")).status_code == 200
    assert (await post(chat, "identity")).status_code == 200
    for coding in ("zstd", "br", "gzip, gzip", CANARY):
        refused = await post(chat, coding)
        error = check_shape(refused, 415, "content_encoding_unsupported")
        assert "gzip, deflate, identity" in error["message"]
        assert refused.headers["accept-encoding"] == "gzip, deflate, identity"
    check_shape(await post(chat, "gzip"), 400, "content_encoding_broken")
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    check_shape(await post(bomb, "gzip"), 413, "request_too_large")


async def raw(stage: Stage, request: bytes) -> bytes:
    """What the server answers until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


async def test_headers_without_end_are_refused(stage: Stage) -> None:
    client = await stage.start()
    refused = await client.get("/healthz", headers={"x-a": CANARY * 800})
    check_shape(refused, 431, "headers_too_large")
    assert "8192 bytes" in refused.json()["error"]["message"]
    answer = await raw(stage, b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: " + b"a" * 20_000)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "headers_too_large"


@pytest.mark.parametrize(
    "request_bytes",
    [
        CANARY.encode() + b"\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: canary-7f3a\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
async def test_what_is_not_http_is_refused_in_the_same_shape(stage: Stage, request_bytes: bytes) -> None:
    await stage.start()
    answer = await raw(stage, request_bytes)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"x-request-id: " in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "malformed_http"
    assert CANARY.encode() not in answer


async def test_a_client_that_does_not_send_its_head_is_not_waited_for(stage: Stage) -> None:
    await stage.start(header_seconds=0.05)
    try:
        answer = await raw(stage, b"POST /v1/chat/comp")
    except ConnectionResetError:
        # The connection was closed before this side had sent, on a machine that was busy.
        answer = b""
    assert answer == b""


async def test_a_client_that_does_not_send_its_body_is_told_so(stage: Stage) -> None:
    await stage.start(body_seconds=0.05)
    answer = await raw(stage, HEAD + b"content-length: 9\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"x-should-retry: false" in answer


@pytest.mark.parametrize(
    "key", ["x", "", GOOD_KEY[:-1] + "x", GOOD_KEY.replace("eu-fr", "eu-de"), GOOD_KEY * 9]
)
async def test_no_body_is_read_for_what_cannot_be_a_key(stage: Stage, key: str) -> None:
    await stage.start()
    head = HEAD.replace(GOOD_KEY.encode(), key.encode())
    # Answered although not one byte of the body came, and without asking for it.
    answer = await raw(stage, head + b"expect: 100-continue\r\ncontent-length: 1000000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")
    await stage.drain()
    assert stage.router.keys == []
    assert [event.request_bytes for event in stage.emitter.events] == [0]


async def test_a_client_that_asks_first_is_told_to_send_once_its_key_is_one(stage: Stage) -> None:
    await stage.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    body = json.dumps(CHAT).encode()
    writer.write(HEAD + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(body))
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_what_is_unexpected_leaves_as_internal_and_is_logged_by_type(stage: Stage) -> None:
    stage.generators[0].before_started = [ComptoirError(Reason.INTERNAL)]
    client = await stage.start()
    assert stage.process is not None
    answer = await client.post(PATH, json=CHAT)
    assert check_shape(answer, 500, "internal_error")["type"] == "server_error"
    assert answer.headers["x-should-retry"] == "false"


async def test_nothing_of_the_input_is_logged_or_reported(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    client = await stage.start()
    chat = CHAT | {
        "messages": [{"role": "user", "content": CANARY}],
        "user": CANARY,
        "metadata": {CANARY: CANARY},
        "stop": [CANARY],
    }
    with structlog.testing.capture_logs() as lines:
        assert (await client.post(PATH, json=chat)).status_code == 200
        await client.post(PATH, json=chat | {"model": [CANARY]}, headers={CANARY: CANARY})
        await client.post(PATH, content=CANARY, headers={"authorization": f"Bearer {CANARY}"})
        await client.post(f"/{CANARY}")
        await stage.drain()
    printed = capfd.readouterr()
    everything = f"{lines}{printed.out}{printed.err}{stage.emitter.events}"
    assert CANARY not in everything
    assert [event.http_status for event in stage.emitter.events] == [200, 400, 401]
    assert GOOD_KEY not in everything
