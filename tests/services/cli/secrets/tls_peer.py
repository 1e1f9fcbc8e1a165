"""A server or a caller on mutual TLS, as its own process, on the files of one folder as they are."""

import asyncio
import sys
from pathlib import Path

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.runtime.addresses import TlsFiles
from services.runtime.grpc.health import HealthService
from services.runtime.grpc.reloaded_channel import ReloadedChannel
from services.runtime.grpc.server_tls import ServerTls


def files_in(folder: str) -> TlsFiles:
    root = Path(folder)
    return TlsFiles(
        certificate_file=root / "tls.crt", private_key_file=root / "tls.key", ca_file=root / "ca.crt"
    )


async def serve(folder: str) -> None:
    """Says its port, and serves until its input ends."""
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(HealthService(), server)
    port = server.add_secure_port("127.0.0.1:0", ServerTls("server", files_in(folder)).credentials())
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


async def call(folder: str, port: str) -> None:
    """Asks once for each line of its input, on the channel that it has had all along and on a new one."""
    address, files = f"127.0.0.1:{port}", files_in(folder)
    # The name of a host in the certificate; the address is this machine's.
    named = [("grpc.ssl_target_name_override", "router-1"), ("grpc.use_local_subchannel_pool", 1)]

    def connect(credentials: grpc.ChannelCredentials) -> grpc.aio.Channel:
        return grpc.aio.secure_channel(address, credentials, options=named)

    async with ReloadedChannel(address, files, connect) as kept:
        while await asyncio.to_thread(sys.stdin.readline):
            async with connect(files.channel_credentials()) as new:
                said = [await _asked(channel) for channel in (kept, new)]
            sys.stdout.write(f"{' '.join(said)}\n")
            sys.stdout.flush()


async def _asked(channel: grpc.aio.Channel) -> str:
    try:
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=60)
    except grpc.aio.AioRpcError as failure:
        return failure.code().name
    return "answered"


if __name__ == "__main__":
    # Its output is its answers.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(serve(*sys.argv[2:]) if sys.argv[1] == "serve" else call(*sys.argv[2:]))
