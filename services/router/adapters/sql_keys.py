"""Tenants and keys in a SQL database through SQLAlchemy, each call in a worker thread."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from services.kernel.errors import ComptoirError, Reason
from services.router.adapters.tables import KeyModelRow, KeyRow, TenantRow
from services.router.domain.tenancy import Key, NewKey, Priority, Quota, Tenant

_Result = TypeVar("_Result")


class SqlKeys:
    """A key store in a database with the tables of this version; survives a kill at any moment."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def find(self, digest: bytes) -> Key | None:
        """Returns the key with that digest, revoked and expired ones too, or None."""

        def query(session: Session) -> Key | None:
            row = session.scalars(select(KeyRow).where(KeyRow.digest == digest)).one_or_none()
            return None if row is None else _key(row)

        return await self._run(query)

    async def create_tenant(self, name: str, home_region: int, now_seconds: int) -> Tenant:
        """Stores a tenant; ALREADY_EXISTS if the name is taken."""

        def insert(session: Session) -> Tenant:
            row = TenantRow(name=name, home_region=home_region, created_at_seconds=now_seconds)
            session.add(row)
            session.flush()
            return _tenant(row)

        return await self._run(insert)

    async def list_tenants(self) -> Sequence[Tenant]:
        """Returns all tenants by number."""
        return await self._run(
            lambda session: [
                _tenant(row) for row in session.scalars(select(TenantRow).order_by(TenantRow.number))
            ]
        )

    async def create_key(self, new: NewKey) -> Key:
        """Stores a key; NOT_FOUND if there is no such tenant."""

        def insert(session: Session) -> Key:
            row = KeyRow(
                tenant=_tenant_named(session, new.tenant_name),
                digest=new.digest,
                label=new.label,
                requests_per_minute=new.quota.requests_per_minute,
                tokens_per_minute=new.quota.tokens_per_minute,
                concurrency=new.quota.concurrency,
                created_at_seconds=new.created_at_seconds,
                expires_at_seconds=new.expires_at_seconds,
                best_priority=new.best_priority,
                models=[KeyModelRow(model_number=model) for model in sorted(set(new.models))],
            )
            session.add(row)
            session.flush()
            return _key(row)

        return await self._run(insert)

    async def list_keys(self, tenant_name: str | None) -> Sequence[Key]:
        """Returns all keys of a tenant, or of all, by number; NOT_FOUND if there is no such tenant."""

        def query(session: Session) -> Sequence[Key]:
            statement = select(KeyRow).order_by(KeyRow.number)
            if tenant_name is not None:
                tenant = _tenant_named(session, tenant_name)
                statement = statement.where(KeyRow.tenant_number == tenant.number)
            return [_key(row) for row in session.scalars(statement)]

        return await self._run(query)

    async def revoke_key(self, number: int, now_seconds: int) -> Key:
        """Marks a key as revoked, once; NOT_FOUND if there is none with that number."""

        def update(session: Session) -> Key:
            row = session.get(KeyRow, number)
            if row is None:
                raise ComptoirError(Reason.NOT_FOUND, field="number")
            row.revoked_at_seconds = row.revoked_at_seconds or now_seconds
            return _key(row)

        return await self._run(update)

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()

    async def _run(self, work: Callable[[Session], _Result]) -> _Result:
        return await asyncio.to_thread(self._transact, work)

    def _transact(self, work: Callable[[Session], _Result]) -> _Result:
        try:
            with Session(self._engine) as session, session.begin():
                return work(session)
        except IntegrityError:
            raise ComptoirError(Reason.ALREADY_EXISTS) from None
        except (OSError, SQLAlchemyError):
            # Its text may hold the statement; the reason is all that leaves.
            raise ComptoirError(Reason.UNAVAILABLE, retry_after_seconds=1.0) from None


def _tenant_named(session: Session, name: str) -> TenantRow:
    row = session.scalars(select(TenantRow).where(TenantRow.name == name)).one_or_none()
    if row is None:
        raise ComptoirError(Reason.NOT_FOUND, field="tenant")
    return row


def _tenant(row: TenantRow) -> Tenant:
    return Tenant(row.number, row.name, row.home_region, row.created_at_seconds, row.is_disabled)


def _key(row: KeyRow) -> Key:
    return Key(
        number=row.number,
        tenant=_tenant(row.tenant),
        digest=row.digest,
        label=row.label,
        models=frozenset(model.model_number for model in row.models),
        quota=Quota(
            requests_per_minute=row.requests_per_minute,
            tokens_per_minute=row.tokens_per_minute,
            concurrency=row.concurrency,
        ),
        created_at_seconds=row.created_at_seconds,
        expires_at_seconds=row.expires_at_seconds,
        revoked_at_seconds=row.revoked_at_seconds,
        best_priority=Priority(row.best_priority),
    )
