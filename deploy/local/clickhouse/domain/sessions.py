"""Sessions: connections that outlive a request, found by the id that a client chose."""

from dataclasses import dataclass
from typing import Final

from deploy.local.clickhouse.domain.errors import (
    MEMORY_LIMIT_EXCEEDED,
    SESSION_IS_LOCKED,
    SESSION_NOT_FOUND,
    TOO_MANY_QUERIES,
    StoreError,
)
from deploy.local.clickhouse.domain.ports import Connection
from deploy.local.clickhouse.domain.request import SessionRequest

_SESSIONS_OF_A_TOTAL: Final = 4


@dataclass(slots=True)
class Session:
    """One session; `expires_seconds` is of the monotonic clock and counts while it is idle."""

    timeout_seconds: float
    key: tuple[bool, str] = (True, "")
    connection: Connection | None = None
    expires_seconds: float = 0.0
    is_busy: bool = True
    held_bytes: int = 0


class Sessions:
    """The open sessions, a bounded number. Not thread-safe: it belongs to the event loop.

    Readers share them and the ids, as clients of one ClickHouse user do; the writer has its own. Where all
    are taken, the one that has been idle for longest makes way: one who opens many and leaves them keeps
    nobody out.
    """

    def __init__(self, max_sessions: int) -> None:
        self._max_sessions = max_sessions
        # Idle ones are in the order in which they became idle.
        self._open: dict[tuple[bool, str], Session] = {}
        self._displaced: list[Session] = []

    def __len__(self) -> int:
        return len(self._open)

    def take(self, asked: SessionRequest, *, is_readonly: bool) -> Session:
        """Returns the session that is asked for, now busy; raises StoreError. A new one has no connection."""
        key = (is_readonly, asked.id)
        found = self._open.get(key)
        if found is not None and found.is_busy:
            raise StoreError.refused(SESSION_IS_LOCKED, "Session is locked by a concurrent client.")
        if found is None:
            if asked.must_exist:
                raise StoreError.refused(SESSION_NOT_FOUND, "Session not found.")
            self._make_room()
            found = self._open[key] = Session(asked.timeout_seconds, key)
        found.is_busy = True
        found.timeout_seconds = asked.timeout_seconds
        return found

    def release(self, session: Session, now_seconds: float) -> None:
        """Makes the session idle; it expires when it stays so for its timeout, at once if it never opened."""
        session.is_busy = False
        if session.key in self._open:
            self._open[session.key] = self._open.pop(session.key)
        idle_seconds = 0.0 if session.connection is None else session.timeout_seconds
        session.expires_seconds = now_seconds + idle_seconds

    def displaced(self) -> list[Session]:
        """Returns the sessions that made way since the last call."""
        displaced, self._displaced = self._displaced, []
        return displaced

    def hold(self, session: Session, held_bytes: int, *, max_bytes: int) -> None:
        """Notes what the session's temporary tables hold; raises StoreError where it is too much.

        Where all sessions together hold four times as much as one may, those that idle make way.
        """
        session.held_bytes = held_bytes
        if held_bytes > max_bytes:
            self._displace(session.key)
            raise StoreError.refused(
                MEMORY_LIMIT_EXCEEDED,
                f"The session's temporary tables hold {held_bytes} bytes, more than max_temporary_bytes ="
                f" {max_bytes}. The session is over.",
            )
        total = sum(held.held_bytes for held in self._open.values())
        for key, idle in list(self._open.items()):
            if total > _SESSIONS_OF_A_TOTAL * max_bytes and not idle.is_busy and idle.held_bytes:
                total -= idle.held_bytes
                self._displace(key)

    def expired(self, now_seconds: float) -> list[Session]:
        """Removes and returns the idle sessions whose time is over."""
        over = [
            key
            for key, session in self._open.items()
            if not session.is_busy and session.expires_seconds <= now_seconds
        ]
        return [self._open.pop(key) for key in over]

    def all(self) -> list[Session]:
        """Removes and returns every session."""
        sessions = [*self._open.values(), *self.displaced()]
        self._open.clear()
        return sessions

    def _make_room(self) -> None:
        if len(self._open) < self._max_sessions:
            return
        idle = next((key for key, session in self._open.items() if not session.is_busy), None)
        if idle is None:
            raise StoreError.refused(
                TOO_MANY_QUERIES, f"max_sessions = {self._max_sessions} sessions are all busy; try again."
            )
        self._displace(idle)

    def _displace(self, key: tuple[bool, str]) -> None:
        self._displaced.append(self._open.pop(key))
