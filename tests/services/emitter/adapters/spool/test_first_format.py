"""A spool that the build before checksums made is taken over whole."""

import sqlite3
from contextlib import closing
from pathlib import Path

from services.contract.events import Kind
from services.emitter.adapters.spool.store import FILE_NAME
from services.emitter.adapters.spool.writer import SqliteSpool
from services.emitter.domain.limits import SpoolState
from services.kernel.clock import ManualClock
from tests.contracts.spool import drained, event_ids, events, spool_file

# What that build wrote: 15 generations (5 of them in Kafka, 5 in a frame, 5 in none) and 3 admissions.
DUMP = Path(__file__).resolve().parents[4] / "contracts" / "spool_before_checksums.sql"
FRAME_CRC = 2245295485


def spool_of_before(folder: Path) -> Path:
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(DUMP.read_text(encoding="utf-8"))
    return folder


async def test_what_waited_in_a_spool_of_the_format_before_arrives_in_the_same_frames(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    spool = SqliteSpool(spool_file(spool_of_before(tmp_path)), clock)
    assert spool.producer_id == 0x1234567890ABCDEF
    assert spool.state == SpoolState(
        13, 546, 1_790_000_000_000_000, frozenset({Kind.ADMISSION, Kind.GENERATION})
    )
    assert await spool.partition(Kind.GENERATION) == 3
    frames = await drained(spool)
    assert [(frame.first_sequence, frame.count) for frame in frames] == [(6, 5), (11, 5)]
    assert frames[0].crc == FRAME_CRC
    assert event_ids(frames) == list(range(6, 16))
    assert event_ids(await drained(spool, Kind.ADMISSION)) == [20, 21, 22]
    assert await spool.take(events([1, 9, 15, 20, 30])) == (1, 4)
    await spool.close()


async def test_a_spoilt_frame_of_the_format_before_is_lost_and_said_and_the_rest_is_not(
    tmp_path: Path,
) -> None:
    spool_of_before(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection, connection:
        connection.execute(
            "UPDATE frames SET value = CAST(substr(value, 1, 60) || zeroblob(length(value) - 60) AS BLOB)"
        )
    spool = SqliteSpool(spool_file(tmp_path), ManualClock())
    assert [(lost.kind, lost.first_sequence, lost.count) for lost in spool._store.lost] == [
        (Kind.GENERATION, 6, 5)
    ]
    assert event_ids(await drained(spool)) == list(range(11, 16))
    await spool.close()
