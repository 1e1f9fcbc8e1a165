"""A container's probe: health over mutual TLS from the process's own settings file, or one sentence."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.kernel.clock import SystemClock
from services.runtime.addresses import GrpcListen, TlsFiles
from services.runtime.grpc.server import GrpcServer, build_server
from services.runtime.health_check import main
from tests.ports import free_port
from tests.services.runtime.certificates import Authority

EVERYWHERE = "0.0.0.0"  # noqa: S104 - where a container listens


def written(folder: Path, address: str, tls: TlsFiles | None = None) -> Path:
    listen: dict[str, Any] = {"address": address}
    if tls is not None:
        listen |= {"tls": tls.model_dump(mode="json")}
    file = folder / "comptoir.yaml"
    file.write_text(yaml.safe_dump({"router": {"listen": listen}}))
    return file


@asynccontextmanager
async def running(listen: GrpcListen) -> AsyncIterator[GrpcServer]:
    server = build_server(listen, clock=SystemClock())
    await server.start()
    try:
        yield server
    finally:
        await server.drain(0)


async def asked(config: Path, *more: str) -> int:
    """The status with which the probe ends beside the server's loop."""

    def ask() -> int:
        try:
            main(["--config", str(config), "--section", "router", "--seconds", "60", *more])
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    return await asyncio.to_thread(ask)


async def test_a_process_that_is_not_ready_is_alive_and_unhealthy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = Authority(tmp_path / "authority").files("router", dns="router")
    port = free_port()
    config = written(tmp_path, f"0.0.0.0:{port}", files)
    async with running(GrpcListen(address=f"127.0.0.1:{port}", tls=files)) as server:
        assert (await asked(config), await asked(config, "--is-alive")) == (1, 0)
        assert capsys.readouterr().err == "comptoir health: router is NOT_SERVING.\n"
        await server.set_serving(is_serving=True)
        assert await asked(config) == 0
        assert await asked(config, "--service", "nobody.knows.Service") == 1
        assert capsys.readouterr().err == "comptoir health: router did not answer: NOT_FOUND.\n"


async def test_on_one_machine_a_socket_is_asked_without_tls(tmp_path: Path) -> None:
    listen = GrpcListen(address=f"unix:{tmp_path}/router.sock")
    async with running(listen) as server:
        await server.set_serving(is_serving=True)
        assert await asked(written(tmp_path, listen.address)) == 0


async def test_where_nothing_listens_and_where_nothing_is_said_it_is_unhealthy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written(tmp_path, f"127.0.0.1:{free_port()}")
    assert await asked(config) == 1
    assert "did not answer: UNAVAILABLE" in capsys.readouterr().err
    config.write_text("router: {}")
    assert await asked(config) == 1
    assert "does not say where router listens" in capsys.readouterr().err
    assert await asked(tmp_path / "nowhere.yaml") == 1


@asynccontextmanager
async def answering(
    statuses: dict[str, int], tls: TlsFiles | None = None, *, is_certificate_asked: bool = False
) -> AsyncIterator[int]:
    """The port of an HTTP listener that answers each path with a status."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        writer.write(f"HTTP/1.1 {statuses[path]} Said\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate_file, tls.private_key_file)
        if is_certificate_asked:
            context.load_verify_locations(tls.ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def written_for_http(folder: Path, port: int, *, host: str = EVERYWHERE, tls: object = None) -> Path:
    file = folder / "comptoir.yaml"
    file.write_text(yaml.safe_dump({"router": {"listen": {"host": host, "port": port, "tls": tls}}}))
    return file


@pytest.mark.parametrize("is_tls", [True, False])
async def test_the_edge_is_asked_over_http_whether_it_is_ready_or_alive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, is_tls: bool
) -> None:
    # For a name of clients, which the probe does not know.
    files = Authority(tmp_path / "authority").files("api", dns="api.example.eu") if is_tls else None
    statuses = {"/healthz": 200, "/readyz": 503}
    async with answering(statuses, files) as port:
        config = written_for_http(tmp_path, port, tls={"certificate_file": "x"} if is_tls else None)
        assert (await asked(config, "--http"), await asked(config, "--http", "--is-alive")) == (1, 0)
        assert capsys.readouterr().err == "comptoir health: router answered /readyz with 503.\n"
        statuses["/readyz"] = 200
        assert await asked(config, "--http") == 0


async def test_of_a_listener_that_answers_certificates_alone_it_is_enough_that_it_shows_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = Authority(tmp_path / "authority").files("console")
    tls = {"client_ca_file": str(files.ca_file)}
    async with answering({"/readyz": 200}, files, is_certificate_asked=True) as port:
        assert await asked(written_for_http(tmp_path, port, tls=tls), "--http") == 0
    assert await asked(written_for_http(tmp_path, free_port(), tls=tls), "--http") == 1
    assert "did not answer: ConnectionRefusedError." in capsys.readouterr().err


async def test_an_edge_that_does_not_listen_is_unhealthy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asked(written_for_http(tmp_path, free_port(), host="127.0.0.1"), "--http") == 1
    assert "router did not answer: ConnectionRefusedError." in capsys.readouterr().err
    assert await asked(written(tmp_path, "127.0.0.1:1"), "--http") == 1
    assert "does not say where router listens" in capsys.readouterr().err
