"""The store that the settings name: in memory, or a server with a password and TLS."""

import asyncio
import contextlib
import ssl
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from services.router.adapters.lease_stores import hearing_of, open_lease_store
from services.router.adapters.local_share_leases import LocalShareLeases
from services.router.adapters.memory_leases import MemoryLeases
from services.router.domain.ports import LeaseStore
from services.router.settings import LeaseStoreSettings, WhileAway
from services.runtime.addresses import TlsFiles
from services.runtime.settings import SettingsError
from tests.contracts.leases import reserve
from tests.services.runtime.certificates import Authority
from tests.valkey_process import ValkeyProcess


async def test_leases_are_in_memory_unless_the_settings_say_where_else() -> None:
    store = open_lease_store(LeaseStoreSettings(), ManualClock(), region=1)
    assert isinstance(store, MemoryLeases)
    await store.close()


async def test_a_store_whose_routers_lend_a_share_while_it_is_away_says_how_many_they_are() -> None:
    with pytest.raises(ValidationError, match="sharing_routers"):
        LeaseStoreSettings(address="unix:/leases", while_away=WhileAway.LOCAL_SHARE)
    settings = LeaseStoreSettings(address="unix:/leases", while_away=WhileAway.LOCAL_SHARE, sharing_routers=2)
    store = open_lease_store(settings, ManualClock(), region=1)
    assert isinstance(store, LocalShareLeases)
    assert hearing_of(store) is store
    await store.close()


async def test_a_server_with_a_password_is_used(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("of a test\n")
    server = ValkeyProcess(tmp_path, password="of a test")
    server.start()
    try:
        await server.ready()
        address = f"unix:{server.socket}"
        store = open_lease_store(
            LeaseStoreSettings(address=address, password_file=secret, timeout_seconds=10),
            ManualClock(),
            region=1,
        )
        assert (await reserve(store, 1)).remaining_requests == 2
        await store.close()
    finally:
        server.kill()


async def test_a_router_that_stood_still_with_its_server_waits_for_the_answer_when_both_go_on(
    tmp_path: Path,
) -> None:
    server = ValkeyProcess(tmp_path)
    server.start()
    try:
        await server.ready()
        settings = LeaseStoreSettings(address=f"unix:{server.socket}", timeout_seconds=1)
        store = open_lease_store(settings, ManualClock(), region=1)
        await reserve(store, 1)
        server.hang()
        asking = asyncio.create_task(reserve(store, 2))
        for _ in range(20):
            await asyncio.sleep(0)
        time.sleep(1.5)  # noqa: ASYNC251 - it is the whole process that stands still
        server.go_on()
        assert (await asking).remaining_requests == 1
        await store.close()
    finally:
        server.kill()


async def test_regions_that_have_one_server_by_mistake_share_nothing(tmp_path: Path) -> None:
    server = ValkeyProcess(tmp_path)
    server.start()
    try:
        await server.ready()
        settings = LeaseStoreSettings(address=f"unix:{server.socket}", timeout_seconds=10)
        for region in (1, 2):
            store = open_lease_store(settings, ManualClock(), region=region)
            assert (await reserve(store, region)).remaining_requests == 2
            await store.close()
    finally:
        server.kill()


async def test_a_server_is_called_over_tls_and_one_of_another_authority_is_not(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    server = ValkeyProcess(tmp_path)
    server.start()
    listening = await tls_before(server, ours.files("valkey"))
    port = listening.sockets[0].getsockname()[1]

    def store_of(authority: Authority) -> LeaseStore:
        tls, address = authority.files("router"), f"127.0.0.1:{port}"
        return open_lease_store(
            LeaseStoreSettings(address=address, tls=tls, timeout_seconds=10), ManualClock(), region=1
        )

    try:
        await server.ready()
        known, unknown = store_of(ours), store_of(theirs)
        assert (await reserve(known, 1)).remaining_requests == 2
        with pytest.raises(ComptoirError) as refusal:
            await reserve(unknown, 2)
        assert refusal.value.reason is Reason.QUOTA_UNAVAILABLE
        await known.close()
        await unknown.close()
    finally:
        listening.close()
        server.kill()


async def tls_before(server: ValkeyProcess, files: TlsFiles) -> asyncio.Server:
    """What a server's own TLS does, which the wheel's binary has not: mutual, on a port of loopback."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files.ca_file))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(files.certificate_file, files.private_key_file)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, out = await asyncio.open_unix_connection(str(server.socket))
        await asyncio.gather(_copy(reader, out), _copy(inner, writer))

    return await asyncio.start_server(carry, "127.0.0.1", 0, ssl=context)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while content := await reader.read(65_536):
            writer.write(content)
            await writer.drain()
    writer.close()


def test_a_password_file_that_is_not_there_is_named_and_its_folder_is_not(tmp_path: Path) -> None:
    settings = LeaseStoreSettings(address="127.0.0.1:6379", password_file=tmp_path / "absent")
    with pytest.raises(SettingsError, match=r"^the password file absent cannot be read\.$"):
        open_lease_store(settings, ManualClock(), region=1)


@pytest.mark.parametrize("address", ["redis.example:6379", "nowhere", "unix:relative", "127.0.0.1:99999"])
def test_an_address_that_is_no_use_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"address is not loopback|must be host:port"):
        LeaseStoreSettings(address=address)
