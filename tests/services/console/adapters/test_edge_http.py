"""The edge is asked as its clients ask it; to leave an answer ends it."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from services.console.adapters.edge_http import EdgeHttp
from services.console.domain.errors import SourceAwayError
from services.console.domain.trial import Trial

TRIAL = Trial(model="f3", prompt="Bonjour", max_output_tokens=8)


class Body(httpx.AsyncByteStream):
    """A body that notes that it was closed."""

    def __init__(self) -> None:
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        yield b"data: [DONE]\n\n"

    async def aclose(self) -> None:
        self.is_closed = True


async def test_the_answer_comes_in_its_parts_and_the_key_goes_in_a_header() -> None:
    asked: list[httpx.Request] = []
    body = Body()

    def edge(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=body)

    async with httpx.AsyncClient(transport=httpx.MockTransport(edge), base_url="http://edge") as client:
        async with EdgeHttp(client, answer_seconds=30).answer(TRIAL, "secret") as answering:
            parts = [part async for part in answering.parts]
        assert (answering.status, answering.content_type) == (200, "text/event-stream")
    assert b"".join(parts) == b"data: 1\n\ndata: [DONE]\n\n"
    assert body.is_closed
    assert asked[0].headers["authorization"] == "Bearer secret"
    assert asked[0].url.path == "/v1/chat/completions"
    assert json.loads(asked[0].content) == TRIAL.chat()


async def test_an_answer_that_is_left_is_ended() -> None:
    body = Body()
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, stream=body))
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        async with EdgeHttp(client, answer_seconds=30).answer(TRIAL, "secret"):
            assert not body.is_closed
        assert body.is_closed


async def test_an_edge_that_is_silent_is_away() -> None:
    def silent(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("secret")

    async with httpx.AsyncClient(transport=httpx.MockTransport(silent), base_url="http://edge") as client:
        with pytest.raises(SourceAwayError) as failure:
            async with EdgeHttp(client, answer_seconds=30).answer(TRIAL, "secret"):
                pass
    assert str(failure.value) == "The edge does not answer."
