"""Addresses are reached as processes reach them: real sockets, and real TLS."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.cli.adapters.doctor.network import reach
from services.cli.doctor.facts import Trouble
from services.cli.doctor.places import Place, Speaks, Tls
from services.runtime.addresses import TlsFiles
from tests.services.runtime.certificates import Authority


def tls_of(files: TlsFiles) -> Tls:
    return Tls(str(files.ca_file), str(files.certificate_file), str(files.private_key_file))


def place(port: int, tls: Tls | None = None, *, is_own: bool = False) -> Place:
    return Place("edge.router", f"127.0.0.1:{port}", Speaks.GRPC, tls, is_own=is_own)


@contextlib.asynccontextmanager
async def listening(files: TlsFiles | None) -> AsyncIterator[int]:
    """Serves as gRPC's servers do: who connects is sent something at once."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(b"x")
            await writer.drain()
        writer.transport.abort()

    context = None
    if files is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files.ca_file))
        context.load_cert_chain(files.certificate_file, files.private_key_file)
        context.verify_mode = ssl.CERT_REQUIRED
    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_an_address_is_reached_with_the_certificate_of_both_sides(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    async with listening(authority.files("router", dns="router.example")) as port:
        found = await reach(place(port, tls_of(authority.files("edge"))))
    assert found.trouble is None
    assert found.shown is not None
    assert found.shown.names == ("127.0.0.1", "router.example")
    assert found.shown.not_before_seconds < found.shown.not_after_seconds


async def test_plaintext_is_reached_without_files() -> None:
    async with listening(None) as port:
        found = await reach(place(port))
    assert (found.trouble, found.shown) == (None, None)


async def test_each_trouble_of_tls_is_told_apart(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "ca"), Authority(tmp_path / "other")
    ours, theirs = tls_of(authority.files("edge")), other.files("router")
    async with listening(theirs) as port:
        assert (await reach(place(port, ours))).trouble is Trouble.NOT_BELIEVED
        stranger = Tls(str(theirs.ca_file), ours.certificate_file, ours.private_key_file)
        assert (await reach(place(port, stranger))).trouble is Trouble.CERTIFICATE_REFUSED
        mixed = Tls(ours.ca_file, ours.certificate_file, str(theirs.private_key_file))
        assert (await reach(place(port, mixed))).trouble is Trouble.FILES_UNUSABLE
        named = Place("edge.router", f"localhost:{port}", Speaks.GRPC, tls_of(theirs))
        assert (await reach(named)).trouble is Trouble.OTHER_NAME
        # A listener of the process itself is reached by an address that its certificate need not name.
        own = Place("router.listen", f"localhost:{port}", Speaks.GRPC, tls_of(theirs), is_own=True)
        assert (await reach(own)).trouble is None
    async with listening(None) as port:
        assert (await reach(place(port, ours))).trouble is Trouble.NO_TLS


@pytest.mark.parametrize(
    ("address", "trouble"),
    [
        ("nonsense", Trouble.NO_ADDRESS),
        ("unix:/nowhere/at/all.sock", Trouble.NOTHING_LISTENS),
    ],
)
async def test_an_address_that_cannot_be_is_told(address: str, trouble: Trouble) -> None:
    assert (await reach(Place("k", address, Speaks.GRPC))).trouble is trouble


async def test_where_nothing_listens_that_is_said() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert (await reach(place(nobody.getsockname()[1]))).trouble is Trouble.NOTHING_LISTENS


async def test_a_name_that_no_host_has_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    found = await reach(Place("k", "no-such-host.invalid:1", Speaks.GRPC))
    assert found.trouble is Trouble.NO_HOST
