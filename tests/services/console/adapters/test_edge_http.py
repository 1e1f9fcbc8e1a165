"""The edge is asked as its clients ask it; to leave an answer ends it."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from services.console.adapters.edge_http import EdgeHttp
from services.console.adapters.readiness import AskedProcesses
from services.console.domain.errors import SourceAwayError
from services.console.domain.health import State
from services.console.domain.trial import Trial
from services.console.process import http_client
from services.console.settings import ConsoleSettings, EdgeTarget
from services.kernel.errors import ComptoirError, Reason
from services.runtime.addresses import TlsFiles
from tests.contracts.console_ports import EdgeContract
from tests.contracts.engine_requests import until
from tests.ports import free_port
from tests.services.console.conftest import SETTINGS
from tests.services.edge.conftest import Stage, stage  # noqa: F401 - a real edge
from tests.services.runtime.certificates import Authority

SECONDS = 60.0
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


class TestEdgeHttp(EdgeContract):
    @pytest.fixture
    async def edge(self, stage: Stage) -> AsyncIterator[EdgeHttp]:  # noqa: F811 - the fixture
        await stage.start()
        async with http_client(EdgeTarget(url=stage.url), most_answers=1) as client:
            yield EdgeHttp(client, answer_seconds=SECONDS)

    @pytest.fixture
    def asked(self, stage: Stage) -> Callable[[], list[str]]:  # noqa: F811 - the fixture
        return lambda: stage.generators[0].texts

    @pytest.fixture
    def refuse(self, stage: Stage) -> Callable[[], None]:  # noqa: F811 - the fixture
        def refuse() -> None:
            stage.router.refusal = ComptoirError(Reason.KEY_INVALID)

        return refuse

    @pytest.fixture
    def is_left(self, stage: Stage) -> Callable[[], Awaitable[None]]:  # noqa: F811 - the fixture
        # It would go on for ever.
        stage.generators[0].steps.append(asyncio.Event())

        async def is_left() -> None:
            await stage.generators[0].cancelled.wait()

        return is_left

    @pytest.fixture
    async def away_edge(self) -> AsyncIterator[EdgeHttp]:
        target = EdgeTarget(url=f"http://127.0.0.1:{free_port()}")
        async with http_client(target, most_answers=1) as client:
            yield EdgeHttp(client, answer_seconds=SECONDS)


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


@asynccontextmanager
async def edge(tls: TlsFiles | None = None) -> AsyncIterator[str]:
    """The URL of an edge that is ready, and whose answers have a head and no end."""

    answering: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            is_ready = head.startswith("GET")
            length = b"content-length: 0\r\nconnection: close\r\n" if is_ready else b""
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" + length + b"\r\n")
            if not is_ready:
                await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.add(asyncio.create_task(answer(reader, writer)))

    context = None
    if tls is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls.certificate_file, tls.private_key_file)
    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context, backlog=512)
    async with server:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    # The client has gone by now: each ends, and with it its socket.
    await asyncio.gather(*answering)


@pytest.mark.parametrize("most", [1, 120])
async def test_as_many_answers_are_under_way_as_the_settings_say_and_the_edge_is_asked_beside_them(
    most: int,
) -> None:
    async with edge() as url, asyncio.timeout(SECONDS):
        settings = ConsoleSettings.model_validate(SETTINGS | {"edge": {"url": url}, "max_trials": most})
        async with (
            http_client(settings.edge, most_answers=settings.max_trials) as client,
            AsyncExitStack() as stack,
        ):
            trials = EdgeHttp(client, answer_seconds=SECONDS)
            for _ in range(most):
                await stack.enter_async_context(trials.answer(TRIAL, "secret"))
            processes = AskedProcesses(settings, client)
            assert [it.state for it in (await processes.health()).processes] == [State.READY]
            await processes.close()


async def test_no_connection_is_kept_that_would_hold_up_an_edge_which_drains(stage: Stage) -> None:  # noqa: F811 - the fixture
    await stage.start()
    settings = ConsoleSettings.model_validate(SETTINGS | {"edge": {"url": stage.url}})
    async with http_client(settings.edge, most_answers=1) as client, asyncio.timeout(SECONDS):
        processes = AskedProcesses(settings, client)
        assert (await processes.health()).processes[0].state is State.READY
        await processes.close()
        listener = stage.process._listener if stage.process is not None else None
        await until(lambda: listener is not None and not listener.connections, SECONDS)


async def test_the_edge_may_be_known_by_another_name_than_it_is_called_by(tmp_path: Path) -> None:
    files = Authority(tmp_path / "authority").files("api", dns="api.example.eu")
    async with edge(files) as url, asyncio.timeout(SECONDS):
        port = url.rpartition(":")[2]
        for name, is_known in (("api.example.eu", True), ("other.example.eu", False)):
            target = {"url": f"https://localhost:{port}", "ca_file": str(files.ca_file), "server_name": name}
            settings = ConsoleSettings.model_validate(SETTINGS | {"edge": target})
            extensions = EdgeTarget.model_validate(target).extensions
            async with http_client(settings.edge, most_answers=1) as client:
                processes = AskedProcesses(settings, client)
                (found,) = (await processes.health()).processes
                await processes.close()
                assert (found.state is State.READY) is is_known
                trials = EdgeHttp(client, answer_seconds=SECONDS, extensions=extensions)
                if is_known:
                    async with trials.answer(TRIAL, "secret") as answering:
                        assert answering.status == 200
