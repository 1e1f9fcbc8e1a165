"""What keys and tenants spent, in the database of the keys; each call in a worker thread."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, case, delete, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from services.kernel.errors import ComptoirError, Reason
from services.router.adapters.tables import SpendingRow
from services.router.domain.amount import Amount
from services.router.domain.spending import FIRST_DAY, Subject, SubjectKind, Window

# In one transaction, so that nobody waits long for the file of SQLite.
_AT_ONCE: Final = 250
_SPENDING: Final = SpendingRow.metadata.tables["spending"]
_IDENTITY: Final = (_SPENDING.c.kind, _SPENDING.c.number, _SPENDING.c.period)


class SqlSpending:
    """Totals of days and months, of which none ever goes back: routers may write them in any order."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pool = engine.pool
        self._note = _note_in(engine)

    async def read(self, windows: Collection[Window]) -> Mapping[Window, Amount]:
        """Returns what was noted of days and months; of one that is left out, nothing."""
        asked, found = list(windows), dict[Window, Amount]()
        for begin in range(0, len(asked), _AT_ONCE):
            found |= await asyncio.to_thread(self._read, asked[begin : begin + _AT_ONCE])
        return found

    async def write(self, spent: Mapping[Window, Amount]) -> None:
        """Notes totals of days and months; what is noted already never goes back."""
        # In one order, so that two routers do not wait for each other.
        rows = [
            {"kind": int(subject.kind), "number": subject.number, "period": period}
            | {"tokens": amount.tokens, "nanos": amount.nanos}
            for (subject, period), amount in sorted(spent.items())
        ]
        for begin in range(0, len(rows), _AT_ONCE):
            await asyncio.to_thread(self._write, rows[begin : begin + _AT_ONCE])

    async def forget_days(self, before: int) -> None:
        """Drops what was noted of days before that one, of some subjects at a time; of months all stays."""
        for kind in SubjectKind:
            last = await asyncio.to_thread(self._last_number, kind)
            for first in range(0, last + 1, _AT_ONCE):
                await asyncio.to_thread(self._forget_days, kind, first, before)

    def _last_number(self, kind: SubjectKind) -> int:
        query = select(func.max(_SPENDING.c.number)).where(_SPENDING.c.kind == int(kind))
        with self._transaction() as connection:
            return connection.execute(query).scalar() or 0

    def _forget_days(self, kind: SubjectKind, first: int, before: int) -> None:
        are_these = _SPENDING.c.number.between(first, first + _AT_ONCE - 1) & (_SPENDING.c.kind == int(kind))
        is_old_day = _SPENDING.c.period.between(FIRST_DAY, before - 1)
        with self._transaction() as connection:
            connection.execute(delete(_SPENDING).where(are_these & is_old_day))

    def _read(self, windows: Sequence[Window]) -> dict[Window, Amount]:
        wanted = [(int(subject.kind), subject.number, period) for subject, period in windows]
        query = select(*_IDENTITY, _SPENDING.c.tokens, _SPENDING.c.nanos)
        with self._transaction() as connection:
            rows = connection.execute(query.where(tuple_(*_IDENTITY).in_(wanted))).all()
        return {
            Window(Subject(SubjectKind(kind), number), period): Amount(tokens, nanos)
            for kind, number, period, tokens, nanos in rows
        }

    def _write(self, rows: Sequence[Mapping[str, int]]) -> None:
        with self._transaction() as connection:
            connection.execute(self._note, rows)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except (OSError, SQLAlchemyError):
            # Its text may hold the statement; the reason is all that leaves.
            raise ComptoirError(Reason.KEYS_UNAVAILABLE, retry_after_seconds=1.0) from None
        finally:
            if self._engine.pool is not self._pool:
                # The database was closed: the connection went back to where nobody looks any more.
                self._pool.dispose()
                self._engine.pool.dispose()


def _note_in(engine: Engine) -> Any:
    dialect: Any = postgresql if engine.dialect.name == "postgresql" else sqlite
    note = dialect.insert(_SPENDING)
    most = {name: _larger(_SPENDING, note.excluded, name) for name in ("tokens", "nanos")}
    return note.on_conflict_do_update(index_elements=_IDENTITY, set_=most)


def _larger(table: Table, excluded: Any, name: str) -> Any:
    return case((excluded[name] > table.c[name], excluded[name]), else_=table.c[name])
