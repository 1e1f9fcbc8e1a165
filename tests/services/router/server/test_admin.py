"""AdminService over its own socket: what operators create, list and revoke, and that it holds at once."""

import json
import stat

import grpc
import pytest
from comptoir.router.v1 import admin_pb2, admin_pb2_grpc, replica_pb2, router_pb2
from comptoir.router.v1.admin_pb2 import (
    CreateKeyRequest,
    CreateTenantRequest,
    ListKeysRequest,
    ListReplicasRequest,
    ListTenantsRequest,
    RevokeKeyRequest,
)

from services.kernel.errors import Reason
from services.router.domain.placement.replica import State
from services.runtime import logs
from services.runtime.addresses import GrpcTarget
from services.runtime.grpc.server import channel
from tests.fakes.running_router import RunningRouter, admit, refused


async def test_tenants_are_created_and_listed(running: RunningRouter) -> None:
    created = (await running.admin.CreateTenant(CreateTenantRequest(name="acme"))).tenant
    await running.admin.CreateTenant(CreateTenantRequest(name="other", home_region="eu-de"))
    assert (created.number, created.name, created.home_region) == (1, "acme", "eu-fr")
    assert created.created_at_seconds == 1_790_000_000
    listed = (await running.admin.ListTenants(ListTenantsRequest())).tenants
    assert [(tenant.number, tenant.home_region) for tenant in listed] == [(1, "eu-fr"), (2, "eu-de")]


async def test_keys_are_created_and_listed_without_their_secret(running: RunningRouter) -> None:
    await running.admin.CreateTenant(CreateTenantRequest(name="acme"))
    request = CreateKeyRequest(
        tenant="acme",
        label="laptop",
        models=["tiny-eu"],
        quota=admin_pb2.Quota(requests_per_minute=5),
        expires_at_seconds=1_800_000_000,
        best_priority=router_pb2.PRIORITY_BATCH,
    )
    created = await running.admin.CreateKey(request)
    assert created.api_key.startswith("cptr_eu-fr_")
    (listed,) = (await running.admin.ListKeys(ListKeysRequest(tenant="acme"))).keys
    assert listed == created.key
    assert (listed.tenant, listed.tenant_name, listed.label) == (1, "acme", "laptop")
    assert (list(listed.models), listed.quota.requests_per_minute) == (["tiny-eu"], 5)
    assert listed.best_priority == router_pb2.PRIORITY_BATCH
    assert created.api_key[-28:] not in str(listed)


async def test_a_key_without_a_quota_gets_the_default(running: RunningRouter) -> None:
    await running.key()
    (listed,) = (await running.admin.ListKeys(ListKeysRequest())).keys
    default = running.settings.default_quota
    assert listed.quota.requests_per_minute == default.requests_per_minute
    assert listed.quota.tokens_per_minute == default.tokens_per_minute
    assert listed.quota.concurrency == default.concurrency


