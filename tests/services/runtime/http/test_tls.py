import asyncio
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
import uvloop

from services.kernel.clock import ManualClock
from services.runtime.http.bounds import HttpBounds
from services.runtime.http.server import HttpServer, bind
from tests.services.runtime.certificates import Authority
from tests.services.runtime.http.serving import Echo, refuse


@pytest.fixture
def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's side and the client's."""
    files = Authority(tmp_path / "authority").files("edge")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(files.certificate_file, files.private_key_file)
    return server, ssl.create_default_context(cafile=str(files.ca_file))


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_requests_are_served_and_refused_over_tls(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], run: Callable[[Coroutine[None, None, None]], None]
) -> None:
    run(_serve_and_refuse(*contexts))


async def _serve_and_refuse(server_side: ssl.SSLContext, client_side: ssl.SSLContext) -> None:
    echo = Echo()
    bounds = HttpBounds(
        max_head_bytes=8192, max_connections=8, head_seconds=0.3, idle_seconds=0.3, drain_seconds=1.0
    )
    server = HttpServer(echo, bounds, refuse, ManualClock())
    bound = bind("127.0.0.1", 0)
    port = bound.getsockname()[1]
    await server.start(bound, server_side)

    async def ask(request: bytes, tls: ssl.SSLContext | None) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        writer.write(request)
        try:
            return await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()

    post = b"POST /a HTTP/1.1\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi"
    assert (await ask(post, client_side)).endswith(b"POST /a hi")
    assert [scope["scheme"] for scope in echo.scopes] == ["https"]
    assert (await ask(b"GET /" + b"a" * 20_000, client_side)).startswith(b"HTTP/1.1 431 ")
    # A client that says nothing, within TLS or before it, is closed too.
    assert await ask(b"", client_side) == b""
    assert await ask(b"", None) == b""
    await server.stop()
