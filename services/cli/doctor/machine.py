"""Whether the machine has room: on its disks, and for open files; pure."""

from typing import Final

from services.cli.doctor.facts import SeenFolder
from services.cli.doctor.finding import Finding, fail, ok, warn

MACHINE: Final = "machine"
_GIB: Final = 1024**3
_LEAST_BYTES: Final = _GIB
_SMALL_SHARE: Final = 0.1
# Beside its connections an edge has so many for all else.
_FURTHER_FILES: Final = 512


def of_folder(seen: SeenFolder) -> Finding:
    """Returns the finding about the room where a folder is."""
    free = f"{seen.free_bytes / _GIB:.1f} GiB of {seen.total_bytes / _GIB:.1f} GiB are free"
    if seen.free_bytes < seen.needs_bytes:
        sentence = f"Only {free}, and the settings let it take {seen.needs_bytes / _GIB:.1f} GiB more."
        step = "make room, or lower emitter.spool_max_bytes: a full disk refuses every request"
        return fail(MACHINE, seen.subject, sentence, step)
    if seen.free_bytes < _LEAST_BYTES:
        return fail(MACHINE, seen.subject, f"Only {free}.", "make room: what is written there stops soon")
    if seen.free_bytes < _SMALL_SHARE * seen.total_bytes:
        return warn(MACHINE, seen.subject, f"Only {free}, less than a tenth.", "make room, or a larger disk")
    return ok(MACHINE, seen.subject, f"{free}.")


def of_open_files(limit: int, max_connections: int) -> Finding:
    """Returns the finding about the hard limit of open files, to which an edge lifts its own."""
    needs = max_connections + _FURTHER_FILES
    # The kernel's word for no limit at all.
    allowed = "any number of files" if limit < 0 else f"{limit} files"
    if 0 <= limit < needs:
        sentence = f"A process here may open {limit} files, and {needs} are needed for edge.max_connections."
        step = "raise the hard limit (LimitNOFILE, ulimit -Hn), or the edge takes fewer connections"
        return warn(MACHINE, "open files", sentence, step)
    return ok(MACHINE, "open files", f"A process here may open {allowed}; {needs} are needed.")
