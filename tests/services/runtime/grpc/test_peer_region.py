"""Two regions under one authority: who is of one is neither called nor heard by the other."""

import itertools
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from pydantic import ValidationError

from services.kernel.errors import Reason
from services.kernel.process_names import RegionName
from services.runtime.addresses import GrpcListen, GrpcTarget, TlsFiles
from services.runtime.grpc.server import channel
from services.runtime.grpc.status import error_from
from tests.ports import free_port
from tests.services.runtime.certificates import Authority
from tests.services.runtime.running import serving

REGIONS = {name: RegionName("comptoir.internal", name) for name in ("eu-fr", "eu-de")}
PAIRS = list(itertools.product(REGIONS, REGIONS))
HANDSHAKE = "handshake"
SECONDS = 30
ALONE: list[tuple[str, int | str]] = [("grpc.use_local_subchannel_pool", 1)]


class World:
    """A server of each region, and callers; both have their certificates of one authority."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "authority")
        self.addresses = {region: f"127.0.0.1:{free_port()}" for region in REGIONS}
        self.served = 0

    def files(self, process: str, region: str, **more: Any) -> TlsFiles:
        uri = f"{REGIONS[region]}/process/{process}"
        return self.authority.files(
            f"{process}-{region}", dns=REGIONS[region].host("127.0.0.1"), **{"uri": uri, **more}
        )

    def listen(self, region: str) -> GrpcListen:
        return GrpcListen(
            address=self.addresses[region],
            tls=self.files("generator", region),
            peer_region=str(REGIONS[region]),
            callers={"GeneratorService": (f"{REGIONS[region]}/process/edge",)},
        )

    async def load(self, _request: generator_pb2.GetLoadRequest, _context: Any) -> Any:
        self.served += 1
        return generator_pb2.GetLoadResponse()

    async def ask(self, files: TlsFiles, region: str, *, peer_region: str = "") -> Reason | str | None:
        """What becomes of a call to the server of `region`: None where it is answered."""
        target = GrpcTarget(address=self.addresses[region], tls=files, peer_region=peer_region)
        async with channel(target, options=ALONE) as own:
            stub: generator_pb2_grpc.GeneratorServiceAsyncStub = generator_pb2_grpc.GeneratorServiceStub(own)
            try:
                await stub.GetLoad(generator_pb2.GetLoadRequest(), timeout=SECONDS)
            except grpc.aio.AioRpcError as failure:
                if failure.code() is grpc.StatusCode.UNAVAILABLE:
                    return HANDSHAKE
                return error_from(failure).reason
        return None


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    async with (
        serving(made.listen("eu-fr"), get_load=made.load),
        serving(made.listen("eu-de"), get_load=made.load),
    ):
        yield made


@pytest.mark.parametrize(("caller", "server"), PAIRS)
async def test_a_region_is_heard_by_itself_and_refused_by_every_other(
    world: World, caller: str, server: str
) -> None:
    expected = None if caller == server else Reason.CALLER_NOT_ALLOWED
    assert await world.ask(world.files("edge", caller), server) is expected
    assert world.served == (caller == server)


@pytest.mark.parametrize(("caller", "server"), PAIRS)
async def test_a_caller_sends_nothing_to_a_server_of_another_region(
    world: World, caller: str, server: str
) -> None:
    asked = await world.ask(world.files("edge", caller), server, peer_region=str(REGIONS[caller]))
    assert asked == (None if caller == server else HANDSHAKE)


async def test_another_process_of_the_region_is_not_on_the_list(world: World) -> None:
    assert await world.ask(world.files("emitter", "eu-fr"), "eu-fr") is Reason.CALLER_NOT_ALLOWED


async def test_a_name_in_another_place_or_beside_a_second_one_is_none(world: World) -> None:
    name = f"{REGIONS['eu-fr']}/process/edge"
    for more in ({"uri": ""}, {"second_uri": name.replace("eu-fr", "eu-de")}, {"uri": f"{name}/.."}):
        assert await world.ask(world.files("edge", "eu-fr", **more), "eu-fr") is Reason.CALLER_NOT_ALLOWED
    as_dns = world.authority.files("edge", dns=name)
    assert await world.ask(as_dns, "eu-fr") is Reason.CALLER_NOT_ALLOWED


async def test_expired_and_foreign_certificates_end_at_the_handshake(world: World, tmp_path: Path) -> None:
    expired = world.files("edge", "eu-fr", is_expired=True)
    assert await world.ask(expired, "eu-fr") == HANDSHAKE
    foreign = Authority(tmp_path / "foreign").files("edge", uri=f"{REGIONS['eu-fr']}/process/edge")
    trusting = foreign.model_copy(update={"ca_file": expired.ca_file})
    assert await world.ask(trusting, "eu-fr") == HANDSHAKE
    without = grpc.ssl_channel_credentials(expired.ca_file.read_bytes())
    async with grpc.aio.secure_channel(world.addresses["eu-fr"], without, options=ALONE) as own:
        call: Any = own.unary_unary("/comptoir.generator.v1.GeneratorService/GetLoad")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(b"", timeout=SECONDS)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert world.served == 0


async def test_a_renewed_certificate_of_the_same_name_goes_on(world: World, tmp_path: Path) -> None:
    files = world.files("edge", "eu-fr")
    copies = {}
    for key in ("certificate_file", "private_key_file", "ca_file"):
        copies[key] = Path(shutil.copy(getattr(files, key), tmp_path / key))
    target = GrpcTarget(
        address=world.addresses["eu-fr"], tls=TlsFiles(**copies), peer_region=str(REGIONS["eu-fr"])
    )
    async with channel(target, options=ALONE) as own:
        stub: generator_pb2_grpc.GeneratorServiceAsyncStub = generator_pb2_grpc.GeneratorServiceStub(own)
        await stub.GetLoad(generator_pb2.GetLoadRequest(), timeout=SECONDS)
        files = world.files("edge", "eu-fr")
        for key in ("private_key_file", "certificate_file"):
            shutil.copy(getattr(files, key), copies[key])
        await stub.GetLoad(generator_pb2.GetLoadRequest(), timeout=SECONDS)
    assert world.served == 2


async def test_a_refusal_is_told_once_for_each_kind_of_caller(world: World) -> None:
    stranger, unnamed = world.files("edge", "eu-de"), world.authority.files("edge")
    with structlog.testing.capture_logs() as lines:
        for files in (stranger, stranger, unnamed):
            await world.ask(files, "eu-fr")
    told = [(line["reason"], line["kind"]) for line in lines if line["event"] == "caller_refused"]
    assert told == [("other_region", "eu-de/edge"), ("no_region", "unnamed")]


@pytest.mark.parametrize(
    "region", ["eu-fr", "spiffe://comptoir.internal", "spiffe://comptoir.internal/region/EU-FR"]
)
def test_a_region_that_is_none_is_refused_at_the_start(world: World, region: str) -> None:
    with pytest.raises(ValidationError, match="spiffe://TRUST-DOMAIN/region/REGION"):
        GrpcTarget(address="127.0.0.1:1", tls=world.files("edge", "eu-fr"), peer_region=region)


def test_a_region_cannot_be_told_without_tls() -> None:
    with pytest.raises(ValidationError, match="needs host:port and tls"):
        GrpcTarget(address="127.0.0.1:1", peer_region=str(REGIONS["eu-fr"]))
