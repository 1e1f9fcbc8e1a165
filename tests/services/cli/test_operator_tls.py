"""Over TLS an operator administers a router of another machine, and is told at once why it cannot."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from services.cli.adapters import handshake
from services.contract.callers import caller_digest
from services.router.domain.acts import CallerKind
from tests.fakes.running_router import RunningRouter, running_router, settings_in
from tests.ports import free_port
from tests.services.cli.running import Said, Terminal
from tests.services.runtime.certificates import Authority

# Of a busy machine. gRPC would go on trying for ten seconds, and then say nothing of why.
AT_ONCE_SECONDS = 6.0


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
async def router(tmp_path: Path, authority: Authority) -> AsyncIterator[RunningRouter]:
    listen = {
        "address": f"127.0.0.1:{free_port()}",
        "tls": authority.files("router").model_dump(),
        "callers": {"AdminService": ["operator-*"], "AdminService/ListTenants": ["operator-*", "reader"]},
    }
    settings = settings_in(tmp_path, admin_listen=listen)
    async with running_router(settings, admin_tls=authority.files("operator-test")) as running:
        yield running


async def said(terminal: Terminal, address: str, authority: Authority, name: str, *arguments: str) -> Said:
    """What a command says that shows the certificate of a name."""
    files = authority.files(name)
    tls = ("--ca", files.ca_file, "--certificate", files.certificate_file, "--key", files.private_key_file)
    return await run(terminal, *arguments, "--admin", address, *map(str, tls))


async def run(terminal: Terminal, *arguments: str) -> Said:
    whole = await asyncio.to_thread(terminal.comptoir, *arguments)
    # The router runs in this process, and so do its logs.
    lines = [line for line in whole.out.splitlines(keepends=True) if "module=services." not in line]
    return replace(whole, out="".join(lines))


async def test_an_operator_with_a_certificate_administers_and_is_known_by_its_name(
    terminal: Terminal, router: RunningRouter, authority: Authority
) -> None:
    address = router.settings.admin_listen.address
    for arguments in (("tenants", "create", "acme"), ("keys", "create", "--tenant", "acme")):
        assert (await said(terminal, address, authority, "operator-ada", *arguments)).status == 0
    listed = await said(terminal, address, authority, "operator-ada", "keys", "list", "--json")
    assert [key["tenant_name"] for key in json.loads(listed.out)["keys"]] == ["acme"]
    callers = {(act.caller.kind, act.caller.number) for act in router.log.acts}
    assert callers == {(CallerKind.CERTIFICATE, caller_digest("operator-ada"))}


async def test_the_environment_says_where_and_by_which_certificate(
    terminal: Terminal, router: RunningRouter, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = authority.files("operator-ada")
    monkeypatch.setenv("COMPTOIR_ADMIN", router.settings.admin_listen.address)
    monkeypatch.setenv("COMPTOIR_ADMIN_CA", str(files.ca_file))
    monkeypatch.setenv("COMPTOIR_ADMIN_CERTIFICATE", str(files.certificate_file))
    monkeypatch.setenv("COMPTOIR_ADMIN_KEY", str(files.private_key_file))
    assert (await run(terminal, "tenants", "create", "acme")).status == 0
    assert (await run(terminal, "models", "list")).status == 0


async def test_a_name_that_may_not_call_is_refused_with_what_to_do_and_is_in_the_audit(
    terminal: Terminal, router: RunningRouter, authority: Authority
) -> None:
    address = router.settings.admin_listen.address
    assert (await said(terminal, address, authority, "reader", "tenants", "list")).status == 0
    refused = await said(terminal, address, authority, "reader", "tenants", "create", "acme")
    assert refused.status == 1
    assert "router.admin_listen.callers" in refused.err
    router.stop.set()
    await asyncio.wait_for(router.serving, AT_ONCE_SECONDS)
    callers = {act.caller.number for act in router.log.acts if act.reason}
    assert callers == {caller_digest("reader")}


async def test_what_cannot_be_is_told_at_once_with_what_to_do(
    terminal: Terminal, router: RunningRouter, authority: Authority, tmp_path: Path
) -> None:
    address, stranger = router.settings.admin_listen.address, Authority(tmp_path / "stranger")
    ours, theirs = authority.files("operator-ada"), stranger.files("operator-ada")
    mixed = (str(ours.ca_file), str(theirs.certificate_file), str(theirs.private_key_file))
    whole = (str(ours.ca_file), str(ours.certificate_file), str(ours.private_key_file))
    for where, (ca, certificate, key), sentence in (
        (address, mixed, "did not take the certificate in operator-ada.pem"),
        (address, (str(theirs.ca_file), *whole[1:]), "is not believed"),
        (address.replace("127.0.0.1", "localhost"), whole, "is for another name"),
        (f"127.0.0.1:{free_port()}", whole, "Nothing listens at"),
        (address, (str(tmp_path / "gone"), *whole[1:]), "gone cannot be read"),
    ):
        began = time.monotonic()
        files = ("--ca", ca, "--certificate", certificate, "--key", key)
        refused = await run(terminal, "tenants", "list", "--admin", where, *files)
        assert (refused.status, refused.err.count("\n")) == (1, 1)
        assert sentence in refused.err
        assert time.monotonic() - began < AT_ONCE_SECONDS


@asynccontextmanager
async def listening(said: bytes) -> AsyncIterator[str]:
    """The address of what says so much to each who connects, and then nothing."""
    writers: list[asyncio.StreamWriter] = []

    def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(said)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    for writer in writers:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_what_does_not_answer_is_told_after_some_seconds(
    terminal: Terminal, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshake, "_SECONDS", 1.0)
    async with listening(b"") as address:
        refused = await said(terminal, address, authority, "operator-ada", "tenants", "list")
    assert "Nothing answered within 1 s" in refused.err


async def test_a_name_that_no_host_has_is_told(
    terminal: Terminal, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(*_arguments: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(handshake, "_hear_first_byte", unknown)
    refused = await said(terminal, "router.example:8443", authority, "operator-ada", "tenants", "list")
    assert "no host of the name in router.example:8443" in refused.err


async def test_a_port_without_tls_is_told(terminal: Terminal, authority: Authority) -> None:
    async with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        refused = await said(terminal, address, authority, "operator-ada", "tenants", "list")
    assert "There is no TLS at" in refused.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--admin", "router.example:8443"), "--ca, --certificate"),
        (("--admin", "127.0.0.1:1", "--ca", "ca.pem"), "all three"),
        (("--admin", "somewhere"), "host:port"),
    ],
)
def test_without_a_certificate_nothing_beyond_this_machine_is_called(
    terminal: Terminal, arguments: tuple[str, ...], says: str
) -> None:
    assert says in terminal.refusal("keys", "list", *arguments)
