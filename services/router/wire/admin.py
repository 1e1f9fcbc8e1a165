"""Between the messages of administration and the router's own types; names come from the catalog."""

import json
import math
from collections.abc import Sequence
from typing import Final, TypeVar

from comptoir.router.v1 import admin_pb2, router_pb2

from services.kernel.catalog import Catalog, Region
from services.kernel.identity import digest64
from services.kernel.quota import Spending
from services.router.domain.administration import KeyEdit, KeyOrder
from services.router.domain.batch_holding import Hold
from services.router.domain.roster import Standing
from services.router.domain.tenancy import Endpoint, Key, Page, Priority, Quota, Tenant
from services.router.wire.admission import models_response

_PRIORITIES: Final = {
    Priority.INTERACTIVE: router_pb2.PRIORITY_INTERACTIVE,
    Priority.DEFAULT: router_pb2.PRIORITY_DEFAULT,
    Priority.BATCH: router_pb2.PRIORITY_BATCH,
}

# What lists are of: each has its number.
_Listed = TypeVar("_Listed", Tenant, Key)


def tenant(stored: Tenant, catalog: Catalog) -> admin_pb2.Tenant:
    """Returns the message of a tenant; its home region is shown by number if the catalog lost its name."""
    return admin_pb2.Tenant(
        number=stored.number,
        name=stored.name,
        home_region=_region_name(stored.home_region, catalog),
        created_at_seconds=stored.created_at_seconds,
        is_disabled=stored.is_disabled,
        quota=_quota_message(stored.quota),
        currency=catalog.currency,
    )


def key(stored: Key, catalog: Catalog) -> admin_pb2.Key:
    """Returns the message of a key, without its secret; models by name, or number where the name is lost."""
    return admin_pb2.Key(
        number=stored.number,
        tenant=stored.tenant.number,
        tenant_name=stored.tenant.name,
        label=stored.label,
        models=sorted(_model_name(number, catalog) for number in stored.models),
        quota=_quota_message(stored.quota),
        created_at_seconds=stored.created_at_seconds,
        expires_at_seconds=stored.expires_at_seconds,
        revoked_at_seconds=stored.revoked_at_seconds,
        best_priority=_PRIORITIES[stored.best_priority],
        endpoints=sorted(stored.endpoints),  # type: ignore[arg-type] # the enum's stub type is nominal
        regions=sorted(_region_name(number, catalog) for number in stored.regions),
        is_disabled=stored.is_disabled,
        previous_until_seconds=stored.previous_until_seconds,
        last_used_seconds=stored.last_used_seconds,
        currency=catalog.currency,
    )


def spending(used: Spending | None, catalog: Catalog) -> admin_pb2.Spending | None:
    """Returns the message of what was used; None where that is not known."""
    return None if used is None else known_spending(used, catalog)


def known_spending(used: Spending, catalog: Catalog) -> admin_pb2.Spending:
    """Returns the message of what was used."""
    return admin_pb2.Spending(
        tokens_of_day=used.day_tokens,
        tokens_of_month=used.month_tokens,
        money_of_month_nanos=used.month_money_nanos,
        day_ends_seconds=used.day_ends_seconds,
        month_ends_seconds=used.month_ends_seconds,
        currency=catalog.currency,
    )


def page(message: admin_pb2.ListKeysRequest | admin_pb2.ListTenantsRequest) -> Page:
    """Returns the part of a list that a message asks for: one entry more, which tells that it goes on."""
    after = int(message.page_token or 0)
    most = message.page_size + 1 if message.page_size else None
    return Page(after, most, frozenset(message.numbers) or None)


def fitting(listed: Sequence[_Listed], page_size: int) -> tuple[Sequence[_Listed], str]:
    """Returns what of `page` is on it, and the token of the next one, which is empty at the end."""
    if not page_size or len(listed) <= page_size:
        return listed, ""
    return listed[:page_size], str(listed[page_size - 1].number)


def order(message: admin_pb2.CreateKeyRequest) -> KeyOrder:
    """Returns the key that a message asks for."""
    return KeyOrder(
        tenant_name=message.tenant,
        label=message.label,
        model_names=list(message.models),
        quota=quota(message.quota) if message.HasField("quota") else None,
        expires_at_seconds=message.expires_at_seconds,
        best_priority=priority(message.best_priority),
        endpoints=[Endpoint(number) for number in message.endpoints],
        region_names=list(message.regions),
        api_key=message.api_key,
        defaults_for_unset=message.defaults_for_unset,
    )


