"""The key store's database is opened by several routers at once, and refused in one sentence."""

import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.router.adapters import key_database
from services.router.adapters.key_database import on_file, on_postgres, open_database
from services.router.adapters.key_schema import HEAD
from services.router.adapters.sql_keys import SqlKeys
from services.runtime.settings import SettingsError
from tests.contracts.key_store import store_key
from tests.postgres import PASSWORD, Database, PostgresServer

FILES = ("router.sqlite", "router.sqlite-wal", "router.sqlite-shm")

# Opens each file that it is told on a line, and answers with a line: nothing, or what went wrong.
OPENER = """
import pathlib, sys
from services.router.adapters.key_database import SettingsError, open_database
for line in sys.stdin:
    said = ""
    try:
        file, url, password_file = line.rstrip("\\n").split("\\t")
        open_database(pathlib.Path(file), url, pathlib.Path(password_file)).dispose()
    except SettingsError as error:
        said = str(error)
    print(said, flush=True)
"""


async def test_only_the_owner_may_read_the_file_and_its_journal(tmp_path: Path) -> None:
    store = SqlKeys(on_file(tmp_path / "router.sqlite"))
    await store_key(store)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in FILES}
    store.close()
    assert modes == dict.fromkeys(FILES, 0o600)


@pytest.mark.parametrize("content", [b"not a database, by any means" * 100, None])
def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "router.sqlite"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"^the database file router\.sqlite cannot be opened"):
        on_file(file)


def test_routers_that_open_one_new_file_at_once_all_find_it_whole(tmp_path: Path) -> None:
    with three_routers() as routers:
        said = [
            answer for number in range(50) for answer in opened_by(routers, f"{tmp_path / str(number)}\t\t")
        ]
    assert said == ["\n"] * 150
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_routers_that_open_one_new_database_at_once_all_find_it_whole(postgres: PostgresServer) -> None:
    with three_routers() as routers:
        for _ in range(3):
            with postgres.database() as database:
                said = opened_by(routers, f"\t{database.url}\t{database.password_file}")
                assert said == ["\n"] * 3
                with database.connect() as connection:
                    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
                        (HEAD,)
                    ]


@contextmanager
def three_routers() -> Iterator[list["subprocess.Popen[str]"]]:
    command = [sys.executable, "-c", OPENER]
    routers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    try:
        yield routers
    finally:
        for router in routers:
            router.kill()
            router.communicate()


def opened_by(routers: list["subprocess.Popen[str]"], place: str) -> list[str]:
    """What each router says, where all have been told of the place before the first is listened to."""
    for router in routers:
        assert router.stdin is not None
        router.stdin.write(f"{place}\n")
        router.stdin.flush()
    return [router.stdout.readline() for router in routers if router.stdout is not None]


def test_a_start_waits_longer_for_another_ones_tables_than_a_call_for_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_database, "_PRAGMAS", ("PRAGMA busy_timeout=1",))
    file = tmp_path / "router.sqlite"
    on_file(file).dispose()
    other = sqlite3.connect(file, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    ending = threading.Timer(0.2, other.rollback)
    ending.start()
    engine = on_file(file)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 1
    engine.dispose()
    ending.join()
    other.close()


def test_a_start_without_a_file_or_a_server_says_which_settings_are_missing() -> None:
    with pytest.raises(SettingsError, match="database_file or database_url"):
        open_database(None, "", None)


def test_a_server_that_never_answers_is_asked_for_some_seconds_and_then_named_by_its_setting(
    tmp_path: Path,
) -> None:
    waits: list[float] = []
    url = f"postgresql://comptoir@localhost/keys?host={tmp_path}"
    with pytest.raises(SettingsError, match="`database_url` cannot be reached") as refusal:
        on_postgres(url, None, sleep=waits.append)
    assert 5 < sum(waits) < 30
    assert str(tmp_path) not in str(refusal.value)


def test_a_server_that_starts_beside_the_router_is_waited_for(
    postgres: PostgresServer, database: Database
) -> None:
    postgres.stop()
    waits: list[float] = []

    def start_at_the_second_wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            postgres.start()

    on_postgres(database.url, database.password_file, sleep=start_at_the_second_wait).dispose()
    assert len(waits) == 2


def test_a_wrong_password_is_refused_without_a_word_of_it(database: Database, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text(PASSWORD + "!")
    with pytest.raises(SettingsError) as refusal:
        on_postgres(database.url, wrong, sleep=lambda seconds: None)
    assert PASSWORD not in str(refusal.value)
    assert refusal.value.__suppress_context__
