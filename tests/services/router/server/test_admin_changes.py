"""AdminService: what operators change of tenants and keys holds for the next request."""

from typing import Any

import pytest
from comptoir.router.v1 import admin_pb2, router_pb2
from comptoir.router.v1.admin_pb2 import (
    CreateKeyRequest,
    CreateTenantRequest,
    DeleteKeyRequest,
    DeleteTenantRequest,
    DisableKeyRequest,
    DisableTenantRequest,
    EnableKeyRequest,
    EnableTenantRequest,
    GetCatalogRequest,
    GetKeyRequest,
    GetTenantRequest,
    ListKeysRequest,
    ListTenantsRequest,
    RevokeKeyRequest,
    RotateKeyRequest,
    UpdateKeyRequest,
)

from services.kernel.api_keys import make_key
from services.kernel.catalog import Catalog
from services.kernel.errors import Reason
from services.kernel.identity import digest64
from services.router.adapters.key_database import on_file
from services.router.adapters.sql_keys import SqlKeys
from services.router.settings import RouterSettings
from tests.fakes.running_router import RunningRouter, admit, refused, running_router

MADE_ELSEWHERE = make_key("eu-fr", b"elsewhere 16 byt")


async def why_refused(running: RunningRouter, api_key: str) -> Reason:
    return (await refused(running.router.Admit(admit(api_key)))).reason


async def test_a_key_is_disabled_and_enabled(running: RunningRouter) -> None:
    api_key = await running.key()
    async with running.replica():
        await running.router.Admit(admit(api_key))
        assert (await running.admin.DisableKey(DisableKeyRequest(number=1))).key.is_disabled
        assert await why_refused(running, api_key) is Reason.KEY_DISABLED
        assert not (await running.admin.EnableKey(EnableKeyRequest(number=1))).key.is_disabled
        await running.router.Admit(admit(api_key))


async def test_a_tenant_is_disabled_and_enabled_with_all_its_keys(running: RunningRouter) -> None:
    api_key = await running.key()
    tenant = (await running.admin.ListTenants(ListTenantsRequest())).tenants[0]
    async with running.replica():
        await running.router.Admit(admit(api_key))
        disabled = await running.admin.DisableTenant(DisableTenantRequest(name=tenant.name))
        assert disabled.tenant.is_disabled
        assert disabled.tenant == (await running.admin.GetTenant(GetTenantRequest(name=tenant.name))).tenant
        assert await why_refused(running, api_key) is Reason.TENANT_DISABLED
        await running.admin.EnableTenant(EnableTenantRequest(name=tenant.name))
        await running.router.Admit(admit(api_key))


async def test_after_a_rotation_both_secrets_serve_until_the_overlap_is_over(running: RunningRouter) -> None:
    old = await running.key()
    rotated = await running.admin.RotateKey(RotateKeyRequest(number=1, overlap_seconds=60))
    assert rotated.key.number == 1
    assert rotated.key.previous_until_seconds == 1_790_000_060
    async with running.replica():
        for api_key in (old, rotated.api_key):
            await running.router.Admit(admit(api_key))
            assert (await running.admin.GetKey(GetKeyRequest(api_key=api_key))).key == rotated.key
        again = await running.admin.RotateKey(RotateKeyRequest(number=1))
        assert await why_refused(running, old) is Reason.KEY_INVALID
        assert await why_refused(running, rotated.api_key) is Reason.KEY_EXPIRED
        await running.router.Admit(admit(again.api_key))


async def test_a_rotation_during_the_overlap_of_the_last_one_is_refused_unless_it_is_to_end(
    running: RunningRouter,
) -> None:
    old = await running.key()
    first = await running.admin.RotateKey(RotateKeyRequest(number=1, overlap_seconds=60))
    error = await refused(running.admin.RotateKey(RotateKeyRequest(number=1, overlap_seconds=3600)))
    assert (error.reason, error.numbers.limit) == (Reason.OVERLAP_NOT_OVER, 1_790_000_060)
    async with running.replica():
        for api_key in (old, first.api_key):
            await running.router.Admit(admit(api_key))
        forced = RotateKeyRequest(number=1, overlap_seconds=3600, ends_earlier=True)
        second = await running.admin.RotateKey(forced)
        assert await why_refused(running, old) is Reason.KEY_INVALID
        for api_key in (first.api_key, second.api_key):
            await running.router.Admit(admit(api_key))


