"""The try-it box: a prompt goes through to the edge and its answer comes back, and neither rests here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

import httpx
from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from services.console.domain.errors import SourceAwayError
from services.console.domain.ports import Answering, Edge
from services.console.domain.trial import Trial

_MOST_BODY_BYTES: Final = 128 * 1024
_BODY_SECONDS: Final = 10.0
_MOST_KEY_CHARACTERS: Final = 256
_NO_STORE: Final = {"Cache-Control": "no-store"}


class Trying:
    """Passes answers on, a bounded number at once."""

    def __init__(self, edge: Edge, *, most: int, seconds: float) -> None:
        self._edge = edge
        self._most = most
        self._seconds = seconds
        self._open = 0

    async def __call__(self, request: Request) -> Response:
        """Answers one trial as the edge does; what it cannot pass on is one sentence."""
        api_key = _key_of(request)
        if not api_key:
            return _refused(400, "Enter one of your keys; it goes to the edge with this request alone.")
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                trial = Trial.model_validate_json(await _body_of(request))
        except (ValidationError, ValueError, TimeoutError):
            return _refused(400, "The model, the prompt or the number of tokens is none that can be asked.")
        except ClientDisconnect:
            return _refused(400, "")
        if self._open >= self._most:
            return _refused(503, f"{self._most} answers are under way, which is the most; try again later.")
        return await self._answer(trial, api_key)

    async def _answer(self, trial: Trial, api_key: str) -> Response:
        self._open += 1
        async with AsyncExitStack() as stack:
            stack.callback(self._give_back)
            try:
                answering = await stack.enter_async_context(self._edge.answer(trial, api_key))
            except SourceAwayError as error:
                return _refused(502, str(error))
            kept = stack.pop_all()
            return _Answer(self._parts(answering, kept), kept, answering)
        raise AssertionError

    def _give_back(self) -> None:
        self._open -= 1

    async def _parts(self, answering: Answering, stack: AsyncExitStack) -> AsyncIterator[bytes]:
        async with stack:
            try:
                async with asyncio.timeout(self._seconds):
                    async for part in answering.parts:
                        yield part
            except (httpx.HTTPError, TimeoutError):
                # The stream ends without its last line, and the page says that it is not whole.
                return


class _Answer(StreamingResponse):
    """An answer that is passed on; its request to the edge ends with it, also where it never began."""

    def __init__(self, parts: AsyncIterator[bytes], stack: AsyncExitStack, answering: Answering) -> None:
        super().__init__(
            parts, status_code=answering.status, media_type=answering.content_type, headers=_NO_STORE
        )
        self._stack = stack

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        """Sends it."""
        try:
            await super().__call__(scope, receive, send)  # type: ignore[arg-type] # ASGI's own
        finally:
            await self._stack.aclose()


def _refused(status: int, sentence: str) -> Response:
    return PlainTextResponse(sentence, status, headers=_NO_STORE)


def _key_of(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    is_key = scheme.lower() == "bearer" and key.isascii() and len(key) <= _MOST_KEY_CHARACTERS
    return key.strip() if is_key else ""


async def _body_of(request: Request) -> bytes:
    """Returns the body; ValueError where it is too large."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BODY_BYTES:
            raise ValueError
    return bytes(body)
