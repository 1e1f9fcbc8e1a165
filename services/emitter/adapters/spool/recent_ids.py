"""The ids of the events that the spool took lately, in its file; each call is part of a transaction."""

import sqlite3
from collections.abc import Collection
from typing import Final

from services.emitter.domain.id_span import IdSpan

_PRUNE_ROWS: Final = 1_000
# How often within a window the file is told how much of it is over, so that restarts do not start it again.
_STEPS: Final = 16

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS recent_ids (
  epoch INTEGER NOT NULL, event_id BLOB NOT NULL, PRIMARY KEY (epoch, event_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ids_epoch (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1), number INTEGER NOT NULL, began_at INTEGER NOT NULL);
"""


class RecentIds:
    """Ids of this span and the one before; the file calls a span an epoch."""

    def __init__(self, connection: sqlite3.Connection, window_seconds: float) -> None:
        self._connection = connection
        self._window_seconds = window_seconds
        self.load()

    def load(self) -> None:
        """Reads where the file is, also after a transaction that was undone."""
        row = self._connection.execute("SELECT number, began_at FROM ids_epoch").fetchone()
        # A file from before spans were counted holds ids under larger numbers: go on from there.
        newest = "SELECT coalesce(max(epoch), 0), 0 FROM recent_ids"
        self._number, passed = row or self._connection.execute(newest).fetchone()
        # `began_at` was a wall clock reading once: then the window begins anew, which forgets nothing.
        self._passed_seconds = passed / 1_000_000 if passed < self._window_seconds * 1_000_000 else 0.0
        self._span: IdSpan | None = None
        self._pruned_before: int | None = None

    def known(self, ids: Collection[bytes]) -> set[bytes]:
        """Returns those of `ids` that are remembered."""
        places = ", ".join("?" * len(ids))
        rows = self._connection.execute(
            f"SELECT event_id FROM recent_ids WHERE epoch IN (?, ?) AND event_id IN ({places})",  # noqa: S608 - only question marks
            (self._number - 1, self._number, *ids),
        )
        return {event_id for (event_id,) in rows}

    def add(self, ids: Collection[bytes], now_seconds: float) -> None:
        """Remembers `ids`, none of which is known; `now_seconds` is of the monotonic clock."""
        began = self._span or IdSpan(self._number, self._passed_seconds, now_seconds)
        self._span = began.at(now_seconds, self._window_seconds)
        self._write(self._span)
        self._connection.executemany(
            "INSERT INTO recent_ids (epoch, event_id) VALUES (?, ?)",
            [(self._number, event_id) for event_id in ids],
        )

    def prune(self) -> None:
        """Forgets ids of spans before the last two, a bounded number at a time."""
        before = self._number - 1
        if self._pruned_before == before:
            return
        deleted = self._connection.execute(
            "DELETE FROM recent_ids WHERE (epoch, event_id) IN"
            " (SELECT epoch, event_id FROM recent_ids WHERE epoch < ? LIMIT ?)",
            (before, _PRUNE_ROWS),
        ).rowcount
        if deleted < _PRUNE_ROWS:
            self._pruned_before = before

    def _write(self, span: IdSpan) -> None:
        is_due = span.passed_seconds >= self._passed_seconds + self._window_seconds / _STEPS
        if span.number == self._number and not is_due:
            return
        self._number, self._passed_seconds = span.number, span.passed_seconds
        self._connection.execute(
            "INSERT OR REPLACE INTO ids_epoch (only_row, number, began_at) VALUES (1, ?, ?)",
            (span.number, round(span.passed_seconds * 1_000_000)),
        )
