"""The store that the settings name: in memory, or a server with a password and TLS."""

from pathlib import Path

import pytest

from services.kernel.clock import ManualClock
from services.router.adapters.lease_stores import open_lease_store
from services.router.adapters.memory_leases import MemoryLeases
from services.router.settings import LeaseStoreSettings
from services.runtime.settings import SettingsError
from tests.contracts.leases import reserve
from tests.valkey_process import ValkeyProcess


async def test_leases_are_in_memory_unless_the_settings_say_where_else() -> None:
    store = open_lease_store(LeaseStoreSettings(), ManualClock())
    assert isinstance(store, MemoryLeases)
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
            LeaseStoreSettings(address=address, password_file=secret, timeout_seconds=10), ManualClock()
        )
        assert (await reserve(store, 1)).remaining_requests == 2
        await store.close()
    finally:
        server.kill()


def test_a_password_file_that_is_not_there_is_named_and_its_folder_is_not(tmp_path: Path) -> None:
    settings = LeaseStoreSettings(address="127.0.0.1:6379", password_file=tmp_path / "absent")
    with pytest.raises(SettingsError, match=r"^the password file absent cannot be read\.$"):
        open_lease_store(settings, ManualClock())


@pytest.mark.parametrize("address", ["redis.example:6379", "nowhere", "unix:relative", "127.0.0.1:99999"])
def test_an_address_that_is_no_use_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"address is not loopback|must be host:port"):
        LeaseStoreSettings(address=address)
