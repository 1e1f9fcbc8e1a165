"""Speaks TLS on one port for a server that has none here, with the certificates of the real one."""

import asyncio
import contextlib
import signal
import ssl
from collections.abc import Sequence
from pathlib import Path

from tests.tied import tied

TLS = Path("/etc/comptoir/tls")
_SSL_REQUEST = bytes.fromhex("00000008 04d2162f")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(1 << 16):
            # The project's ClickHouse front is for this machine alone, and looks by which name it is called.
            writer.write(piece.replace(b"Host: clickhouse:8443", b"Host: localhost:8443"))
            await writer.drain()
    writer.close()


async def serve(
    command: Sequence[str], port: int, inner: int, *, asks_certificate: bool, is_postgres: bool = False
) -> int:
    """Runs the server and hands on what comes to `port`; its status."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if is_postgres:
                # It begins in plain with the one request for TLS.
                assert await reader.readexactly(8) == _SSL_REQUEST, "without TLS"
                writer.write(b"S")
                await writer.start_tls(context)
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", inner)
        except (OSError, AssertionError, asyncio.IncompleteReadError):
            writer.close()
            return
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=TLS / "ca.crt")
    context.load_cert_chain(TLS / "tls.crt", TLS / "tls.key")
    context.verify_mode = ssl.CERT_REQUIRED if asks_certificate else ssl.CERT_NONE
    server = await asyncio.create_subprocess_exec(*tied(command))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.send_signal, number)
    listening = await asyncio.start_server(take, "0.0.0.0", port, ssl=None if is_postgres else context)  # noqa: S104 - of a namespace
    try:
        return await server.wait()
    finally:
        listening.close()
