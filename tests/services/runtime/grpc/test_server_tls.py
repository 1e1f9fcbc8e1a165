"""A listener shows at each handshake what its TLS files hold then, or held when they were last usable."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc

from services.runtime.addresses import GrpcListen, GrpcTarget, TlsFiles
from services.runtime.grpc.server import channel
from tests.ports import free_port
from tests.services.runtime.certificates import Authority
from tests.services.runtime.running import serving


async def _load(_request: generator_pb2.GetLoadRequest, _context: Any) -> generator_pb2.GetLoadResponse:
    return generator_pb2.GetLoadResponse()


class Listener:
    """A server on TLS files that are renewed, and callers with a connection of their own each."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "authority")
        self.files = self.authority.files("server")
        self.address = f"127.0.0.1:{free_port()}"

    def put(self, files: TlsFiles) -> None:
        for name in ("certificate_file", "private_key_file", "ca_file"):
            if getattr(files, name) != getattr(self.files, name):
                shutil.copy(getattr(files, name), getattr(self.files, name))

    async def is_served(self, files: TlsFiles) -> bool:
        """Whether a caller with these files, and their authority, gets an answer on a new connection."""
        target = GrpcTarget(address=self.address, tls=files)
        # Without it, gRPC may go on with the connection that another channel has.
        alone: list[tuple[str, int | str]] = [("grpc.use_local_subchannel_pool", 1)]
        async with channel(target, options=alone) as own:
            stub: generator_pb2_grpc.GeneratorServiceAsyncStub = generator_pb2_grpc.GeneratorServiceStub(own)
            try:
                await stub.GetLoad(generator_pb2.GetLoadRequest(), timeout=10)
            except grpc.aio.AioRpcError as failure:
                return failure.code() is not grpc.StatusCode.UNAVAILABLE
        return True


@pytest.fixture
async def listener(tmp_path: Path) -> AsyncIterator[Listener]:
    made = Listener(tmp_path)
    async with serving(GrpcListen(address=made.address, tls=made.files), get_load=_load):
        yield made


async def test_a_certificate_that_was_renewed_is_shown_without_a_restart(
    listener: Listener, tmp_path: Path
) -> None:
    before = listener.authority.files("edge")
    other = Authority(tmp_path / "other")
    after = other.files("edge")
    assert await listener.is_served(before)
    assert not await listener.is_served(after)
    # Certificate, key and authority of another house: whoever believes the first one alone is refused now.
    listener.put(other.files("server"))
    assert await listener.is_served(after)
    assert not await listener.is_served(before.model_copy(update={"ca_file": after.ca_file}))


async def test_files_that_cannot_be_used_change_nothing_and_are_told(listener: Listener) -> None:
    caller = listener.authority.files("edge")
    with structlog.testing.capture_logs() as lines:
        listener.files.private_key_file.write_text("no key")
        for _ in range(3):
            assert await listener.is_served(caller)
        listener.put(listener.authority.files("another"))
        assert await listener.is_served(caller)
    told = [(line["event"], line["kind"]) for line in lines if line["event"].startswith("certificate")]
    assert told == [("certificate_unusable", listener.address), ("certificate_reloaded", listener.address)]
