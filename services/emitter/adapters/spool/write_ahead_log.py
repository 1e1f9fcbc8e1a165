"""Whether SQLite's write-ahead log is whole.

SQLite ends a log silently at the first frame whose checksum is wrong, which is right after a power cut and
loses every later transaction after a flipped bit. The format: https://sqlite.org/fileformat2.html#walformat
"""

import struct
from typing import Final

_HEADER: Final = struct.Struct(">IIIIIIII")
_FRAME: Final = struct.Struct(">IIIIII")
_MAGICS: Final = (0x377F0682, 0x377F0683)
_CHECKED_OF_HEADER: Final = 24
_CHECKED_OF_FRAME: Final = 8
_MASK: Final = 0xFFFFFFFF

Sums = tuple[int, int]


def is_whole(log: bytes) -> bool:
    """Returns False if a frame was changed after it was written; one that was never finished is no damage."""
    if len(log) < _HEADER.size:
        return True
    magic, _, page_bytes, _, *salts, first, second = _HEADER.unpack_from(log)
    words = ">II" if magic & 1 else "<II"
    sums = _add(words, log[:_CHECKED_OF_HEADER], (0, 0))
    if magic not in _MAGICS or sums != (first, second):
        return not any(log)
    step = _FRAME.size + (65_536 if page_bytes == 1 else page_bytes)
    starts = range(_HEADER.size, len(log) - step + 1, step)
    for start in starts:
        _, commits, *its_salts, first, second = _FRAME.unpack_from(log, start)
        if its_salts != salts:
            return _is_end(log, starts, start, salts)
        sums = _add(words, log[start : start + _CHECKED_OF_FRAME], sums)
        sums = _add(words, log[start + _FRAME.size : start + step], sums)
        if sums != (first, second):
            # SQLite writes a frame's header and then its page. A process that is killed between the two
            # leaves a page of earlier use behind a new header, and nothing of this use behind it; what does
            # not commit was acknowledged to nobody.
            return not commits and not _goes_on(log, starts, start, salts)
    return True


def _goes_on(log: bytes, starts: range, at: int, salts: list[int]) -> bool:
    """Returns True if a frame of the same use of the file lies behind the one that begins at `at`."""
    behind = starts[starts.index(at) + 1 :]
    return any(list(_FRAME.unpack_from(log, start)[2:4]) == salts for start in behind)


def _is_end(log: bytes, starts: range, end: int, salts: list[int]) -> bool:
    """Returns True if what lies from `end` on is of earlier use of the file, which has two other salts."""
    for start in starts[starts.index(end) :]:
        _, _, *its_salts, _, _ = _FRAME.unpack_from(log, start)
        if any(its == right for its, right in zip(its_salts, salts, strict=True)):
            return False
    return True


def _add(words: str, content: bytes, sums: Sums) -> Sums:
    first, second = sums
    for one, other in struct.iter_unpack(words, content):
        first = (first + one + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second