async def test_an_update_changes_what_it_names(running: RunningRouter) -> None:
    api_key = await running.key()
    before = (await running.admin.GetKey(GetKeyRequest(number=1))).key
    scoped = UpdateKeyRequest(
        number=1,
        label="ci",
        models=admin_pb2.ModelScope(names=["other-eu"]),
        endpoints=admin_pb2.EndpointScope(endpoints=[router_pb2.ENDPOINT_EMBEDDINGS]),
        regions=admin_pb2.RegionScope(names=["eu-de"]),
    )
    after = (await running.admin.UpdateKey(scoped)).key
    assert (after.label, list(after.models), list(after.regions)) == ("ci", ["other-eu"], ["eu-de"])
    assert list(after.endpoints) == [router_pb2.ENDPOINT_EMBEDDINGS]
    assert (after.quota, after.best_priority, after.expires_at_seconds) == (
        before.quota,
        before.best_priority,
        before.expires_at_seconds,
    )
    assert await why_refused(running, api_key) is Reason.REGION_NOT_ALLOWED
    await running.admin.UpdateKey(UpdateKeyRequest(number=1, regions=admin_pb2.RegionScope()))
    assert await why_refused(running, api_key) is Reason.ENDPOINT_NOT_ALLOWED
    await running.admin.UpdateKey(UpdateKeyRequest(number=1, endpoints=admin_pb2.EndpointScope()))
    assert await why_refused(running, api_key) is Reason.MODEL_NOT_FOUND
    limits = UpdateKeyRequest(
        number=1,
        models=admin_pb2.ModelScope(),
        quota=admin_pb2.Quota(concurrency=3),
        best_priority=router_pb2.PRIORITY_BATCH,
        expires_at_seconds=1_790_000_100,
    )
    limited = (await running.admin.UpdateKey(limits)).key
    assert (limited.label, limited.quota, limited.best_priority) == (
        "ci",
        admin_pb2.Quota(concurrency=3),
        router_pb2.PRIORITY_BATCH,
    )
    assert limited.expires_at_seconds == 1_790_000_100


async def test_a_deleted_key_is_unknown_and_its_tenant_can_go_then(running: RunningRouter) -> None:
    api_key = await running.key("acme")
    error = await refused(running.admin.DeleteTenant(DeleteTenantRequest(name="acme")))
    assert error.reason is Reason.TENANT_HAS_KEYS
    assert (await running.admin.DeleteKey(DeleteKeyRequest(number=1))).key.number == 1
    assert await why_refused(running, api_key) is Reason.KEY_INVALID
    assert (await running.admin.DeleteTenant(DeleteTenantRequest(name="acme"))).tenant.name == "acme"
    await running.key("acme")
    (key,) = (await running.admin.ListKeys(ListKeysRequest())).keys
    assert (key.number, key.tenant) == (2, 2)


async def test_lists_come_in_pages_that_are_whole_together(running: RunningRouter) -> None:
    for name in ("a", "b", "c"):
        await running.admin.CreateTenant(CreateTenantRequest(name=name))
        await running.admin.CreateKey(CreateKeyRequest(tenant=name))
    for size in (1, 2, 3, 4):
        keys, tenants = ListKeysRequest(page_size=size), ListTenantsRequest(page_size=size)
        assert await all_of(running.admin.ListKeys, keys, "keys") == [1, 2, 3]
        assert await all_of(running.admin.ListTenants, tenants, "tenants") == [1, 2, 3]


async def all_of(method: Any, request: Any, name: str) -> list[int]:
    numbers = []
    while True:
        answer = await method(request)
        listed = getattr(answer, name)
        assert len(listed) <= request.page_size
        numbers += [each.number for each in listed]
        if not answer.next_page_token:
            return numbers
        request.page_token = answer.next_page_token