def edit(message: admin_pb2.UpdateKeyRequest) -> KeyEdit:
    """Returns what a message changes of a key."""
    has = message.HasField
    return KeyEdit(
        label=message.label if has("label") else None,
        model_names=list(message.models.names) if has("models") else None,
        endpoints=[Endpoint(number) for number in message.endpoints.endpoints] if has("endpoints") else None,
        region_names=list(message.regions.names) if has("regions") else None,
        quota=quota(message.quota) if has("quota") else None,
        best_priority=priority(message.best_priority) if message.best_priority else None,
        expires_at_seconds=message.expires_at_seconds if has("expires_at_seconds") else None,
    )


def catalog_response(catalog: Catalog, own: Region) -> admin_pb2.GetCatalogResponse:
    """Returns the message of a catalog, as a router of one region knows it."""
    names = [name for name in catalog.names_in(own) if name.name == name.model.name]
    whole = json.dumps(catalog.model_dump(mode="json"), sort_keys=True)
    return admin_pb2.GetCatalogResponse(
        catalog_json=whole,
        catalog_digest=digest64(whole.encode()),
        region=own.name,
        regions=[
            admin_pb2.CatalogRegion(number=region.number, name=region.name, is_eu=region.is_eu)
            for region in catalog.regions
        ],
        models=models_response(names).models,
        currency=catalog.currency,
    )


def quota(message: admin_pb2.Quota) -> Quota:
    """Returns the quota that a message carries."""
    return Quota(
        requests_per_minute=message.requests_per_minute,
        tokens_per_minute=message.tokens_per_minute,
        concurrency=message.concurrency,
        tokens_per_day=message.tokens_per_day,
        tokens_per_month=message.tokens_per_month,
        money_per_month_cents=message.money_per_month_cents,
    )


def _quota_message(stored: Quota) -> admin_pb2.Quota:
    return admin_pb2.Quota(
        requests_per_minute=stored.requests_per_minute,
        tokens_per_minute=stored.tokens_per_minute,
        concurrency=stored.concurrency,
        tokens_per_day=stored.tokens_per_day,
        tokens_per_month=stored.tokens_per_month,
        money_per_month_cents=stored.money_per_month_cents,
    )


def priority(number: int) -> Priority:
    """Returns the class with that number in the schema; unspecified reads as default."""
    return {int(sent): known for known, sent in _PRIORITIES.items()}.get(number, Priority.DEFAULT)


def replica(standing: Standing, catalog: Catalog, now_seconds: float) -> admin_pb2.Replica:
    """Returns the message of a replica; names by number where the catalog lost them."""
    known, load = standing.replica, standing.replica.load
    offset_seconds = known.clock_offset_seconds
    return admin_pb2.Replica(
        number=known.registration.replica,
        model=_model_name(known.registration.model, catalog),
        region=_region_name(known.registration.region, catalog),
        address=known.registration.address,
        state=int(standing.state),  # type: ignore[arg-type] # the enum's stub type is nominal
        running_requests=load.running_requests if load else None,
        waiting_requests=load.waiting_requests if load else None,
        in_flight_requests=known.in_flight,
        max_requests=known.registration.max_requests,
        kv_usage_permille=load.kv_usage_permille if load else None,
        report_age_milliseconds=round(standing.report_age_seconds * 1000),
        clock_offset_milliseconds=None if offset_seconds is None else round(offset_seconds * 1000),
        registered_at_seconds=round(now_seconds - standing.registered_for_seconds),
        tenant=known.registration.tenant,
    )


def batch_state(number: int, hold: Hold, catalog: Catalog) -> admin_pb2.BatchState:
    """Returns the message of what holds a model's batch requests back."""
    is_known = hold.waits.ttft_p95_seconds is not None
    return admin_pb2.BatchState(
        model=_model_name(number, catalog),
        held_by=int(hold.by),  # type: ignore[arg-type] # the enum's stub type is nominal
        peak_left_seconds=math.ceil(hold.left_seconds),
        interactive_ttft_p95_milliseconds=hold.p95_milliseconds if is_known else None,
        interactive_requests=hold.waits.samples,
    )


def _region_name(number: int, catalog: Catalog) -> str:
    region = catalog.region_by_number(number)
    return region.name if region else str(number)


def _model_name(number: int, catalog: Catalog) -> str:
    model = catalog.model_by_number(number)
    return model.name if model else str(number)
