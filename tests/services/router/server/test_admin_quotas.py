"""AdminService: what keys of a tenant may use together is created, shown, changed whole and recorded."""

import grpc
import pytest
from comptoir.router.v1 import admin_pb2
from comptoir.router.v1.admin_pb2 import (
    CreateKeyRequest,
    CreateTenantRequest,
    GetKeyRequest,
    GetTenantRequest,
    ListTenantsRequest,
    UpdateTenantRequest,
)
from comptoir.usage.v1 import usage_pb2

from services.kernel.errors import Reason
from tests.fakes.running_router import RunningRouter, refused

LARGEST = admin_pb2.Quota(
    requests_per_minute=2**32 - 1,
    tokens_per_minute=2**32 - 1,
    concurrency=2**32 - 1,
    tokens_per_day=2**48 - 1,
    tokens_per_month=2**48 - 1,
    money_per_month_cents=899_999_999,
)


async def test_a_tenant_is_created_without_a_limit_or_with_its_own(running: RunningRouter) -> None:
    free = (await running.admin.CreateTenant(CreateTenantRequest(name="free"))).tenant
    limited = (await running.admin.CreateTenant(CreateTenantRequest(name="limited", quota=LARGEST))).tenant
    assert (free.quota, limited.quota, limited.currency) == (admin_pb2.Quota(), LARGEST, "EUR")
    assert list((await running.admin.ListTenants(ListTenantsRequest())).tenants) == [free, limited]


async def test_an_update_gives_a_tenant_a_whole_quota_or_leaves_it(running: RunningRouter) -> None:
    await running.admin.CreateTenant(CreateTenantRequest(name="acme", quota=LARGEST))
    kept = await running.admin.UpdateTenant(UpdateTenantRequest(name="acme"))
    assert kept.tenant.quota == LARGEST
    wanted = admin_pb2.Quota(tokens_per_day=5)
    changed = await running.admin.UpdateTenant(UpdateTenantRequest(name="acme", quota=wanted))
    assert changed.tenant.quota == wanted
    assert (await running.admin.GetTenant(GetTenantRequest(name="acme"))).tenant == changed.tenant


async def test_a_change_of_a_tenants_quota_is_recorded_by_its_number(running: RunningRouter) -> None:
    number = (await running.admin.CreateTenant(CreateTenantRequest(name="acme"))).tenant.number
    await running.admin.UpdateTenant(UpdateTenantRequest(name="acme", quota=LARGEST))
    assert (
        [
            (usage_pb2.Act.Name(act.deed.act), act.subject_number)  # type: ignore[arg-type]
            for act in running.log.acts[-2:]
        ]
        == [("ACT_UPDATE_TENANT", 0), ("ACT_UPDATE_TENANT", number)]
    )


@pytest.mark.parametrize("number", [1, 2])
async def test_the_largest_limits_of_a_key_come_back_as_they_went(
    running: RunningRouter, number: int
) -> None:
    await running.key("acme")
    await running.admin.CreateKey(CreateKeyRequest(tenant="acme", quota=LARGEST))
    shown = (await running.admin.GetKey(GetKeyRequest(number=number))).key
    assert (shown.quota == LARGEST, shown.currency) == (number == 2, "EUR")


@pytest.mark.parametrize(
    ("quota", "field"),
    [
        (admin_pb2.Quota(tokens_per_day=2**48), "quota.tokens_per_day"),
        (admin_pb2.Quota(tokens_per_month=2**48), "quota.tokens_per_month"),
        (admin_pb2.Quota(money_per_month_cents=900_000_000), "quota.money_per_month_cents"),
    ],
)
async def test_a_limit_beyond_what_is_counted_exactly_is_refused_by_field(
    running: RunningRouter, quota: admin_pb2.Quota, field: str
) -> None:
    await running.admin.CreateTenant(CreateTenantRequest(name="acme"))
    for call in (
        running.admin.UpdateTenant(UpdateTenantRequest(name="acme", quota=quota)),
        running.admin.CreateTenant(CreateTenantRequest(name="other", quota=quota)),
        running.admin.CreateKey(CreateKeyRequest(tenant="acme", quota=quota)),
    ):
        error = await refused(call)
        assert (error.reason, error.field) == (Reason.REQUEST_INVALID, field)


async def test_a_tenant_that_does_not_exist_is_not_found(running: RunningRouter) -> None:
    for request in (UpdateTenantRequest(name="nobody"), UpdateTenantRequest(name="nobody", quota=LARGEST)):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await running.admin.UpdateTenant(request)
        assert failure.value.code() is grpc.StatusCode.NOT_FOUND
