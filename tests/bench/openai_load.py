"""A light HTTP/1.1 load of streamed chats, the same for every server, with client-side timings."""

import asyncio
import itertools
import json
import time
from dataclasses import dataclass, field

PROMPTS = (
    "Écris un bref compte rendu.",
    "Write a short report on the visit.",
    "Schreib einen kurzen Bericht.",
    "Scrivi una breve lettera all'ufficio.",
    "Describe a café.",
    "Schrijf een kort verslag.",
)


@dataclass
class Measured:
    """What the clients saw: seconds to the first text, tokens, requests, errors, and the time it took."""

    ttft_seconds: list[float] = field(default_factory=list)
    output_tokens: int = 0
    requests: int = 0
    errors: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Target:
    """A server under test."""

    name: str
    port: int
    model: str
    api_key: str = "none"

    def request(self, prompt: str, max_tokens: int) -> bytes:
        """A streamed chat, greedy so that every server generates the same tokens."""
        body = json.dumps(
            {
                "model": self.model,
                "stream": True,
                "stream_options": {"include_usage": True},
                "temperature": 0,
                "max_tokens": max_tokens,
                "messages": [{"role": "user", "content": prompt}],
            }
        ).encode()
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {self.api_key}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def load(target: Target, streams: int, seconds: float, max_tokens: int = 128) -> Measured:
    """Keeps `streams` chats open for `seconds`; each stream asks again as soon as its answer ended."""
    measured = Measured()
    started = time.monotonic()
    prompts = itertools.cycle(PROMPTS)
    jobs = (_stream(target, prompts, max_tokens, started + seconds, measured) for _ in range(streams))
    await asyncio.gather(*jobs)
    measured.seconds = time.monotonic() - started
    return measured


async def _stream(
    target: Target, prompts: "itertools.cycle[str]", max_tokens: int, until: float, measured: Measured
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    while time.monotonic() < until:
        sent = time.monotonic()
        writer.write(target.request(next(prompts), max_tokens))
        await _answer(reader, sent, measured)
    writer.close()
    await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader, sent: float, measured: Measured) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        said = (await reader.read(500)).decode("utf-8", "replace")
        raise RuntimeError(f"the server refused: {said}")
    first = 0.0
    tokens = 0
    while size := int(await reader.readline(), 16):
        chunk = await reader.readexactly(size + 2)
        if not first and _has_text(chunk):
            first = time.monotonic()
        if b'"usage":{' in chunk or b'"usage": {' in chunk:
            tokens = _tokens(chunk) or tokens
        if b'data: {"error"' in chunk:
            measured.errors += 1
    await reader.readline()
    measured.requests += 1
    measured.output_tokens += tokens
    if first:
        measured.ttft_seconds.append(first - sent)


def _has_text(chunk: bytes) -> bool:
    return b'"content":"' in chunk and b'"content":""' not in chunk


def _tokens(chunk: bytes) -> int:
    for line in chunk.split(b"\n"):
        if line.startswith(b"data: {"):
            usage = json.loads(line[6:]).get("usage")
            if usage:
                return int(usage["completion_tokens"])
    return 0
