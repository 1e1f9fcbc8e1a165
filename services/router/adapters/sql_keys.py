"""Tenants and keys in a SQL database through SQLAlchemy, each call in a worker thread."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import Engine, bindparam, or_, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from services.kernel.errors import ComptoirError, Reason
from services.router.adapters.key_change_log import changes_since, count_change, log_change
from services.router.adapters.key_database import begin_reading
from services.router.adapters.key_rows import (
    change_row,
    key_numbered,
    key_of,
    limit_row,
    new_row,
    tenant_named,
    tenant_of,
)
from services.router.adapters.tables import KeyChangesRow, KeyRow, TenantRow
from services.router.domain.tenancy import UNLIMITED, Changes, Key, KeyChange, NewKey, Page, Quota, Tenant

_Result = TypeVar("_Result")
_Changed = TypeVar("_Changed", Tenant, Key)
_NOTED_AT_ONCE: Final = 500
_KEYS: Final = KeyRow.metadata.tables["keys"]
_NOTE: Final = (
    update(_KEYS)
    .where(_KEYS.c.number == bindparam("used"), _KEYS.c.last_used_seconds < bindparam("at"))
    .values(last_used_seconds=bindparam("at"))
)


class SqlKeys:
    """A key store in a database with the tables of this version; survives a kill at any moment."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pool = engine.pool
        self._is_closed = False

    async def find(self, digest: bytes) -> Key | None:
        """Returns the key with that digest, now or before its last rotation, usable or not, or None."""

        def query(session: Session) -> Key | None:
            either = or_(KeyRow.digest == digest, KeyRow.previous_digest == digest)
            row = session.scalars(select(KeyRow).where(either)).first()
            return None if row is None else key_of(row)

        return await self._run(query)

    async def change_number(self) -> int:
        """Returns a number that grows with every change of a tenant or a key."""
        return await self._run(lambda session: session.scalars(select(KeyChangesRow.number)).one())

    async def changes_since(self, number: int, most: int) -> Changes:
        """Returns what changed since the count was that number.

        It is not told where more than `most` did, or where the log has not all of it.
        """
        return await self._run(partial(changes_since, number, most))

    async def digests(self, most: int) -> Sequence[bytes]:
        """Returns the digests by which keys are found, of the newest `most` keys."""

        def query(session: Session) -> Sequence[bytes]:
            columns = (KeyRow.digest, KeyRow.previous_digest)
            rows = session.execute(select(*columns).order_by(KeyRow.number.desc()).limit(most))
            return [digest for row in rows for digest in row if digest is not None]

        return await self._run(query)

    async def create_tenant(
        self, name: str, home_region: int, now_seconds: int, quota: Quota = UNLIMITED
    ) -> Tenant:
        """Stores a tenant; ALREADY_EXISTS if the name is taken."""

        def insert(session: Session) -> Tenant:
            row = TenantRow(name=name, home_region=home_region, created_at_seconds=now_seconds)
            limit_row(row, quota)
            session.add(row)
            session.flush()
            return tenant_of(row)

        return await self._change(insert)

    async def tenant(self, name: str) -> Tenant:
        """Returns a tenant; NOT_FOUND if there is none of that name."""
        return await self._run(lambda session: tenant_of(tenant_named(session, name)))

    async def list_tenants(self, page: Page = Page()) -> Sequence[Tenant]:  # noqa: B008 - frozen
        """Returns tenants by number."""

        def query(session: Session) -> Sequence[Tenant]:
            statement = select(TenantRow).where(TenantRow.number > page.after).order_by(TenantRow.number)
            if page.numbers is not None:
                statement = statement.where(TenantRow.number.in_(page.numbers))
            return [tenant_of(row) for row in session.scalars(statement.limit(page.most))]

        return await self._run(query)

    async def limit_tenant(self, name: str, quota: Quota) -> Tenant:
        """Gives a tenant another quota; NOT_FOUND if there is none of that name."""

        def change(session: Session) -> Tenant:
            row = tenant_named(session, name)
            limit_row(row, quota)
            return tenant_of(row)

        return await self._change(change)

    async def disable_tenant(self, name: str, *, is_disabled: bool) -> Tenant:
        """Has the keys of a tenant refused, or taken again; NOT_FOUND if there is none of that name."""

        def change(session: Session) -> Tenant:
            row = tenant_named(session, name)
            row.is_disabled = is_disabled
            return tenant_of(row)

        return await self._change(change)

    async def delete_tenant(self, name: str) -> Tenant:
        """Forgets a tenant; TENANT_HAS_KEYS while it has one, NOT_FOUND if there is none of that name."""

        def delete(session: Session) -> Tenant:
            row = tenant_named(session, name)
            session.delete(row)
            try:
                session.flush()
            except IntegrityError:
                raise ComptoirError(Reason.TENANT_HAS_KEYS) from None
            return tenant_of(row)

        return await self._change(delete)

    async def create_key(self, new: NewKey) -> Key:
        """Stores a key; NOT_FOUND if there is no such tenant."""

        def insert(session: Session) -> Key:
            row = new_row(new, tenant_named(session, new.tenant_name))
            session.add(row)
            session.flush()
            return key_of(row)

        return await self._change(insert)

    async def key(self, number: int) -> Key:
        """Returns a key; NOT_FOUND if there is none with that number."""
        return await self._run(lambda session: key_of(key_numbered(session, number)))

    async def list_keys(
        self,
        tenant_name: str | None,
        page: Page = Page(),  # noqa: B008 - frozen
    ) -> Sequence[Key]:
        """Returns keys of a tenant, or of all, by number; NOT_FOUND if there is no such tenant."""

        def query(session: Session) -> Sequence[Key]:
            statement = select(KeyRow).where(KeyRow.number > page.after).order_by(KeyRow.number)
            if tenant_name is not None:
                tenant = tenant_named(session, tenant_name)
                statement = statement.where(KeyRow.tenant_number == tenant.number)
            if page.numbers is not None:
                statement = statement.where(KeyRow.number.in_(page.numbers))
            return [key_of(row) for row in session.scalars(statement.limit(page.most))]

        return await self._run(query)

    async def change_key(self, number: int, change: KeyChange) -> Key:
        """Sets what a change says of a key; NOT_FOUND if there is none with that number."""

        def work(session: Session) -> Key:
            row = key_numbered(session, number)
            change_row(row, change)
            session.flush()
            return key_of(row)

        return await self._change(work)

    async def rotate_key(
        self,
        number: int,
        digest: bytes,
        previous_until_seconds: int,
        *,
        not_taken_at_seconds: int | None = None,
    ) -> Key:
        """Gives a key another digest; the one that it had is found too, and what was before it no more."""

        def work(session: Session) -> Key:
            row = key_numbered(session, number)
            if not_taken_at_seconds is not None:
                key_of(row).check_overlap_is_over(not_taken_at_seconds)
            row.previous_digest, row.digest = row.digest, digest
            row.previous_until_seconds = previous_until_seconds
            session.flush()
            return key_of(row)

        return await self._change(work)

    async def revoke_key(self, number: int, now_seconds: int) -> Key:
        """Marks a key as revoked, once; NOT_FOUND if there is none with that number."""

        def work(session: Session) -> Key:
            row = key_numbered(session, number)
            row.revoked_at_seconds = row.revoked_at_seconds or now_seconds
            return key_of(row)

        return await self._change(work)

    async def delete_key(self, number: int) -> Key:
        """Forgets a key, whose number is never given again; NOT_FOUND if there is none."""

        def work(session: Session) -> Key:
            row = key_numbered(session, number)
            key = key_of(row)
            session.delete(row)
            return key

        return await self._change(work)

    async def note_uses(self, uses: Mapping[int, int]) -> None:
        """Notes when keys were used last, by number; what is noted already never goes back."""
        # In one order, so that two routers do not wait for each other, and a part at a time, so that nobody
        # waits long for the file of SQLite.
        noted = [{"used": number, "at": seconds} for number, seconds in sorted(uses.items())]
        for begin in range(0, len(noted), _NOTED_AT_ONCE):
            await self._write(partial(_note, noted[begin : begin + _NOTED_AT_ONCE]))

    def close(self) -> None:
        """Closes all connections; that of a call under way, which nobody waits for, when it ends."""
        self._is_closed = True
        self._engine.dispose()

    async def _change(self, work: Callable[[Session], _Changed]) -> _Changed:
        def counted(session: Session) -> _Changed:
            # First, so that changes of several routers come one after another, each with its number.
            number = count_change(session)
            changed = work(session)
            log_change(session, number, changed)
            return changed

        return await self._write(counted)

    async def _write(self, work: Callable[[Session], _Result]) -> _Result:
        return await asyncio.to_thread(self._transact, work)

    async def _run(self, work: Callable[[Session], _Result]) -> _Result:
        def read(session: Session) -> _Result:
            begin_reading(session)
            return work(session)

        return await asyncio.to_thread(self._transact, read)

    def _transact(self, work: Callable[[Session], _Result]) -> _Result:
        try:
            with Session(self._engine) as session, session.begin():
                return work(session)
        except IntegrityError:
            raise ComptoirError(Reason.ALREADY_EXISTS) from None
        except (OSError, SQLAlchemyError):
            # Its text may hold the statement; the reason is all that leaves.
            raise ComptoirError(Reason.KEYS_UNAVAILABLE, retry_after_seconds=1.0) from None
        finally:
            if self._is_closed:
                # Its connection went back to where nobody looks any more.
                self._pool.dispose()


def _note(uses: Sequence[Mapping[str, int]], session: Session) -> None:
    session.connection().execute(_NOTE, uses)
