"""Speaks TLS on one port for a server that has none here, with the certificates that the real one would have."""

import asyncio
import contextlib
import signal
import ssl
from collections.abc import Sequence
from pathlib import Path

TLS = Path("/etc/comptoir/tls")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    writer.close()


async def serve(command: Sequence[str], port: int, inner: int, *, asks_certificate: bool) -> int:
    """Runs the server and hands on what comes to `port`; its status."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", inner)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=TLS / "ca.crt")
    context.load_cert_chain(TLS / "tls.crt", TLS / "tls.key")
    context.verify_mode = ssl.CERT_REQUIRED if asks_certificate else ssl.CERT_NONE
    server = await asyncio.create_subprocess_exec(*command)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: server.send_signal(signal.SIGTERM))
    listening = await asyncio.start_server(take, "0.0.0.0", port, ssl=context)  # noqa: S104 - of a namespace
    try:
        return await server.wait()
    finally:
        listening.close()
