"""Keys in SQLite keep the contract of all key stores, survive a restart, and are read by their owner only."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.router.adapters.sql_keys import SqlKeys
from services.router.domain.ports import KeyStore
from services.runtime.settings import SettingsError
from tests.contracts.key_store import DIGEST, KeyStoreContract, store_key
from tests.fakes.router import MemoryKeys

FILES = ("router.sqlite", "router.sqlite-wal", "router.sqlite-shm")


class TestMemoryKeys(KeyStoreContract):
    @pytest.fixture
    def store(self) -> KeyStore:
        return MemoryKeys()


class TestSqlKeys(KeyStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[KeyStore]:
        store = SqlKeys(tmp_path / "router.sqlite")
        yield store
        store.close()


async def test_keys_are_there_after_a_restart_that_closed_nothing(tmp_path: Path) -> None:
    killed = SqlKeys(tmp_path / "router.sqlite")
    created = await store_key(killed)
    restarted = SqlKeys(tmp_path / "router.sqlite")
    assert await restarted.find(DIGEST) == created
    restarted.close()
    killed.close()


async def test_only_the_owner_may_read_the_file_and_its_journal(tmp_path: Path) -> None:
    store = SqlKeys(tmp_path / "router.sqlite")
    await store_key(store)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in FILES}
    store.close()
    assert modes == dict.fromkeys(FILES, 0o600)


async def test_a_store_that_cannot_be_read_is_unavailable_and_says_nothing_of_the_query(
    tmp_path: Path,
) -> None:
    store = SqlKeys(tmp_path / "router.sqlite")
    store._engine.dispose()
    for name in FILES:
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "router.sqlite").mkdir()
    with pytest.raises(ComptoirError) as failure:
        await store.find(DIGEST)
    assert failure.value.reason is Reason.UNAVAILABLE
    assert failure.value.__suppress_context__


@pytest.mark.parametrize("content", [b"not a database, by any means" * 100, None])
def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "router.sqlite"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"^the database file router\.sqlite cannot be opened"):
        SqlKeys(file)
