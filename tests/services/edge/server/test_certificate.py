"""Certificates that are renewed while the edge runs, as TLS clients see them."""

import asyncio
import json
import os
import shutil
import ssl
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
import uvloop
from cryptography.hazmat.primitives import serialization

from services.edge.process import Edge
from services.edge.server.http.certificate import Certificate
from services.edge.settings import EdgeSettings, HttpListen, HttpTls
from services.kernel.clock import ManualClock, SystemClock
from services.runtime.addresses import TlsFiles
from services.runtime.http.bounds import HttpBounds
from services.runtime.http.server import HttpServer, bind
from services.runtime.parts import Parts
from services.runtime.settings import SettingsError, load_settings
from tests.services.edge.conftest import Stage
from tests.services.edge.test_settings import COMMON, EDGE
from tests.services.runtime.certificates import Authority
from tests.services.runtime.http.serving import Echo, refuse


class Renewal:
    """The files of the listener, and the certificates that are put there."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "authority")
        self.ca_file = self.authority.files("unused").ca_file
        self.tls = HttpTls(certificate_file=folder / "edge.pem", private_key_file=folder / "edge.key")
        self.put(self.authority.files("first"))

    def put(self, files: TlsFiles) -> None:
        shutil.copy(files.certificate_file, self.tls.certificate_file)
        shutil.copy(files.private_key_file, self.tls.private_key_file)

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))


@pytest.fixture
def renewal(tmp_path: Path) -> Renewal:
    (tmp_path / "tls").mkdir()
    return Renewal(tmp_path / "tls")


async def started(stage: Stage, renewal: Renewal) -> Certificate:
    stage.listen = HttpListen(port=0, tls=renewal.tls)
    await stage.start()
    assert stage.process is not None
    assert stage.process.certificate is not None
    return stage.process.certificate


async def seen_by_httpx(stage: Stage, renewal: Renewal) -> str:
    """The name of the certificate that a new connection is shown."""
    async with (
        httpx.AsyncClient(verify=renewal.context, base_url=stage.url) as client,
        client.stream("GET", "/healthz") as answer,
    ):
        assert answer.status_code == 200
        connection: ssl.SSLObject = answer.extensions["network_stream"].get_extra_info("ssl_object")
        shown: Any = connection.getpeercert()
        assert connection.selected_alpn_protocol() == "http/1.1"
    return str(dict(pair for (pair,) in shown["subject"])["commonName"])


async def seen_by_node(stage: Stage, renewal: Renewal) -> dict[str, Any]:
    node = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "node",
        Path(__file__).parent / "tls.mjs",
        stage.url,
        env={"PATH": os.defpath, "NODE_EXTRA_CA_CERTS": str(renewal.ca_file)},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(node.communicate(), 60)
    seen: dict[str, Any] = json.loads(said)
    return seen


async def test_a_renewed_certificate_is_shown_to_new_connections_and_open_ones_go_on(
    stage: Stage, renewal: Renewal
) -> None:
    certificate = await started(stage, renewal)
    async with httpx.AsyncClient(verify=renewal.context, base_url=stage.url) as open_client:
        assert (await open_client.get("/healthz")).status_code == 200
        assert await seen_by_httpx(stage, renewal) == "first"
        renewal.put(renewal.authority.files("second"))
        await certificate.check()
        assert await seen_by_httpx(stage, renewal) == "second"
        assert (await open_client.get("/healthz")).status_code == 200
        assert stage.process is not None
        assert stage.process._listener.connections == 1


async def test_node_is_shown_it_too(stage: Stage, renewal: Renewal) -> None:
    certificate = await started(stage, renewal)
    seen = [await seen_by_node(stage, renewal)]
    renewal.put(renewal.authority.files("second"))
    await certificate.check()
    seen.append(await seen_by_node(stage, renewal))
    assert [each["name"] for each in seen] == ["first", "second"]
    assert {each["protocol"] for each in seen} == {"TLSv1.3"}
    assert {each["body"] for each in seen} == {'{"status":"alive"}'}


def emptied(renewal: Renewal) -> None:
    renewal.tls.certificate_file.write_bytes(b"")


def removed(renewal: Renewal) -> None:
    renewal.tls.private_key_file.unlink()


def mismatched(renewal: Renewal) -> None:
    shutil.copy(renewal.authority.files("other").certificate_file, renewal.tls.certificate_file)


def no_file(renewal: Renewal) -> None:
    # A pipe that nobody writes to.
    renewal.tls.private_key_file.unlink()
    os.mkfifo(renewal.tls.private_key_file)


@pytest.mark.parametrize("break_files", [emptied, removed, mismatched, no_file])
async def test_files_that_cannot_be_used_change_nothing_and_are_told_once(
    stage: Stage, renewal: Renewal, break_files: Callable[[Renewal], None]
) -> None:
    certificate = await started(stage, renewal)
    break_files(renewal)
    with structlog.testing.capture_logs() as lines:
        await certificate.check()
        # Perhaps one of two files that are being written.
        assert (certificate.is_outdated, lines) == (False, [])
        for _ in range(3):
            await certificate.check()
            assert certificate.is_outdated
            assert await seen_by_httpx(stage, renewal) == "first"
    unusable = [line for line in lines if line["event"] == "certificate_unusable"]
    assert [line["log_level"] for line in unusable] == ["error"]
    renewal.tls.private_key_file.unlink(missing_ok=True)
    renewal.put(renewal.authority.files("second"))
    await certificate.check()
    assert not certificate.is_outdated
    assert await seen_by_httpx(stage, renewal) == "second"


async def test_the_files_are_looked_at_for_as_long_as_the_edge_runs(renewal: Renewal) -> None:
    certificate, waits = Certificate(renewal.tls), list[float]()

    class EnoughError(Exception):
        pass

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise EnoughError
        renewal.put(renewal.authority.files(f"renewed-{len(waits)}"))

    with structlog.testing.capture_logs() as lines, pytest.raises(EnoughError):
        await certificate.watch(sleep)
    assert waits == [10.0] * 3
    assert [line["event"] for line in lines] == ["certificate_reloaded"] * 2


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(renewal: Renewal) -> None:
    path = renewal.tls.private_key_file
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(SettingsError, match="TLS files"):
        Certificate(renewal.tls)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_client_that_would_rather_speak_http_2_is_served_on_every_loop(
    renewal: Renewal, run: Callable[[Coroutine[None, None, None]], None]
) -> None:
    run(_serve_and_renew(renewal))


async def _serve_and_renew(renewal: Renewal) -> None:
    certificate = Certificate(renewal.tls)
    bounds = HttpBounds(
        max_head_bytes=8192, max_connections=8, head_seconds=5, idle_seconds=5, drain_seconds=1
    )
    server = HttpServer(Echo(), bounds, refuse, ManualClock())
    bound = bind("127.0.0.1", 0)
    port = bound.getsockname()[1]
    await server.start(bound, certificate.context)

    async def ask() -> tuple[str, bytes]:
        context = renewal.context
        context.set_alpn_protocols(["h2", "http/1.1"])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        shown = writer.get_extra_info("ssl_object")
        assert shown.selected_alpn_protocol() == "http/1.1"
        writer.write(b"GET /a HTTP/1.1\r\nconnection: close\r\n\r\n")
        try:
            said = await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()
        return dict(pair for (pair,) in shown.getpeercert()["subject"])["commonName"], said

    for name in ("first", "second"):
        shown, said = await ask()
        assert (shown, said.partition(b"\r\n")[0]) == (name, b"HTTP/1.1 200 OK")
        renewal.put(renewal.authority.files("second"))
        await certificate.check()
    await server.stop()


async def test_an_edge_with_tls_looks_at_its_files(
    renewal: Renewal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "comptoir.yaml"
    tls = {
        "certificate_file": str(renewal.tls.certificate_file),
        "private_key_file": str(renewal.tls.private_key_file),
        "reload_seconds": 0.01,
    }
    listen = json.dumps({"port": 0, "tls": tls})
    file.write_text(COMMON + EDGE.replace("{port: 8400}", listen))
    edge, parts = (
        Edge(load_settings(EdgeSettings, section="edge", path=file, environ={}), SystemClock()),
        Parts(),
    )
    looked = asyncio.Event()
    certificate = edge._http.certificate
    assert certificate is not None

    async def check() -> None:
        looked.set()

    monkeypatch.setattr(certificate, "check", check)
    await edge.start(parts)
    await asyncio.wait_for(looked.wait(), 5)
    await edge.drain()
    await parts.end()
