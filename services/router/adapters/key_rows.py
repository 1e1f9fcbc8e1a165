"""Between rows of tenants and keys and the router's own types."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.kernel.errors import ComptoirError, Reason
from services.router.adapters.tables import (
    KeyEndpointRow,
    KeyModelRow,
    KeyRegionRow,
    KeyRow,
    QuotaColumns,
    TenantRow,
)
from services.router.domain.tenancy import Endpoint, Key, KeyChange, NewKey, Priority, Quota, Tenant


def tenant_named(session: Session, name: str) -> TenantRow:
    """Returns the row of a tenant; NOT_FOUND if there is none of that name."""
    row = session.scalars(select(TenantRow).where(TenantRow.name == name)).one_or_none()
    if row is None:
        raise ComptoirError(Reason.NOT_FOUND, field="tenant")
    return row


def key_numbered(session: Session, number: int) -> KeyRow:
    """Returns the row of a key; NOT_FOUND if there is none with that number."""
    row = session.get(KeyRow, number)
    if row is None:
        raise ComptoirError(Reason.NOT_FOUND, field="number")
    return row


def tenant_of(row: TenantRow) -> Tenant:
    """Returns the tenant that a row holds."""
    return Tenant(
        row.number, row.name, row.home_region, row.created_at_seconds, row.is_disabled, quota_of(row)
    )


def quota_of(row: QuotaColumns) -> Quota:
    """Returns the quota that a row holds."""
    return Quota.model_validate({name: getattr(row, name) for name in Quota.model_fields})


def limit_row(row: QuotaColumns, quota: Quota) -> None:
    """Sets the whole quota of a tenant or a key."""
    for name, limit in quota:
        setattr(row, name, limit)


def new_row(new: NewKey, tenant: TenantRow) -> KeyRow:
    """Returns the row of a key to store."""
    row = KeyRow(
        tenant=tenant,
        digest=new.digest,
        label=new.label,
        created_at_seconds=new.created_at_seconds,
        expires_at_seconds=new.expires_at_seconds,
        best_priority=new.best_priority,
    )
    change_row(
        row, KeyChange(models=new.models, endpoints=new.endpoints, regions=new.regions, quota=new.quota)
    )
    return row


def change_row(row: KeyRow, change: KeyChange) -> None:
    """Sets what a change says, and leaves the rest."""
    for name in ("label", "expires_at_seconds", "is_disabled", "best_priority"):
        value = getattr(change, name)
        if value is not None:
            setattr(row, name, value)
    if change.quota is not None:
        limit_row(row, change.quota)
    # What stays keeps its row: it cannot be deleted and inserted in one step.
    if change.models is not None:
        models = {scope.model_number: scope for scope in row.models}
        row.models = [models.get(at) or KeyModelRow(model_number=at) for at in sorted({*change.models})]
    if change.endpoints is not None:
        endpoints = {scope.endpoint_number: scope for scope in row.endpoints}
        row.endpoints = [
            endpoints.get(at) or KeyEndpointRow(endpoint_number=at) for at in sorted({*change.endpoints})
        ]
    if change.regions is not None:
        regions = {scope.region_number: scope for scope in row.regions}
        row.regions = [regions.get(at) or KeyRegionRow(region_number=at) for at in sorted({*change.regions})]


def key_of(row: KeyRow) -> Key:
    """Returns the key that a row holds."""
    return Key(
        number=row.number,
        tenant=tenant_of(row.tenant),
        digest=row.digest,
        label=row.label,
        models=frozenset(scope.model_number for scope in row.models),
        quota=quota_of(row),
        created_at_seconds=row.created_at_seconds,
        expires_at_seconds=row.expires_at_seconds,
        revoked_at_seconds=row.revoked_at_seconds,
        best_priority=Priority(row.best_priority),
        endpoints=frozenset(Endpoint(scope.endpoint_number) for scope in row.endpoints),
        regions=frozenset(scope.region_number for scope in row.regions),
        is_disabled=row.is_disabled,
        previous_digest=row.previous_digest,
        previous_until_seconds=row.previous_until_seconds,
        last_used_seconds=row.last_used_seconds,
    )
