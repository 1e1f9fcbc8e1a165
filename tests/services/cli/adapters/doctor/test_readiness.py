"""Processes say for themselves whether they are ready: over gRPC with TLS, and an edge over HTTP."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import grpc
from comptoir.readiness.v1 import readiness_pb2, readiness_pb2_grpc

from services.cli.adapters.doctor.network import reach
from services.cli.adapters.doctor.readiness import ask_over_grpc, ask_over_http
from services.cli.doctor.facts import Said
from services.cli.doctor.places import Place, Speaks, Tls
from services.kernel.clock import SystemClock
from services.kernel.readiness import Figure, Unready
from tests.services.cli.http_server import serving_http
from tests.services.runtime.certificates import Authority


class Behind(readiness_pb2_grpc.ReadinessServiceServicer):
    async def GetReadiness(  # noqa: N802 - the schema's name
        self, request: Any, context: Any
    ) -> readiness_pb2.GetReadinessResponse:
        return readiness_pb2.GetReadinessResponse(
            reason=readiness_pb2.UnreadyReason.ValueType(Unready.BEHIND),
            figures=[
                readiness_pb2.Figure(name=readiness_pb2.FigureName.ValueType(Figure.BEHIND_SECONDS), value=90)
            ],
        )


async def test_a_process_is_asked_over_tls_by_the_name_in_its_own_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    # Its name is not that of the address by which it is reached, as where it listens on all of them.
    files = authority.files("usage", dns="usage.example")
    server = grpc.aio.server()
    readiness_pb2_grpc.add_ReadinessServiceServicer_to_server(Behind(), server)
    credentials = grpc.ssl_server_credentials(
        [(files.private_key_file.read_bytes(), files.certificate_file.read_bytes())],
        files.ca_file.read_bytes(),
        require_client_auth=True,
    )
    port = server.add_secure_port("localhost:0", credentials)
    await server.start()
    try:
        tls = Tls(str(files.ca_file), str(files.certificate_file), str(files.private_key_file))
        place = Place("usage.listen", f"localhost:{port}", Speaks.GRPC, tls, is_own=True)
        seen = await reach(place)
        assert seen.trouble is None
        assert await ask_over_grpc(place, seen.shown) == Said(place, "behind", "behind_seconds 90")
    finally:
        await server.stop(0)
    assert await ask_over_grpc(place, seen.shown) == Said(place, is_silent=True)


async def test_an_edge_says_its_reason_and_the_time_over_http() -> None:
    with serving_http({"/readyz": (503, b'{"status":"not ready","reason":"no_replica"}')}) as url:
        place = Place("edge.listen", url.removeprefix("http://"), Speaks.HTTP, is_own=True)
        said, clock = await ask_over_http(place, SystemClock())
    assert said == Said(place, "no_replica")
    assert clock is not None
    assert abs(clock.ahead_seconds) <= clock.within_seconds + 0.5
    assert await ask_over_http(place, SystemClock()) == (Said(place, is_silent=True), None)


async def test_nothing_but_a_name_of_ours_is_taken_for_a_reason() -> None:
    with serving_http({"/readyz": (503, b'{"reason":"Ask Bob <b@x>"}')}) as url:
        place = Place("edge.listen", url.removeprefix("http://"), Speaks.HTTP, is_own=True)
        said, _ = await ask_over_http(place, SystemClock())
    assert said.reason == "status_503"


async def test_an_edge_with_a_certificate_is_asked_over_https_on_its_own_machine(tmp_path: Path) -> None:
    files = Authority(tmp_path / "ca").files("edge", dns="api.example")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(1024):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate_file, files.private_key_file)
    async with await asyncio.start_server(serve, "localhost", 0, ssl=context) as server:
        # Its clients judge the certificate, by authorities that its settings do not name.
        tls = Tls("", str(files.certificate_file), str(files.private_key_file))
        port = server.sockets[0].getsockname()[1]
        place = Place("edge.listen", f"localhost:{port}", Speaks.HTTP, tls, is_own=True)
        seen = await reach(place)
        assert seen.trouble is None
        assert seen.shown is not None
        assert "api.example" in seen.shown.names
        assert await ask_over_http(place, SystemClock()) == (Said(place), None)