async def test_a_revoked_key_is_refused_from_the_next_request_on(running: RunningRouter) -> None:
    api_key = await running.key()
    async with running.replica():
        await running.router.Admit(admit(api_key))
        revoked = (await running.admin.RevokeKey(RevokeKeyRequest(number=1))).key
        assert revoked.revoked_at_seconds == 1_790_000_000
        assert (await refused(running.router.Admit(admit(api_key)))).reason is Reason.KEY_INVALID


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        (CreateTenantRequest(name="acme"), Reason.ALREADY_EXISTS, ""),
        (CreateTenantRequest(name="Not A Name"), Reason.REQUEST_INVALID, "name"),
        (CreateTenantRequest(name="new", home_region="atlantis"), Reason.NOT_FOUND, "home_region"),
        (CreateKeyRequest(tenant="nobody"), Reason.NOT_FOUND, "tenant"),
        (CreateKeyRequest(tenant="acme", models=["absent"]), Reason.NOT_FOUND, "models"),
        (ListKeysRequest(tenant="nobody"), Reason.NOT_FOUND, "tenant"),
        (RevokeKeyRequest(number=99), Reason.NOT_FOUND, "number"),
        (RevokeKeyRequest(), Reason.REQUEST_INVALID, "number"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_field(
    running: RunningRouter, request_: object, reason: Reason, field: str
) -> None:
    await running.key("acme")
    method = getattr(running.admin, type(request_).__name__.removesuffix("Request"))
    error = await refused(method(request_))
    assert (error.reason, error.field) == (reason, field)


async def test_only_the_owner_may_connect(running: RunningRouter) -> None:
    socket = running.settings.pepper_file.parent / "admin"
    mode = socket.lstat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


async def test_the_edges_listener_does_not_administer(running: RunningRouter) -> None:
    async with channel(GrpcTarget(address=running.settings.listen.address)) as public:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await admin_pb2_grpc.AdminServiceStub(public).ListTenants(ListTenantsRequest())
    assert failure.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_replicas_are_listed_with_their_state_load_and_clock(running: RunningRouter) -> None:
    assert not (await running.admin.ListReplicas(ListReplicasRequest())).replicas
    sent_at = running.clock.wall_microseconds() - 10_000_000
    async with running.replica() as right, running.replica(replica=8, address="127.0.0.1:9") as wrong:
        load = replica_pb2.Load(running_requests=2, waiting_requests=1, kv_usage_permille=500)
        await right.say(load=load)
        await wrong.say(load=load, sent_at_microseconds=sent_at)
        running.clock.advance(2)
        await running.router.Admit(admit(await running.key()))
        first, second = (await running.admin.ListReplicas(ListReplicasRequest())).replicas
    assert first == admin_pb2.Replica(
        number=7,
        model="tiny-eu",
        region="eu-fr",
        address="127.0.0.1:8402",
        state=admin_pb2.REPLICA_STATE_READY,
        running_requests=2,
        waiting_requests=1,
        in_flight_requests=1,
        max_requests=8,
        kv_usage_permille=500,
        report_age_milliseconds=2_000,
        registered_at_seconds=1_790_000_000,
        tenant=0,
    )
    assert not first.HasField("clock_offset_milliseconds")
    assert (second.number, second.state) == (8, admin_pb2.REPLICA_STATE_CLOCK_WRONG)
    assert second.clock_offset_milliseconds == -10_000


def test_states_have_the_numbers_of_the_schema() -> None:
    for state in State:
        assert admin_pb2.ReplicaState.Name(state.value) == f"REPLICA_STATE_{state.name}"  # type: ignore[arg-type]


async def test_every_admin_call_leaves_lines_of_numbers_and_none_of_names(
    running: RunningRouter, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.configure("router", "info")
    await running.admin.CreateTenant(CreateTenantRequest(name="canary-tenant"))
    created = await running.admin.CreateKey(CreateKeyRequest(tenant="canary-tenant", label="canary-label"))
    await running.admin.RevokeKey(RevokeKeyRequest(number=created.key.number))
    await refused(running.admin.RevokeKey(RevokeKeyRequest(number=4_000)))
    said = capfd.readouterr().err
    assert "canary" not in said
    assert created.api_key[-28:] not in said
    found = [json.loads(line) for line in said.splitlines()]
    acts = [
        (line["event"], line.get("key_number"), line["tenant_number"])
        for line in found
        if "tenant_number" in line
    ]
    assert acts == [("tenant_created", None, 1), ("key_created", 1, 1), ("key_revoked", 1, 1)]
    calls = [
        (line["method"].rpartition("/")[2], line["grpc_status"]) for line in found if line["event"] == "call"
    ]
    assert calls == [
        ("CreateTenant", "OK"),
        ("CreateKey", "OK"),
        ("RevokeKey", "OK"),
        ("RevokeKey", "NOT_FOUND"),
    ]
