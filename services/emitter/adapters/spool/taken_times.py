"""When events of the journal were taken, which every transaction asks of the oldest ones."""

import sqlite3
from typing import Final

from services.contract.events import Kind
from services.emitter.domain.spool_format import decode_record

# Of a kind two events are asked for: the first of the oldest frame, and the first that no frame holds.
_MOST_REMEMBERED: Final = 4 * len(Kind)


class TakenTimes:
    """The times of the oldest events, each read from its record once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._remembered: dict[tuple[Kind, int], int] = {}

    def of(self, kind: Kind, sequence: int) -> int:
        """Returns when an event was taken; 0 if its row is spoilt, which sealing or sending it will find."""
        if (known := self._remembered.get((kind, sequence))) is not None:
            return known
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        taken_at = self._remembered[kind, sequence] = self._read(kind, sequence)
        return taken_at

    def remembered(self, kind: Kind, sequence: int) -> int | None:
        """Returns what `of` would, if that reads nothing; any thread may ask."""
        return self._remembered.get((kind, sequence))

    def forget(self) -> None:
        """Forgets what was read: a sequence that is undone is given to another event."""
        self._remembered.clear()

    def _read(self, kind: Kind, sequence: int) -> int:
        row = self._connection.execute(
            "SELECT record FROM journal WHERE kind = ? AND sequence = ?", (kind, sequence)
        ).fetchone()
        record = decode_record(row[0]) if row else None
        return record.taken_at_microseconds if record else 0
