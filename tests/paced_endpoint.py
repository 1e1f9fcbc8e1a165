"""An OpenAI endpoint whose answers come on time: every token when it is due, and what it did can be asked.

The n-th request has the n-th pace, in turn. Tokens are due at moments counted from the request's arrival, not
from the token before: a machine that is busy for a moment makes one late, and none of those behind it.
"""

import asyncio
import json
import sys
import time
import zlib
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from aiohttp import web

MODEL: Final = "paced"
# Milliseconds to the first token, and from each to the next. Long, beside what a busy machine adds.
PACES: Final = ((300, 40), (350, 45), (400, 50), (450, 55), (500, 60))
Paces: TypeAlias = Sequence[tuple[float, float]]


class PacedEndpoint:
    """The endpoint, and what it did: a checksum of what was asked, when, and of its first and last token."""

    def __init__(self, paces: Paces) -> None:
        self._paces = paces
        self._seen: list[dict[str, float]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Streams as many tokens as are asked for."""
        received = time.monotonic()
        asked = await request.json()
        digest = zlib.crc32(await request.read())
        ttft, gap = self._paces[len(self._seen) % len(self._paces)]
        own: dict[str, float] = {"received": received, "asked": digest}
        self._seen.append(own)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        tokens = int(asked.get("max_completion_tokens") or asked["max_tokens"])
        is_chat = request.path.endswith("/chat/completions")
        for number in range(tokens):
            due = received + (ttft + gap * number) / 1000
            if (left := due - time.monotonic()) > 0:
                await asyncio.sleep(left)
            choice = _choice("mot ", is_chat=is_chat, is_last=number == tokens - 1)
            await response.write(_event(choices=[choice]))
            own["last"] = time.monotonic()
            own.setdefault("first", own["last"])
        usage = {"prompt_tokens": len(json.dumps(asked)) // 4, "completion_tokens": tokens}
        await response.write(_event(choices=[], usage=usage) + b"data: [DONE]\n\n")
        return response

    async def take_seen(self, _: web.Request) -> web.Response:
        """Tells what was done since the last time somebody took it."""
        seen, self._seen = self._seen, []
        return web.json_response(seen)


async def models(_: web.Request) -> web.Response:
    """Lists the one model."""
    return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model"}]})


def application(paces: Paces = PACES) -> web.Application:
    """The endpoint as an application."""
    app, endpoint = web.Application(), PacedEndpoint(paces)
    app.router.add_post("/v1/chat/completions", endpoint.answer)
    app.router.add_post("/v1/completions", endpoint.answer)
    app.router.add_get("/v1/models", models)
    app.router.add_delete("/seen", endpoint.take_seen)
    return app


def _choice(text: str, *, is_chat: bool, is_last: bool) -> dict[str, Any]:
    piece = {"delta": {"content": text}} if is_chat else {"text": text}
    return {"index": 0, **piece, "finish_reason": "length" if is_last else None}


def _event(**fields: Any) -> bytes:
    content = {"id": "paced", "object": "chunk", "created": 1, "model": MODEL, **fields}
    return b"data: " + json.dumps(content).encode() + b"\n\n"


def _pace(word: str) -> tuple[float, float]:
    ttft, gap = word.split(",")
    return float(ttft), float(gap)


if __name__ == "__main__":
    given = [_pace(word) for word in sys.argv[2:]]
    web.run_app(application(given or PACES), host="127.0.0.1", port=int(sys.argv[1]), print=None)
