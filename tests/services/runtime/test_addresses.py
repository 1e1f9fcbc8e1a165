"""Plaintext never leaves the machine, and with TLS both sides show who they are."""

from pathlib import Path

import grpc
import pytest
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.runtime.addresses import (
    CallerListen,
    GrpcListen,
    GrpcTarget,
    GuardedListen,
    TlsFiles,
    is_local,
    split_address,
)
from services.runtime.grpc.server import channel
from services.runtime.settings import SettingsError
from tests.ports import free_port
from tests.services.runtime.certificates import Authority
from tests.services.runtime.running import serving


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "127.9.9.9:1", "localhost:80", "[::1]:65535", "unix:/run/x.sock"]
)
def test_this_machine_needs_no_tls(address: str) -> None:
    assert is_local(address)
    assert GrpcListen(address=address).tls is None


@pytest.mark.parametrize(
    "address", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "router.internal:1", "127.0.0.1.evil:1"]
)
def test_any_other_address_needs_tls(address: str) -> None:
    for kind in (GrpcListen, GrpcTarget):
        with pytest.raises(ValidationError, match="needs tls"):
            kind(address=address)
    tls = TlsFiles(certificate_file=Path("a"), private_key_file=Path("b"), ca_file=Path("c"))
    assert GrpcListen(address=address, tls=tls).address == address


def guarded(**fields: object) -> GuardedListen:
    return GuardedListen.model_validate(fields)


TLS = {"certificate_file": "a", "private_key_file": "b", "ca_file": "c"}


@pytest.mark.parametrize(
    ("fields", "is_described"),
    [
        ({"address": "127.0.0.1:1"}, True),
        ({"address": "127.0.0.1:1", "reflection": False}, False),
        ({"address": "0.0.0.0:1", "tls": TLS}, False),
        ({"address": "0.0.0.0:1", "tls": TLS, "reflection": True}, True),
    ],
)
def test_the_schema_is_told_on_this_machine_and_elsewhere_only_if_asked_for(
    fields: dict[str, object], is_described: bool
) -> None:
    assert CallerListen.model_validate(fields).is_described is is_described


def test_what_is_guarded_tells_no_schema() -> None:
    with pytest.raises(ValidationError, match="reflection"):
        guarded(address="unix:/run/x", reflection=True)


@pytest.mark.parametrize(
    "fields",
    [
        {"address": "unix:/run/comptoir/emitter"},
        {"address": "0.0.0.0:1", "tls": TLS, "callers": {"EmitterService": ["edge"]}},
        {"address": "127.0.0.1:1", "is_open_to_this_machine": True},
    ],
    ids=["socket", "TLS and list", "loopback as said"],
)
def test_a_guarded_service_listens_where_it_is_known_who_calls(fields: dict[str, object]) -> None:
    assert guarded(**fields).address == fields["address"]


@pytest.mark.parametrize(
    "fields",
    [
        {"address": "127.0.0.1:1"},
        {"address": "127.0.0.1:1", "tls": TLS},
        {"address": "127.0.0.1:1", "tls": TLS, "is_open_to_this_machine": True},
        {"address": "127.0.0.1:1", "callers": {"EmitterService": ["edge"]}},
        {"address": "0.0.0.0:1", "is_open_to_this_machine": True},
    ],
    ids=["loopback", "no list", "list set aside", "no TLS", "not this machine"],
)
def test_a_guarded_service_listens_nowhere_else(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        guarded(**fields)


@pytest.mark.parametrize(
    "address",
    ["", "127.0.0.1", ":80", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "h:²", "unix:", "unix:x"],
)
def test_what_is_no_address_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(ValidationError) as refused:
        GrpcTarget(address=address)
    assert [problem["msg"] for problem in refused.value.errors()] == [
        "Value error, must be host:port or unix:/path"
    ]


@given(text=st.text(max_size=40))
def test_splitting_any_text_gives_an_address_or_a_value_error(text: str) -> None:
    try:
        host, port = split_address(text)
    except ValueError:
        return
    assert host or text.startswith("[")
    assert 0 <= port <= 65535


async def _load(target: GrpcTarget) -> generator_pb2.GetLoadResponse:
    async with channel(target) as connection:
        stub: generator_pb2_grpc.GeneratorServiceAsyncStub = generator_pb2_grpc.GeneratorServiceStub(
            connection
        )
        return await stub.GetLoad(generator_pb2.GetLoadRequest(), timeout=5)


async def _idle(_request: object, _context: object) -> generator_pb2.GetLoadResponse:
    return generator_pb2.GetLoadResponse()


async def test_a_caller_without_a_certificate_of_the_authority_is_refused(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    address = f"127.0.0.1:{free_port()}"
    known = GrpcTarget(address=address, tls=ours.files("edge"))
    stranger = ours.files("x").model_copy(
        update={
            "certificate_file": theirs.files("y").certificate_file,
            "private_key_file": tmp_path / "theirs" / "y.key",
        }
    )
    async with serving(GrpcListen(address=address, tls=ours.files("router")), get_load=_idle):
        assert await _load(known) == generator_pb2.GetLoadResponse()
        for refused in (
            GrpcTarget(address=address),
            GrpcTarget(address=address, tls=stranger),
            GrpcTarget(address=address, tls=theirs.files("edge")),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await _load(refused)
            assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
        anonymous = grpc.ssl_channel_credentials((tmp_path / "ours" / "ca.pem").read_bytes())
        async with grpc.aio.secure_channel(address, anonymous) as connection:
            stub: generator_pb2_grpc.GeneratorServiceAsyncStub = generator_pb2_grpc.GeneratorServiceStub(
                connection
            )
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.GetLoad(generator_pb2.GetLoadRequest(), timeout=5)


def test_a_missing_certificate_file_is_one_sentence(tmp_path: Path) -> None:
    files = Authority(tmp_path / "ca").files("router").model_copy(update={"ca_file": tmp_path / "gone.pem"})
    for make in (files.server_configuration, files.channel_credentials, files.ssl_context):
        with pytest.raises(SettingsError, match=r"gone\.pem"):
            make()


def test_a_certificate_that_is_none_is_one_sentence_for_kafka_too(tmp_path: Path) -> None:
    files = Authority(tmp_path / "ca").files("usage")
    files.certificate_file.write_text("not a certificate")
    with pytest.raises(SettingsError, match="are no certificate"):
        files.ssl_context()


async def test_a_certificate_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    files = Authority(tmp_path / "ca").files("router")
    files.certificate_file.write_text("not a certificate")
    listen = GrpcListen(address=f"127.0.0.1:{free_port()}", tls=files)
    with pytest.raises(SettingsError):
        async with serving(listen):
            pass
