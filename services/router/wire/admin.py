"""Between the messages of administration and the router's own types; names come from the catalog."""

from typing import Final

from comptoir.router.v1 import admin_pb2, router_pb2

from services.kernel.catalog import Catalog
from services.router.domain.roster import Standing
from services.router.domain.tenancy import Key, Priority, Quota, Tenant

_PRIORITIES: Final = {
    Priority.INTERACTIVE: router_pb2.PRIORITY_INTERACTIVE,
    Priority.DEFAULT: router_pb2.PRIORITY_DEFAULT,
    Priority.BATCH: router_pb2.PRIORITY_BATCH,
}


def tenant(stored: Tenant, catalog: Catalog) -> admin_pb2.Tenant:
    """Returns the message of a tenant; its home region is shown by number if the catalog lost its name."""
    region = catalog.region_by_number(stored.home_region)
    return admin_pb2.Tenant(
        number=stored.number,
        name=stored.name,
        home_region=region.name if region else str(stored.home_region),
        created_at_seconds=stored.created_at_seconds,
        is_disabled=stored.is_disabled,
    )


def key(stored: Key, catalog: Catalog) -> admin_pb2.Key:
    """Returns the message of a key, without its secret; models by name, or number where the name is lost."""
    return admin_pb2.Key(
        number=stored.number,
        tenant=stored.tenant.number,
        tenant_name=stored.tenant.name,
        label=stored.label,
        models=sorted(_model_name(number, catalog) for number in stored.models),
        quota=admin_pb2.Quota(
            requests_per_minute=stored.quota.requests_per_minute,
            tokens_per_minute=stored.quota.tokens_per_minute,
            concurrency=stored.quota.concurrency,
        ),
        created_at_seconds=stored.created_at_seconds,
        expires_at_seconds=stored.expires_at_seconds,
        revoked_at_seconds=stored.revoked_at_seconds,
        best_priority=_PRIORITIES[stored.best_priority],
    )


def quota(message: admin_pb2.Quota) -> Quota:
    """Returns the quota that a message carries."""
    return Quota(
        requests_per_minute=message.requests_per_minute,
        tokens_per_minute=message.tokens_per_minute,
        concurrency=message.concurrency,
    )


def priority(number: int) -> Priority:
    """Returns the class with that number in the schema; unspecified reads as default."""
    return {int(sent): known for known, sent in _PRIORITIES.items()}.get(number, Priority.DEFAULT)


def replica(standing: Standing, catalog: Catalog, now_seconds: float) -> admin_pb2.Replica:
    """Returns the message of a replica; names by number where the catalog lost them."""
    known, load = standing.replica, standing.replica.load
    region = catalog.region_by_number(known.registration.region)
    offset_seconds = known.clock_offset_seconds
    return admin_pb2.Replica(
        number=known.registration.replica,
        model=_model_name(known.registration.model, catalog),
        region=region.name if region else str(known.registration.region),
        address=known.registration.address,
        state=int(standing.state),  # type: ignore[arg-type] # the enum's stub type is nominal
        running_requests=load.running_requests if load else 0,
        waiting_requests=load.waiting_requests if load else 0,
        in_flight_requests=known.in_flight,
        max_requests=known.registration.max_requests,
        kv_usage_permille=load.kv_usage_permille if load else 0,
        report_age_milliseconds=round(standing.report_age_seconds * 1000),
        clock_offset_milliseconds=None if offset_seconds is None else round(offset_seconds * 1000),
        registered_at_seconds=round(now_seconds - standing.registered_for_seconds),
    )


def _model_name(number: int, catalog: Catalog) -> str:
    model = catalog.model_by_number(number)
    return model.name if model else str(number)
