"""Connections outside gRPC show the certificate that the files hold when they begin."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from services.runtime.addresses import TlsFiles
from services.runtime.kafka_target import KafkaTarget
from services.runtime.settings_error import SettingsError
from tests.services.runtime.certificates import Authority


class Broker:
    """Asks for a certificate, and says whose it was."""

    def __init__(self, files: TlsFiles) -> None:
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files.ca_file))
        self._context.load_cert_chain(files.certificate_file, files.private_key_file)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self.port = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown = writer.get_extra_info("peercert")
        writer.write(dict(pair for (pair,) in shown["subject"])["commonName"].encode())
        writer.close()

    async def asked(self, context: ssl.SSLContext) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
        try:
            return (await asyncio.wait_for(reader.read(), 5)).decode()
        finally:
            writer.close()


def renew(files: TlsFiles, renewed: TlsFiles) -> None:
    files.certificate_file.write_bytes(renewed.certificate_file.read_bytes())
    files.private_key_file.write_bytes(renewed.private_key_file.read_bytes())


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_connection_begins_with_the_certificate_of_its_moment(
    tmp_path: Path, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    authority = Authority(tmp_path / "authority")
    files, renewed = authority.files("before"), authority.files("renewed")

    async def scenario() -> None:
        broker = Broker(authority.files("broker"))
        async with await broker.start():
            context = KafkaTarget(bootstrap=f"127.0.0.1:{broker.port}", tls=files).ssl_context()
            assert context is not None
            assert await broker.asked(context) == "before"
            files.certificate_file.write_bytes(b"half of it")
            assert await broker.asked(context) == "before"
            renew(files, renewed)
            assert await broker.asked(context) == "renewed"

    run(scenario())


def test_files_that_cannot_be_used_at_first_are_told(tmp_path: Path) -> None:
    files = Authority(tmp_path / "authority").files("emitter")
    files.private_key_file.unlink()
    with pytest.raises(SettingsError, match=r"emitter\.key"):
        KafkaTarget(bootstrap="kafka.example:9093", tls=files).ssl_context()
