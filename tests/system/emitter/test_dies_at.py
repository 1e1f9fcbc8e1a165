"""A process that dies at any line while it migrates, saves or empties a spool loses and doubles nothing."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.contract.events import Kind
from services.emitter.adapters.spool.store import FILE_NAME, SpoolStore
from tests.contracts.spool import events
from tests.services.emitter.adapters.spool.test_first_format import spool_of_before
from tests.system.emitter.dies_at import NOW, described

pytestmark = [pytest.mark.system, pytest.mark.guarantee]

Frames = dict[tuple[int, int], tuple[int, list[int]]]


def kills(folder: Path, step: int) -> list[list[Any]]:
    """What was handed over in spite of each kill; the last one came after the end."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.system.emitter.dies_at", str(folder), str(step)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    runs = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(runs) > 20
    return runs


def once(frames: list[Any]) -> dict[int, list[int]]:
    """The ids by kind, each frame once: one that comes again has the same identity and the same bytes."""
    seen: dict[tuple[int, int], Any] = {}
    for kind, first, crc, ids in frames:
        assert seen.setdefault((kind, first), (crc, ids)) == (crc, ids)
    return {
        kind: [number for (of, _), (_, ids) in sorted(seen.items()) if of == kind for number in ids]
        for kind in Kind
    }


def killed_spool(folder: Path) -> Path:
    """Twenty generations, some of them sealed, and two admissions, all of it still in the log."""
    folder.mkdir()
    store = SpoolStore(described(folder / "open"))
    with store.transaction():
        store.take([events(range(1, 21))], NOW, 1.0)
        store.take([events(range(30, 32), Kind.ADMISSION)], NOW, 1.0)
    with store.transaction():
        store.frames(Kind.GENERATION, 2, NOW, is_draining=False)
    spool = folder / "spool"
    spool.mkdir()
    for path in (folder / "open").glob(f"{FILE_NAME}*"):
        shutil.copy(path, spool / path.name)
    store.close()
    return spool


def test_it_may_die_anywhere_while_it_empties_a_spool(tmp_path: Path) -> None:
    for frames in kills(killed_spool(tmp_path / "made"), 11):
        found = once(frames)
        assert (found[Kind.GENERATION], found[Kind.ADMISSION]) == (list(range(1, 21)), [30, 31])


def test_it_may_die_anywhere_while_it_migrates_a_spool(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    for frames in kills(spool_of_before(folder), 11):
        found = once(frames)
        assert (found[Kind.GENERATION], found[Kind.ADMISSION]) == (list(range(6, 16)), [20, 21, 22])


def test_it_may_die_anywhere_while_it_saves_a_damaged_spool(tmp_path: Path) -> None:
    folder = killed_spool(tmp_path / "made")
    log = folder / f"{FILE_NAME}-wal"
    content = bytearray(log.read_bytes())
    content[32 + 24 + 200] ^= 4  # in the page of the log's first frame
    log.write_bytes(content)
    for frames in kills(folder, 11):
        found = once(frames)
        assert (found[Kind.GENERATION], found[Kind.ADMISSION]) == (list(range(1, 21)), [30, 31])
