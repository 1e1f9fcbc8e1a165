"""What operators do is recorded before it is done, and what they are refused; nothing is done unrecorded."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from comptoir.router.v1 import admin_pb2, admin_pb2_grpc
from comptoir.router.v1.admin_pb2 import (
    CreateKeyRequest,
    CreateTenantRequest,
    ListKeysRequest,
    ListReplicasRequest,
    ListTenantsRequest,
    RevokeKeyRequest,
)
from comptoir.usage.v1 import usage_pb2

from services.contract.callers import caller_digest
from services.kernel.errors import ComptoirError, Reason
from services.router.adapters.sql_keys import SqlKeys
from services.router.domain.acts import ActEvent, Caller, CallerKind, Stage
from services.router.server.audit import AuditedCall
from services.runtime.addresses import GrpcTarget
from services.runtime.grpc.server import channel
from tests.contracts.engine_requests import until
from tests.fakes.running_router import RunningRouter, refused, running_router, settings_in
from tests.ports import free_port
from tests.services.runtime.certificates import Authority

ASKED, DONE, REFUSED = Stage.ASKED, Stage.DONE, Stage.REFUSED


def told(acts: list[ActEvent]) -> list[tuple[str, Stage, int, Reason]]:
    """The acts in words."""
    return [
        (usage_pb2.Act.Name(act.deed.act), act.stage, act.subject_number, act.reason)  # type: ignore[arg-type]
        for act in acts
    ]


async def test_a_change_is_recorded_before_and_after_with_the_number_that_it_got(
    running: RunningRouter,
) -> None:
    await running.admin.CreateTenant(CreateTenantRequest(name="acme"))
    key = (await running.admin.CreateKey(CreateKeyRequest(tenant="acme"))).key
    await running.admin.RevokeKey(RevokeKeyRequest(number=key.number))
    none = Reason.UNSPECIFIED
    assert told(running.log.acts) == [
        ("ACT_CREATE_TENANT", ASKED, 0, none),
        ("ACT_CREATE_TENANT", DONE, key.tenant, none),
        ("ACT_CREATE_KEY", ASKED, 0, none),
        ("ACT_CREATE_KEY", DONE, key.number, none),
        ("ACT_REVOKE_KEY", ASKED, key.number, none),
        ("ACT_REVOKE_KEY", DONE, key.number, none),
    ]
    ids = [act.act_id for act in running.log.acts]
    assert ids[::2] == ids[1::2]
    assert len(set(ids)) == 3
    assert len({act.event_id for act in running.log.acts}) == 6


async def test_who_comes_over_the_socket_is_its_owner(running: RunningRouter) -> None:
    await running.admin.ListReplicas(ListReplicasRequest())
    (act,) = running.log.acts
    assert act.caller == Caller(CallerKind.SOCKET, os.getuid())
    assert act.region == 1


async def test_what_is_shown_of_tenants_and_keys_is_recorded_once(running: RunningRouter) -> None:
    await running.admin.ListTenants(ListTenantsRequest())
    await running.admin.ListKeys(ListKeysRequest())
    assert told(running.log.acts) == [
        ("ACT_LIST_TENANTS", DONE, 0, Reason.UNSPECIFIED),
        ("ACT_LIST_KEYS", DONE, 0, Reason.UNSPECIFIED),
    ]


async def test_what_cannot_be_recorded_is_not_done_and_nothing_of_anybody_is_shown(
    running: RunningRouter,
) -> None:
    api_key = await running.key()
    number = (await running.admin.ListKeys(ListKeysRequest())).keys[0].number
    running.log.failure = ComptoirError(Reason.USAGE_NOT_RECORDED)
    for call in (
        running.admin.RevokeKey(RevokeKeyRequest(number=number)),
        running.admin.CreateTenant(CreateTenantRequest(name="other")),
        running.admin.ListKeys(ListKeysRequest()),
        running.admin.ListTenants(ListTenantsRequest()),
    ):
        assert (await refused(call)).reason is Reason.USAGE_NOT_RECORDED
    # Replicas are nobody's, and `comptoir status` asks for them when the emitter is away.
    await running.admin.ListReplicas(ListReplicasRequest())
    running.log.failure = None
    assert len((await running.admin.ListTenants(ListTenantsRequest())).tenants) == 1
    assert (await running.admin.ListKeys(ListKeysRequest())).keys[0].revoked_at_seconds == 0
    assert api_key


async def test_an_act_that_fails_says_why(running: RunningRouter) -> None:
    assert (await refused(running.admin.RevokeKey(RevokeKeyRequest(number=9)))).reason is Reason.NOT_FOUND
    assert told(running.log.acts) == [
        ("ACT_REVOKE_KEY", ASKED, 9, Reason.UNSPECIFIED),
        ("ACT_REVOKE_KEY", REFUSED, 9, Reason.NOT_FOUND),
    ]


async def test_a_change_whose_caller_goes_away_while_it_is_made_is_not_told_as_refused(
    running: RunningRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_begun, may_end, has_ended = threading.Event(), threading.Event(), asyncio.Event()
    change, fail = SqlKeys._change, AuditedCall.fail

    async def slow(store: SqlKeys, work: Any) -> Any:
        def begun(session: Any) -> Any:
            is_begun.set()
            assert may_end.wait(10)
            return work(session)

        return await change(store, begun)

    def failed(call: AuditedCall, error: BaseException) -> None:
        fail(call, error)
        has_ended.set()

    monkeypatch.setattr(SqlKeys, "_change", slow)
    monkeypatch.setattr(AuditedCall, "fail", failed)
    call = running.admin.CreateTenant(CreateTenantRequest(name="acme"))
    assert await asyncio.to_thread(is_begun.wait, 10)
    call.cancel()
    await asyncio.wait_for(has_ended.wait(), 10)
    may_end.set()
    for _ in range(1_000):
        if (await running.admin.ListTenants(ListTenantsRequest())).tenants:
            break
        await asyncio.sleep(0.01)
    else:
        raise AssertionError("the tenant is never there")
    changes = [act for act in told(running.log.acts) if act[0] == "ACT_CREATE_TENANT"]
    assert changes == [("ACT_CREATE_TENANT", ASKED, 0, Reason.UNSPECIFIED)]


async def test_calls_that_break_a_rule_are_recorded_and_those_that_are_alike_as_one(
    running: RunningRouter,
) -> None:
    calls = 100
    for _ in range(calls):
        await refused(running.admin.CreateTenant(CreateTenantRequest(name="NOT A NAME")))
    await until(lambda: sum(act.requests for act in running.log.acts) == calls, 20)
    assert set(told(running.log.acts)) == {("ACT_CREATE_TENANT", REFUSED, 0, Reason.REQUEST_INVALID)}
    # One for each second that it took.
    assert len(running.log.acts) < calls / 2


async def test_who_may_not_call_is_recorded_by_the_digest_of_its_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    listen = {
        "address": f"127.0.0.1:{free_port()}",
        "tls": authority.files("router").model_dump(),
        "callers": {"AdminService": ["operator"]},
    }
    settings = settings_in(tmp_path, admin_listen=listen)
    async with running_router(settings, admin_tls=authority.files("operator")) as running:
        target = GrpcTarget(address=settings.admin_listen.address, tls=authority.files("generator-7"))
        async with channel(target) as connection:
            stub: admin_pb2_grpc.AdminServiceAsyncStub = admin_pb2_grpc.AdminServiceStub(connection)
            await asyncio.wait_for(connection.channel_ready(), 10)
            call = stub.CreateTenant(admin_pb2.CreateTenantRequest(name="mine"))
            assert (await refused(call)).reason is Reason.CALLER_NOT_ALLOWED
        await until(lambda: bool(running.log.acts), 10)
        (act,) = running.log.acts
        assert told([act]) == [("ACT_CREATE_TENANT", REFUSED, 0, Reason.CALLER_NOT_ALLOWED)]
        assert act.caller == Caller(CallerKind.CERTIFICATE, caller_digest("generator-7"))


async def test_an_act_is_of_the_name_that_may_call_and_not_of_one_that_all_operators_have(
    tmp_path: Path,
) -> None:
    authority, address = Authority(tmp_path / "authority"), f"127.0.0.1:{free_port()}"
    callers = {"AdminService": ["spiffe://example/*"]}
    listen = {"address": address, "tls": authority.files("router").model_dump(), "callers": callers}
    ada = authority.files("operators", uri="spiffe://example/ada")
    async with running_router(settings_in(tmp_path, admin_listen=listen), admin_tls=ada) as running:
        await running.admin.CreateTenant(CreateTenantRequest(name="acme"))
        assert {act.caller for act in running.log.acts} == {
            Caller(CallerKind.CERTIFICATE, caller_digest("spiffe://example/ada"))
        }
