"""The commands of docs/identities.md make certificates by which processes of a region know one another."""

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
import yaml
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc

from services.kernel.errors import Reason
from services.runtime.addresses import GrpcListen, GrpcTarget, TlsFiles
from services.runtime.grpc.server import channel
from services.runtime.grpc.status import error_from
from services.runtime.settings import environment
from tests.ports import free_port
from tests.services.runtime.running import serving

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "identities.md"
SECONDS: Final = 120


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def files(folder: Path, name: str) -> TlsFiles:
    return TlsFiles(
        certificate_file=folder / f"{name}.pem",
        private_key_file=folder / f"{name}.key",
        ca_file=folder / "authority.pem",
    )


def commands(folder: Path) -> str:
    """Executes the page's commands, and returns what they print."""
    done = subprocess.run(
        ("bash", "-euo", "pipefail", "-c", "\n".join(blocks("sh"))),  # noqa: S607 - as a reader's
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def ask(target: GrpcTarget) -> None:
    async with channel(target, options=[("grpc.use_local_subchannel_pool", 1)]) as own:
        stub: generator_pb2_grpc.GeneratorServiceAsyncStub = generator_pb2_grpc.GeneratorServiceStub(own)
        await stub.GetLoad(generator_pb2.GetLoadRequest(), timeout=SECONDS)


async def load(_request: generator_pb2.GetLoadRequest, _context: Any) -> generator_pb2.GetLoadResponse:
    return generator_pb2.GetLoadResponse()


async def test_its_certificates_and_settings_let_in_the_region_and_keep_out_another(tmp_path: Path) -> None:
    assert "URI:spiffe://comptoir.internal/region/eu-fr/process/router" in commands(tmp_path)
    settings = {key: value for text in blocks("yaml") for key, value in yaml.safe_load(text).items()}
    listen, called = settings["router"]["listen"], settings["edge"]["router"]
    assert settings["edge"]["generator_peer_region"] == called["peer_region"]
    port = free_port()
    listen |= {"address": f"127.0.0.1:{port}", "tls": files(tmp_path, "router")}
    listen["callers"] = {"GeneratorService": listen["callers"]["RouterService"]}

    def target(name: str, region: str) -> GrpcTarget:
        return GrpcTarget(address=f"localhost:{port}", tls=files(tmp_path, name), peer_region=region)

    async with serving(GrpcListen(**listen), get_load=load):
        await ask(target("edge", called["peer_region"]))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await ask(target("edge-of-germany", ""))
        assert error_from(refused.value).reason is Reason.CALLER_NOT_ALLOWED
        with pytest.raises(grpc.aio.AioRpcError) as unsent:
            await ask(target("edge-of-germany", called["peer_region"].replace("eu-fr", "eu-de")))
        assert unsent.value.code() is grpc.StatusCode.UNAVAILABLE
