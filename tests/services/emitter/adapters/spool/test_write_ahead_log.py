"""A log that a killed process left is whole up to where it was; one that was changed is not."""

import sqlite3
import struct
from pathlib import Path

import pytest

from services.emitter.adapters.spool.write_ahead_log import is_whole

HEADER_BYTES = 32
FRAME_BYTES = 24
PAGE_BYTES = 4096
STEP_BYTES = FRAME_BYTES + PAGE_BYTES


@pytest.fixture
def log(tmp_path: Path) -> bytes:
    """A log in its second use: two transactions of several pages, and behind them frames of the first use."""
    path = tmp_path / "spool"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)")
    for number in range(6):
        connection.execute("INSERT INTO t VALUES (?, randomblob(9000))", (number,))
    connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    for number in range(6, 8):
        connection.execute("INSERT INTO t VALUES (?, randomblob(9000))", (number,))
    content = path.with_name("spool-wal").read_bytes()
    connection.close()
    return content


def starts_of_this_use(log: bytes) -> list[int]:
    salts = log[16:24]
    starts = range(HEADER_BYTES, len(log) - STEP_BYTES + 1, STEP_BYTES)
    return [start for start in starts if log[start + 8 : start + 16] == salts]


def commits(log: bytes, start: int) -> bool:
    return struct.unpack_from(">I", log, start + 4) != (0,)


def test_a_log_in_use_again_is_whole_with_what_it_held_before(log: bytes) -> None:
    starts = starts_of_this_use(log)
    assert len(log) > starts[-1] + STEP_BYTES
    assert is_whole(log)


def test_a_process_killed_between_a_header_and_its_page_left_no_damage(log: bytes) -> None:
    starts = starts_of_this_use(log)
    stale = log[starts[-1] + STEP_BYTES + FRAME_BYTES :][:PAGE_BYTES]
    for start in starts:
        # All behind it is of the use before, its own page too.
        torn = log[: start + FRAME_BYTES] + stale + log[starts[-1] + STEP_BYTES :]
        torn += bytes(len(log) - len(torn)) if len(torn) < len(log) else b""
        assert is_whole(torn) is not commits(log, start)


def test_a_frame_that_was_changed_is_damage_where_others_of_its_use_follow(log: bytes) -> None:
    for start in starts_of_this_use(log)[:-1]:
        for place in (start + 16, start + FRAME_BYTES, start + STEP_BYTES - 1):
            changed = bytearray(log)
            changed[place] ^= 1
            assert not is_whole(bytes(changed))


def test_a_last_commit_that_was_changed_is_damage_too(log: bytes) -> None:
    last = starts_of_this_use(log)[-1]
    assert commits(log, last)
    changed = bytearray(log)
    changed[last + FRAME_BYTES] ^= 1
    assert not is_whole(bytes(changed))
