"""Kills a process at every so many lines of the code that opens, migrates, saves and empties a spool.

`python -m tests.system.emitter.dies_at FOLDER STEP`: for each n that is a multiple of STEP, a copy of FOLDER
is opened and emptied by a child that is killed at its n-th line in the spool's adapters. Prints a line of
JSON per kill: what the child had handed over, in order, and what a process that starts afterwards finds.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from services.contract.events import Kind
from services.emitter.adapters.spool import reserve
from services.emitter.adapters.spool.reserve import Reserve
from services.emitter.adapters.spool.sqlite_file import DamagedError
from services.emitter.adapters.spool.starting import start
from services.emitter.adapters.spool.store import SpoolStore
from services.emitter.domain.limits import SpoolFile
from tests.contracts.spool import bodies, spool_file

NOW = 1_790_000_000_000_000
_WATCHED = tuple(
    f".adapters.spool.{name}"
    for name in ("starting", "opening", "rebuilding", "first_format", "store", "reserve")
)

# Small, so that a copy of the folder is made quickly; in this process alone, which tests only start.
_RESERVE_BYTES = 64 * 1024


def described(folder: Path) -> SpoolFile:
    return spool_file(folder, spool_max_bytes=10**9, spool_max_age_seconds=10**6)


def empty(folder: Path, out: Path) -> None:
    """Opens the spool as the process does and hands everything over; each frame is written down first."""
    kept = Reserve(folder)
    store = start(described(folder), kept)
    with out.open("a", buffering=1, encoding="ascii") as handed_over:
        for kind in Kind:
            while frames := _frames(store, kind):
                for frame in frames:
                    ids = [int.from_bytes(body[-16:], "big") for body in bodies(frame)]
                    handed_over.write(json.dumps([kind, frame.first_sequence, frame.crc, ids]) + "\n")
                kept.release()
                store.shrink()
                while not _removed(store, frames[-1]):
                    pass
                kept.make()
    store.close()


def _frames(store: SpoolStore, kind: Kind) -> Any:
    for _ in range(3):
        try:
            with store.transaction():
                return store.frames(kind, 3, NOW, is_draining=True)
        except DamagedError:
            store.salvage()
    raise AssertionError("still damaged")


def _removed(store: SpoolStore, last: Any) -> bool:
    with store.transaction():
        return store.remove(last)


def _die_at(line: int) -> None:
    left = line

    def count(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal left
        if not frame.f_globals.get("__name__", "").endswith(_WATCHED):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return count

    sys.settrace(count)


def main() -> None:
    folder, step = Path(sys.argv[1]), int(sys.argv[2])
    vars(reserve)["SIZE_BYTES"] = _RESERVE_BYTES
    line = step
    while True:
        copy, out = folder.with_name(f"{folder.name}-{line}"), folder.with_name("handed-over")
        shutil.copytree(folder, copy)
        out.write_text("")
        child = os.fork()
        if child == 0:
            _die_at(line)
            empty(copy, out)
            sys.settrace(None)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        empty(copy, out)
        sys.stdout.write(json.dumps([json.loads(each) for each in out.read_text().splitlines()]) + "\n")
        shutil.rmtree(copy)
        if status == 0:
            return
        line += step


if __name__ == "__main__":
    main()
