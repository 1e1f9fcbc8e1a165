"""Whatever a disk does to the spool's files: no changed event, and all that is whole arrives once."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from services.contract.events import Kind
from services.contract.frame import Frame
from services.emitter.adapters.spool.sqlite_file import DamagedError
from services.emitter.adapters.spool.starting import SpoolUnusableError
from services.emitter.adapters.spool.store import FILE_NAME, SpoolStore
from services.emitter.adapters.spool.writer import SqliteSpool
from services.emitter.domain.limits import SpoolFile
from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError
from tests.contracts.spool import bodies, events, spool_file

NOW = 1_790_000_000_000_000
KINDS = (Kind.GENERATION, Kind.ADMISSION)
PAGE = 4_096
FLIPS = 80

Drained = dict[tuple[Kind, int], bytes]


def described(folder: Path) -> SpoolFile:
    """A spool as the contract describes it, with more room."""
    return spool_file(folder, spool_max_bytes=10**9, spool_max_age_seconds=10**6)


class Killed:
    """The files of a spool whose process was killed: taken, sealed and removed events, and a full log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "killed"
        store = SpoolStore(described(self._folder))
        for first in range(0, 600, 12):
            with store.transaction():
                store.take([events(range(first, first + 10))], NOW, 1.0)
            with store.transaction():
                store.take([events(range(first + 10, first + 12), Kind.ADMISSION)], NOW, 1.0)
            if first > 60:
                with store.transaction():
                    frames = store.frames(Kind.GENERATION, 3, NOW, is_draining=False)
                with store.transaction():
                    store.remove(frames[1])
        self._copies = folder
        self.whole = {path.name: path.read_bytes() for path in self._folder.glob(f"{FILE_NAME}*")}
        store.close()

    def copy(self, number: int, changed: dict[str, bytes]) -> Path:
        folder = self._copies / str(number)
        folder.mkdir()
        for name, content in (self.whole | changed).items():
            (folder / name).write_bytes(content)
        return folder


@pytest.fixture
def killed(tmp_path: Path) -> Killed:
    return Killed(tmp_path)


def drained(folder: Path) -> tuple[Drained, int]:
    """Every event that comes out, and how many are said to be lost; nothing waits afterwards."""
    store = SpoolStore(described(folder))
    lost, out = [*store.lost], Drained()
    for kind in KINDS:
        while True:
            try:
                with store.transaction():
                    frames = store.frames(kind, 32, NOW, is_draining=True)
            except DamagedError:
                lost += store.salvage()
                continue
            if not frames:
                break
            for frame in frames:
                for sequence, body in enumerate(bodies(frame), frame.first_sequence):
                    assert (kind, sequence) not in out
                    out[kind, sequence] = body
            while not removed(store, frames[-1]):
                pass
    assert store.state.events == 0
    store.close()
    return out, sum(each.count for each in lost)


def removed(store: SpoolStore, last: Frame) -> bool:
    with store.transaction():
        return store.remove(last)


def flips(files: dict[str, bytes], times: int) -> Iterator[dict[str, bytes]]:
    """Single changed bits anywhere in the files, the same ones at every run."""
    chance = random.Random(6)
    for _ in range(times):
        name = chance.choices([*files], [len(content) for content in files.values()])[0]
        content = bytearray(files[name])
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        yield {name: bytes(content)}


def test_a_flipped_bit_anywhere_changes_no_event_and_loses_at_most_its_own(killed: Killed) -> None:
    whole, lost = drained(killed.copy(0, {}))
    assert lost == 0
    damaged = 0
    for number, changed in enumerate(flips(killed.whole, FLIPS), 1):
        folder = killed.copy(number, changed)
        out, lost = drained(folder)
        assert out.items() <= whole.items(), changed.keys()
        assert len(whole) - len(out) == lost <= 1, changed.keys()
        damaged += (folder / f"{FILE_NAME}.damaged").exists()
        shutil.rmtree(folder)
    assert damaged > FLIPS // 20


