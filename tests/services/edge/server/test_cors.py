"""What pages of other origins and those who ask before they send are told; none of it needs a key."""

import asyncio
from typing import Any

import httpx
import pytest

from services.kernel.errors import ComptoirError, Reason
from services.kernel.quota import QuotaState
from tests.services.edge.conftest import CHAT, PATH, STREAM, Stage

PAGE = "https://chat.example.eu"
ASKED = {
    "origin": PAGE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-lang",
}


async def preflight(client: httpx.AsyncClient, path: str, **headers: str) -> httpx.Response:
    return await client.options(path, headers=ASKED | headers | {"authorization": ""})


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        (PATH, "POST, OPTIONS"),
        ("/v1/models", "GET, HEAD, OPTIONS"),
        ("/v1/models/org/tiny-eu", "GET, HEAD, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_preflight_of_a_listed_page_is_answered_without_a_key(
    stage: Stage, path: str, methods: str
) -> None:
    client = await stage.start(cors_origins=(PAGE,))
    answer = await preflight(client, path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-methods"] == answer.headers["allow"] == methods
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert answer.headers["vary"] == "origin"
    await stage.drain()
    assert (stage.router.keys, stage.emitter.events) == ([], [])


async def test_a_page_reads_answers_streams_and_errors_with_their_headers(stage: Stage) -> None:
    client = await stage.start(cors_origins=(PAGE,))
    chats: list[Any] = [CHAT, STREAM, {}]
    answers = [await client.post(PATH, json=chat, headers={"origin": PAGE}) for chat in chats]
    stage.router.refusal = ComptoirError(
        Reason.TOKENS_EXHAUSTED, quota=QuotaState(60, 58, 1_000, 3, 2.0, 4.0)
    )
    answers.append(await client.post(PATH, json=CHAT, headers={"origin": PAGE}))
    answers.append(await client.get("/nowhere", headers={"origin": PAGE}))
    assert [answer.status_code for answer in answers] == [200, 200, 400, 429, 404]
    for answer in answers:
        assert (answer.headers["access-control-allow-origin"], answer.headers["vary"]) == (PAGE, "origin")
        told = {name for name in answer.headers if name.startswith(("x-", "retry-"))} - {"x-accel-buffering"}
        assert told <= set(answer.headers["access-control-expose-headers"].split(", "))


async def test_a_page_that_is_not_listed_is_told_nothing(stage: Stage) -> None:
    client = await stage.start(cors_origins=(PAGE,))
    for answer in (
        await preflight(client, PATH, origin="https://evil.example"),
        await client.post(PATH, json=CHAT, headers={"origin": "https://evil.example"}),
        await client.post(PATH, json=CHAT),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["vary"] == "origin"
        assert "evil" not in str(answer.headers)


async def test_by_default_no_page_is_told_anything(stage: Stage) -> None:
    client = await stage.start()
    for answer in (await preflight(client, PATH), await client.post(PATH, json=CHAT, headers=ASKED)):
        assert answer.status_code in (200, 204)
        assert not {"vary", "access-control-allow-origin"} & set(answer.headers)


async def test_options_and_head_say_what_a_resource_takes(stage: Stage) -> None:
    client = await stage.start()
    for path, allow in ((PATH, "POST, OPTIONS"), ("/v1/models", "GET, HEAD, OPTIONS")):
        answer = await client.options(path)
        assert (answer.status_code, answer.headers["allow"]) == (204, allow)
    assert (await client.options("/nowhere")).status_code == 404
    refused = await client.head(PATH)
    assert (refused.status_code, refused.headers["allow"], refused.content) == (405, "POST, OPTIONS", b"")
    for path in ("/v1/models", "/v1/models/tiny-eu", "/healthz", "/readyz", "/nowhere"):
        head, whole = await client.head(path), await client.get(path)
        assert (head.status_code, head.content) == (whole.status_code, b"")
        for name in ("content-type", "content-length"):
            assert head.headers[name] == whole.headers[name]


async def test_the_server_as_a_whole_can_be_asked(stage: Stage) -> None:
    await stage.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(b"OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 204 No Content\r\n")
    assert b"\r\nallow: GET, HEAD, POST, OPTIONS\r\n" in answer


@pytest.mark.parametrize(("listed", "is_told"), [("*", True), (PAGE, False)])
async def test_a_page_of_any_origin_reads_what_is_refused_below_the_endpoints(
    stage: Stage, listed: str, *, is_told: bool
) -> None:
    await stage.start(cors_origins=(listed,))
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nx-a: " + b"a" * 20_000)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert (b"\r\naccess-control-allow-origin: *\r\n" in answer) is is_told
    assert b"\r\nvary: origin\r\n" in answer
