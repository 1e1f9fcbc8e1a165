"""A process is ready when it says so, and away when it says nothing."""

import asyncio
import contextlib
import socket
from pathlib import Path

from deploy.local.stack.plan import Probe
from deploy.local.stack.probes import Prober, Spell, is_reason
from services.kernel.clock import ManualClock
from services.kernel.readiness import Figure, Unready, unready
from services.runtime.addresses import GrpcListen
from services.runtime.grpc.server import build_server
from tests.ports import free_port
from tests.services.cli.http_server import serving_http


async def why_not_ready(probe: Probe) -> str:
    prober = Prober(probe)
    try:
        return await prober.why_not_ready()
    finally:
        await prober.close()


async def test_a_file_is_there_or_not(tmp_path: Path) -> None:
    probe = Probe("file", str(tmp_path / "ready"))
    assert await why_not_ready(probe)
    (tmp_path / "ready").touch()
    assert not await why_not_ready(probe)


async def test_grpc_health_decides() -> None:
    address = f"127.0.0.1:{free_port()}"
    probe = Probe("grpc", address)
    assert await why_not_ready(probe)
    server = build_server(GrpcListen(address=address), clock=ManualClock())
    await server.start()
    assert await why_not_ready(probe)
    await server.set_serving(is_serving=True)
    assert not await why_not_ready(probe)
    await server.drain(0)


async def test_an_http_answer_must_be_a_good_one() -> None:
    with serving_http({"/readyz": (200, b"ok"), "/busy": (503, b"")}) as url:
        assert not await why_not_ready(Probe("http", f"{url}/readyz"))
        assert await why_not_ready(Probe("http", f"{url}/busy"))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert await why_not_ready(Probe("http", f"http://127.0.0.1:{nobody.getsockname()[1]}/"))


async def test_a_process_that_is_away_one_that_refuses_and_one_that_is_busy_are_told_apart() -> None:
    address = f"127.0.0.1:{free_port()}"
    assert await why_not_ready(Probe("grpc", address)) == "no answer to its probe"
    server = build_server(GrpcListen(address=address), clock=ManualClock())
    await server.start()
    assert await why_not_ready(Probe("grpc", address)) == "it says that it does not serve"
    await server.drain(0)
    told, other = b'{"status":"not ready","reason":"no_replica"}', b'{"reason":"<b>much</b> text"}'
    with serving_http({"/told": (503, told), "/other": (503, other)}) as url:
        assert await why_not_ready(Probe("http", f"{url}/told")) == "no_replica"
        assert await why_not_ready(Probe("http", f"{url}/other")) == "its probe answers 503"
    with serving_http({"/readyz": (503, b"")}) as url:
        assert await why_not_ready(Probe("http", f"{url}/readyz")) == "its probe answers 503"


async def test_a_process_that_answers_is_asked_on_one_connection_and_one_that_was_silent_on_a_new_one() -> (
    None
):
    writers = list[asyncio.StreamWriter]()
    ended = asyncio.Queue[None]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        ended.put_nowait(None)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    prober = Prober(Probe("http", f"http://127.0.0.1:{port}/readyz"))
    assert [await prober.why_not_ready() for _ in range(3)] == [""] * 3
    assert len(writers) == 1
    server.close()
    writers[0].close()
    await asyncio.wait_for(ended.get(), 10)
    assert await prober.why_not_ready() == "no answer to its probe"
    server = await asyncio.start_server(answer, "127.0.0.1", port)
    assert await prober.why_not_ready() == ""
    await prober.close()
    server.close()
    await asyncio.wait_for(ended.get(), 10)


async def test_a_process_that_comes_late_is_ready_at_the_next_question() -> None:
    address = f"127.0.0.1:{free_port()}"
    prober = Prober(Probe("grpc", address))
    for _ in range(3):
        assert await prober.why_not_ready() == "no answer to its probe"
    server = build_server(GrpcListen(address=address), clock=ManualClock())
    await server.start()
    await server.set_serving(is_serving=True)
    assert [await prober.why_not_ready() for _ in range(2)] == ["", ""]
    await server.drain(0)
    await prober.close()


def test_a_spell_is_news_once_it_has_lasted_a_second() -> None:
    spell = Spell()
    assert [spell.lasts(moment) for moment in (10.0, 10.5, 10.9, 11.0)] == [False, False, False, True]
    spell.end()
    assert not spell.lasts(11.1)


async def test_a_process_that_is_not_ready_is_quoted_with_its_reason_and_numbers() -> None:
    address = f"127.0.0.1:{free_port()}"
    server = build_server(GrpcListen(address=address), clock=ManualClock())
    await server.start()
    figures = {Figure.PARTITION: 3, Figure.OFFSET_SECONDS: 86_400}
    await server.set_readiness(unready(Unready.CLOCK_BEHIND, figures))
    why = await why_not_ready(Probe("grpc", address))
    assert why == "clock_behind (offset_seconds 86400, partition 3)"
    assert is_reason(why)
    await server.set_readiness(unready(Unready.BEHIND))
    assert await why_not_ready(Probe("grpc", address)) == "behind"
    await server.drain(0)
    assert not is_reason(await why_not_ready(Probe("grpc", address)))
