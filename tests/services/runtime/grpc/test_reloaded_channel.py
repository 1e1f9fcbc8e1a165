"""A caller shows on each new connection what its TLS files hold then, and its open calls go on."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc

from services.runtime.addresses import GrpcListen, GrpcTarget, TlsFiles
from services.runtime.grpc.callers import names_of
from services.runtime.grpc.reloaded_channel import ReloadedChannel
from services.runtime.grpc.server import channel
from services.runtime.settings_error import SettingsError
from tests.ports import free_port
from tests.services.runtime.certificates import Authority
from tests.services.runtime.running import serving

WAIT_SECONDS = 10


class Scene:
    """A server that says who calls, and a caller whose files are renewed under it."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.files = self.authority.files("caller", dns="first")
        self.address = f"127.0.0.1:{free_port()}"
        self.seen: list[str] = []
        self.going_on = asyncio.Event()

    async def answer(
        self, request: generator_pb2.GetLoadRequest, context: Any
    ) -> generator_pb2.GetLoadResponse:
        del request
        names = names_of(context)
        assert names is not None
        self.seen.append(next(name for name in names if name in {"first", "second"}))
        if len(self.seen) == 1:
            await self.going_on.wait()
        return generator_pb2.GetLoadResponse()

    def connect(self) -> grpc.aio.Channel:
        return channel(GrpcTarget(address=self.address, tls=self.files))

    def renew(self, files: TlsFiles) -> None:
        for name in ("certificate_file", "private_key_file"):
            shutil.copy(getattr(files, name), getattr(self.files, name))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path / "authority")
    listen = GrpcListen(address=made.address, tls=made.authority.files("server"))
    async with serving(listen, get_load=made.answer):
        yield made


def _ask(stub: "generator_pb2_grpc.GeneratorServiceAsyncStub") -> Any:
    return stub.GetLoad(generator_pb2.GetLoadRequest(), timeout=WAIT_SECONDS)


async def test_a_certificate_that_was_renewed_is_shown_without_a_restart_and_open_calls_go_on(
    scene: Scene,
) -> None:
    async with scene.connect() as own:
        stub: generator_pb2_grpc.GeneratorServiceAsyncStub = generator_pb2_grpc.GeneratorServiceStub(own)
        before = _ask(stub)
        async with asyncio.timeout(WAIT_SECONDS):
            while not scene.seen:  # noqa: ASYNC110 - a server tells nobody
                await asyncio.sleep(0.01)
        scene.renew(scene.authority.files("another", dns="second"))
        await _ask(stub)
        assert scene.seen == ["first", "second"]
        assert not before.done()
        scene.going_on.set()
        await before
        await _ask(stub)
    assert scene.seen == ["first", "second", "second"]


async def test_files_that_cannot_be_used_change_nothing_and_are_told(scene: Scene) -> None:
    scene.going_on.set()
    with structlog.testing.capture_logs() as lines:
        async with scene.connect() as own:
            stub: generator_pb2_grpc.GeneratorServiceAsyncStub = generator_pb2_grpc.GeneratorServiceStub(own)
            scene.files.private_key_file.write_text("no key")
            for _ in range(3):
                await _ask(stub)
            scene.renew(scene.authority.files("another", dns="second"))
            await _ask(stub)
    assert scene.seen == ["first"] * 3 + ["second"]
    told = [(line["event"], line["kind"]) for line in lines if line["event"].startswith("certificate")]
    assert told == [("certificate_unusable", scene.address), ("certificate_reloaded", scene.address)]


async def test_a_channel_that_closes_takes_its_calls_on_earlier_files_along(scene: Scene) -> None:
    own = scene.connect()
    stub: generator_pb2_grpc.GeneratorServiceAsyncStub = generator_pb2_grpc.GeneratorServiceStub(own)
    before = _ask(stub)
    async with asyncio.timeout(WAIT_SECONDS):
        while not scene.seen:  # noqa: ASYNC110 - a server tells nobody
            await asyncio.sleep(0.01)
    scene.renew(scene.authority.files("another", dns="second"))
    await _ask(stub)
    await own.close()
    assert await before.code() is grpc.StatusCode.CANCELLED


async def test_channels_on_earlier_files_are_gone_once_their_calls_have_ended(scene: Scene) -> None:
    scene.going_on.set()
    made: list[grpc.aio.Channel] = []

    def connect(credentials: grpc.ChannelCredentials) -> grpc.aio.Channel:
        made.append(grpc.aio.secure_channel(scene.address, credentials))
        return made[-1]

    async with ReloadedChannel(scene.address, scene.files, connect) as own:
        stub: generator_pb2_grpc.GeneratorServiceAsyncStub = generator_pb2_grpc.GeneratorServiceStub(own)
        for number in range(3):
            scene.renew(scene.authority.files(f"another{number}", dns="second"))
            await _ask(stub)
        async with asyncio.timeout(WAIT_SECONDS):
            for outdated in made[:-1]:
                while outdated.get_state() is not grpc.ChannelConnectivity.SHUTDOWN:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.01)
        assert made[-1].get_state() is not grpc.ChannelConnectivity.SHUTDOWN


def test_files_that_are_no_use_at_first_are_said_at_the_start(scene: Scene) -> None:
    scene.files.private_key_file.write_text("no key")
    with pytest.raises(SettingsError):
        scene.connect()
