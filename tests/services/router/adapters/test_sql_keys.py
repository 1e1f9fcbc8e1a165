"""Keys in SQLite keep the contract of all key stores, survive a restart, and are read by their owner only."""

import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.router.adapters import sql_keys
from services.router.adapters.sql_keys import SqlKeys
from services.router.domain.ports import KeyStore
from services.runtime.settings import SettingsError
from tests.contracts.key_store import DIGEST, KeyStoreContract, store_key
from tests.fakes.router import MemoryKeys

FILES = ("router.sqlite", "router.sqlite-wal", "router.sqlite-shm")

# Opens each file that it is told on a line, and answers with a line: nothing, or what went wrong.
OPENER = """
import pathlib, sys
from services.router.adapters.sql_keys import SqlKeys, SettingsError
for line in sys.stdin:
    said = ""
    try:
        SqlKeys(pathlib.Path(line.rstrip())).close()
    except SettingsError as error:
        said = str(error)
    print(said, flush=True)
"""


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


def test_routers_that_open_one_new_file_at_once_all_find_it_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPENER]
    routers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    try:
        said = [answer for number in range(75) for answer in opened_by(routers, tmp_path / str(number))]
    finally:
        for router in routers:
            router.kill()
            router.communicate()
    assert said == ["\n"] * 225
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def opened_by(routers: list["subprocess.Popen[str]"], file: Path) -> list[str]:
    """What each router says, where all have been told of the file before the first is listened to."""
    for router in routers:
        assert router.stdin is not None
        router.stdin.write(f"{file}\n")
        router.stdin.flush()
    return [router.stdout.readline() for router in routers if router.stdout is not None]


def test_a_start_waits_longer_for_another_ones_tables_than_a_call_for_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_keys, "_PRAGMAS", ("PRAGMA busy_timeout=1",))
    file = tmp_path / "router.sqlite"
    SqlKeys(file).close()
    other = sqlite3.connect(file, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    ending = threading.Timer(0.2, other.rollback)
    ending.start()
    store = SqlKeys(file)
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 1
    store.close()
    ending.join()
    other.close()
