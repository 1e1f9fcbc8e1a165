"""What keys and tenants spent, in the database of the keys; each call in a worker thread."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Engine, Table, case, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from services.kernel.errors import ComptoirError, Reason
from services.router.adapters.tables import SpendingRow
from services.router.domain.amount import Amount
from services.router.domain.spending import Subject, SubjectKind, Window

# In one transaction, so that nobody waits long for the file of SQLite.
_AT_ONCE: Final = 250
_SPENDING: Final = SpendingRow.metadata.tables["spending"]
_IDENTITY: Final = (_SPENDING.c.kind, _SPENDING.c.number, _SPENDING.c.period)


class SqlSpending:
    """Totals of days and months, of which none ever goes back: routers may write them in any order."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
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

    def _read(self, windows: Sequence[Window]) -> dict[Window, Amount]:
        wanted = [(int(subject.kind), subject.number, period) for subject, period in windows]
        query = select(*_IDENTITY, _SPENDING.c.tokens, _SPENDING.c.nanos)
        try:
            with self._engine.connect() as connection:
                rows = connection.execute(query.where(tuple_(*_IDENTITY).in_(wanted))).all()
        except (OSError, SQLAlchemyError):
            raise _unavailable() from None
        return {
            Window(Subject(SubjectKind(kind), number), period): Amount(tokens, nanos)
            for kind, number, period, tokens, nanos in rows
        }

    def _write(self, rows: Sequence[Mapping[str, int]]) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(self._note, rows)
        except (OSError, SQLAlchemyError):
            raise _unavailable() from None


def _note_in(engine: Engine) -> Any:
    dialect: Any = postgresql if engine.dialect.name == "postgresql" else sqlite
    note = dialect.insert(_SPENDING)
    most = {name: _larger(_SPENDING, note.excluded, name) for name in ("tokens", "nanos")}
    return note.on_conflict_do_update(index_elements=_IDENTITY, set_=most)


def _larger(table: Table, excluded: Any, name: str) -> Any:
    return case((excluded[name] > table.c[name], excluded[name]), else_=table.c[name])


def _unavailable() -> ComptoirError:
    # The text of what failed may hold the statement; the reason is all that leaves.
    return ComptoirError(Reason.KEYS_UNAVAILABLE, retry_after_seconds=1.0)
