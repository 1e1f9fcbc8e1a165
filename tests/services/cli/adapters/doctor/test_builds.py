"""Which version a process is, as its own operations port says: to its own certificate over TLS."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge

from services.cli.adapters.doctor import builds
from services.cli.adapters.doctor.builds import ask_build
from services.cli.doctor.facts import SeenBuild
from services.cli.doctor.places import Place, Speaks, Tls
from services.runtime.addresses import TlsFiles
from services.runtime.metrics.endpoint import MetricsEndpoint
from services.runtime.metrics.listen import MetricsListen
from services.runtime.probes import Probes
from tests.ports import free_port
from tests.services.runtime.certificates import Authority

KEY = "router.metrics_listen"


@contextmanager
def shown(version: str, tls: TlsFiles | None = None) -> Iterator[str]:
    registry = CollectorRegistry()
    gauge = Gauge(
        "comptoir_build_info", "which", ("comptoir_region", "process", "version"), registry=registry
    )
    gauge.labels("eu-fr", "router", version).set(1)
    endpoint = MetricsEndpoint(MetricsListen(port=0, tls=tls), registry, Probes())
    try:
        yield f"127.0.0.1:{endpoint.port}"
    finally:
        endpoint.close()


async def test_a_process_says_its_version() -> None:
    with shown("0.3.0") as address:
        found = await ask_build(Place(KEY, address, Speaks.HTTP, is_own=True))
    assert found == SeenBuild(KEY, "router", "0.3.0")


async def test_over_tls_it_says_so_to_its_own_certificate_and_to_nobody_else(tmp_path: Path) -> None:
    files = Authority(tmp_path / "pki").files("router")
    own = Tls(str(files.ca_file), str(files.certificate_file), str(files.private_key_file))
    with shown("0.3.0", files) as address:
        assert await ask_build(Place(KEY, address, Speaks.HTTP, own, is_own=True)) is not None
        unknown = Tls(ca_file=str(files.ca_file))
        assert await ask_build(Place(KEY, address, Speaks.HTTP, unknown, is_own=True)) is None


async def test_an_answer_that_trickles_is_given_up_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "SECONDS", 1.0)
    started, gone = time.monotonic(), asyncio.Event()

    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"# more\n")
                await writer.drain()
                await asyncio.sleep(0.1)
        writer.close()
        gone.set()

    async with await asyncio.start_server(trickle, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with asyncio.timeout(60):
            assert await ask_build(Place(KEY, address, Speaks.HTTP, is_own=True)) is None
            await gone.wait()
    assert time.monotonic() - started >= 1.0


async def test_words_that_are_no_version_and_silence_say_nothing() -> None:
    with shown("a word\n") as address:
        assert await ask_build(Place(KEY, address, Speaks.HTTP, is_own=True)) is None
    nobody = Place(KEY, f"127.0.0.1:{free_port()}", Speaks.HTTP, is_own=True)
    assert await ask_build(nobody) is None