async def test_a_secret_that_was_made_elsewhere_serves_and_is_not_shown_again(running: RunningRouter) -> None:
    await running.admin.CreateTenant(CreateTenantRequest(name="acme"))
    request = CreateKeyRequest(tenant="acme", api_key=MADE_ELSEWHERE)
    created = await running.admin.CreateKey(request)
    assert created.api_key == ""
    assert MADE_ELSEWHERE[-20:] not in str(created)
    async with running.replica():
        await running.router.Admit(admit(MADE_ELSEWHERE))
    assert (await refused(running.admin.CreateKey(request))).reason is Reason.ALREADY_EXISTS


async def test_the_catalog_is_told_as_the_settings_have_it(running: RunningRouter) -> None:
    catalog = await running.admin.GetCatalog(GetCatalogRequest())
    # Whole, as the settings have it, so that a declared one can be compared with it.
    assert Catalog.model_validate_json(catalog.catalog_json) == running.settings.catalog
    assert catalog.catalog_digest == digest64(catalog.catalog_json.encode())
    assert catalog.region == "eu-fr"
    assert [(region.number, region.name, region.is_eu) for region in catalog.regions] == [
        (1, "eu-fr", True),
        (2, "eu-de", True),
    ]
    assert {model.name: model.context_tokens for model in catalog.models} == {"tiny-eu": 1024, "other-eu": 64}


async def test_an_hour_of_last_use_is_stored_when_the_router_ends(router_settings: RouterSettings) -> None:
    async with running_router(router_settings) as running:
        api_key = await running.key()
        async with running.replica():
            await running.router.Admit(admit(api_key))
        assert (await running.admin.GetKey(GetKeyRequest(number=1))).key.last_used_seconds == 0
    assert router_settings.database_file is not None
    store = SqlKeys(on_file(router_settings.database_file))
    assert (await store.key(1)).last_used_seconds == 1_789_999_200
    store.close()


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        (GetKeyRequest(number=99), Reason.NOT_FOUND, "number"),
        (GetKeyRequest(api_key=MADE_ELSEWHERE), Reason.NOT_FOUND, "api_key"),
        (GetTenantRequest(name="nobody"), Reason.NOT_FOUND, "tenant"),
        (CreateKeyRequest(tenant="acme", regions=["atlantis"]), Reason.NOT_FOUND, "regions"),
        (CreateKeyRequest(tenant="acme", api_key="cptr_eu-fr_x"), Reason.REQUEST_INVALID, "api_key"),
        (
            CreateKeyRequest(tenant="acme", api_key=make_key("eu-de", bytes(16))),
            Reason.REQUEST_INVALID,
            "api_key",
        ),
        (UpdateKeyRequest(number=2, expires_at_seconds=5), Reason.REQUEST_INVALID, "expires_at_seconds"),
        (
            UpdateKeyRequest(number=2, models=admin_pb2.ModelScope(names=["absent"])),
            Reason.NOT_FOUND,
            "models",
        ),
        # The first key is revoked, which is for ever.
        (UpdateKeyRequest(number=1, label="x"), Reason.REQUEST_INVALID, "number"),
        (RotateKeyRequest(number=1), Reason.REQUEST_INVALID, "number"),
        (EnableKeyRequest(number=1), Reason.REQUEST_INVALID, "number"),
        (ListKeysRequest(page_token="x"), Reason.REQUEST_INVALID, "page_token"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_change_that_makes_no_sense_is_refused_by_field(
    running: RunningRouter, request_: object, reason: Reason, field: str
) -> None:
    await running.key("acme")
    await running.admin.RevokeKey(RevokeKeyRequest(number=1))
    await running.admin.CreateKey(CreateKeyRequest(tenant="acme"))
    method = getattr(running.admin, type(request_).__name__.removesuffix("Request"))
    error = await refused(method(request_))
    assert (error.reason, error.field) == (reason, field)