def test_a_flipped_bit_in_a_spool_that_was_closed_changes_no_event_and_loses_at_most_its_own(
    killed: Killed,
) -> None:
    """Here is one copy of each event, so many a flip spoils one."""
    folder = killed.copy(0, {})
    SpoolStore(described(folder)).close()
    killed.whole = {FILE_NAME: (folder / FILE_NAME).read_bytes()}
    whole, _ = drained(killed.copy(1, {}))
    spoilt = 0
    for number, changed in enumerate(flips(killed.whole, FLIPS // 2), 2):
        out, lost = drained(killed.copy(number, changed))
        assert out.items() <= whole.items()
        assert len(whole) - len(out) == lost <= 1
        spoilt += lost
    assert spoilt > FLIPS // 20


@pytest.mark.parametrize("page", range(1, 9))
def test_a_wiped_page_loses_what_lay_on_it_and_nothing_else(killed: Killed, page: int) -> None:
    whole, _ = drained(killed.copy(0, {}))
    store = SpoolStore(described(killed.copy(1, {})))
    store.close()  # which brings the log into the file
    content = bytearray((killed._copies / "1" / FILE_NAME).read_bytes())
    content[PAGE * (page - 1) : PAGE * page] = bytes(PAGE)
    folder = killed.copy(2, {FILE_NAME: bytes(content)})
    (folder / f"{FILE_NAME}-wal").unlink()
    out, lost = drained(folder)
    assert out.items() <= whole.items()
    assert len(whole) - len(out) == lost < len(whole) / 3


def test_an_exchange_of_files_that_a_killed_process_began_is_completed(killed: Killed) -> None:
    """The damaged file was moved aside and the new one was not in its place yet."""
    whole, _ = drained(killed.copy(0, {}))
    folder = killed.copy(1, {})
    SpoolStore(described(folder)).close()
    mended = (folder / FILE_NAME).read_bytes()
    folder = killed.copy(2, {})
    (folder / FILE_NAME).rename(folder / f"{FILE_NAME}.damaged")
    (folder / f"{FILE_NAME}.new").write_bytes(mended)
    assert drained(folder) == (whole, 0)


def test_a_new_file_that_a_killed_process_had_not_finished_is_no_spool(killed: Killed) -> None:
    whole, _ = drained(killed.copy(0, {}))
    folder = killed.copy(1, {f"{FILE_NAME}.new": b"half"})
    assert drained(folder) == (whole, 0)
    assert not (folder / f"{FILE_NAME}.new").exists()


def test_a_log_that_a_power_cut_ended_early_is_no_damage(killed: Killed) -> None:
    log = f"{FILE_NAME}-wal"
    folder = killed.copy(0, {log: killed.whole[log][: 32 + 4 * (24 + PAGE) + 100]})
    drained(folder)
    assert not (folder / f"{FILE_NAME}.damaged").exists()


async def test_spoilt_events_are_said_counted_and_passed_over(tmp_path: Path) -> None:
    clock = ManualClock()
    spool = SqliteSpool(described(tmp_path), clock)
    await spool.take(events(range(1, 13)))
    connection = spool._store._connection
    connection.execute("UPDATE journal SET record = zeroblob(90) WHERE sequence IN (3, 4, 12)")
    with structlog.testing.capture_logs() as lines:
        # The first call meets the damage, saves the rest, and gives what it was asked for.
        frames = await spool.frames(Kind.GENERATION, limit=10, is_draining=True)
    assert [(frame.first_sequence, frame.count) for frame in frames] == [(1, 2), (5, 5), (10, 2)]
    said = [line for line in lines if line["event"] == "spool_events_lost"]
    assert [(line["kind"], line["first_sequence"], line["count"]) for line in said] == [
        ("GENERATION", 3, 2),
        ("GENERATION", 12, 1),
    ]
    await spool.remove(frames[-1])
    assert spool.state.events == 0
    assert await spool.take(events([3, 99])) == (1, 1)
    assert [f.first_sequence for f in await spool.frames(Kind.GENERATION, limit=1, is_draining=True)] == [13]
    await spool.close()


async def test_a_damage_that_cannot_be_mended_for_lack_of_room_refuses_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = SqliteSpool(described(tmp_path), ManualClock())
    await spool.take(events(range(1, 7)))
    spool._store._connection.execute("UPDATE journal SET record = zeroblob(90) WHERE sequence = 3")

    def no_room(folder: Path) -> object:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("services.emitter.adapters.spool.store.salvage", no_room)
        with pytest.raises(ComptoirError, match="USAGE_NOT_RECORDED"):
            await spool.frames(Kind.GENERATION, limit=10, is_draining=True)
        assert await spool.take(events([7])) == (1, 0)
    frames = await spool.frames(Kind.GENERATION, limit=10, is_draining=True)
    assert sum(frame.count for frame in frames) == 6
    await spool.close()


async def test_a_file_of_which_nothing_is_left_is_refused_with_a_sentence(killed: Killed) -> None:
    folder = killed.copy(0, {name: b"x" * len(content) for name, content in killed.whole.items()})
    with pytest.raises(SpoolUnusableError, match="cannot be read"):
        SqliteSpool(described(folder), ManualClock())
