"""The log of what changed of tenants and keys, in the transaction of each change; numbers alone."""

from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from services.router.adapters.tables import KeyChangeRow, KeyChangesRow, KeyRow
from services.router.domain.tenancy import Changes, Key, Tenant

# A router that has not looked for longer forgets all that it remembers, once.
MOST_LOGGED: Final = 10_000


def count_change(session: Session) -> int:
    """Makes the count of changes grow, and returns it; others that change something wait for the end."""
    counted = update(KeyChangesRow).values(number=KeyChangesRow.number + 1).returning(KeyChangesRow.number)
    return session.scalars(counted, execution_options={"synchronize_session": False}).one()


def log_change(session: Session, number: int, changed: Tenant | Key) -> None:
    """Notes what the change with that number was about, and lets the oldest one go."""
    about = (changed.number, 0) if isinstance(changed, Key) else (0, changed.number)
    session.add(KeyChangeRow(number=number, key_number=about[0], tenant_number=about[1]))
    session.flush()
    session.execute(
        delete(KeyChangeRow).where(KeyChangeRow.number <= number - MOST_LOGGED),
        execution_options={"synchronize_session": False},
    )


def changes_since(number: int, most: int, session: Session) -> Changes:
    """Returns what changed since the count was `number`, as far as all of it is told."""
    latest = session.scalars(select(KeyChangesRow.number)).one()
    columns = (KeyChangeRow.key_number, KeyChangeRow.tenant_number)
    rows = session.execute(select(*columns).where(KeyChangeRow.number > number).limit(most + 1)).all()
    # A router from before the log counts a change and tells nothing of it; a store that was brought back
    # from a copy counts from before.
    if len(rows) != latest - number or len(rows) > most:
        return Changes(latest, is_told=False)
    keys = frozenset(row.key_number for row in rows if row.key_number)
    found = session.execute(select(KeyRow.digest, KeyRow.previous_digest).where(KeyRow.number.in_(keys)))
    return Changes(
        latest,
        keys=keys,
        tenants=frozenset(row.tenant_number for row in rows if row.tenant_number),
        digests=[digest for row in found for digest in row if digest is not None],
    )
