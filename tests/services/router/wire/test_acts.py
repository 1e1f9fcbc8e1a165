"""Every method of AdminService is an act with an event, and none can be added without one."""

from typing import Any

import protovalidate
import pytest
from comptoir.router.v1 import admin_pb2
from comptoir.usage.v1 import usage_pb2
from google.protobuf.descriptor import MethodDescriptor

from services.contract.callers import caller_digest
from services.kernel.errors import Reason
from services.kernel.identity import Identity
from services.router.domain.acts import ActEvent, Caller, CallerKind, Stage, Subject
from services.router.wire.acts import admin_act, caller_of, deed_of, subject_number

METHODS = list(admin_pb2.DESCRIPTOR.services_by_name["AdminService"].methods)
EVERY = pytest.mark.parametrize("method", METHODS, ids=[method.name for method in METHODS])


@EVERY
def test_a_method_is_an_act_by_its_name_and_streams_nothing(method: MethodDescriptor) -> None:
    deed = deed_of(method.name)
    assert usage_pb2.Act.Name(deed.act).replace("_", "") == f"ACT{method.name.upper()}"  # type: ignore[arg-type]
    assert (method.client_streaming, method.server_streaming) == (False, False)


@EVERY
def test_what_a_method_is_about_has_a_number_in_its_request_or_its_answer(method: MethodDescriptor) -> None:
    deed = deed_of(method.name)
    if not deed.changes or deed.subject is Subject.UNSPECIFIED:
        return
    name = deed.subject.name.lower()
    asked, answered = method.input_type.fields_by_name, method.output_type.fields_by_name
    if "number" not in asked:
        about = answered[name].message_type
        assert about is not None
        assert "number" in about.fields_by_name


def test_a_method_without_a_name_among_the_acts_stops_the_start() -> None:
    with pytest.raises(LookupError, match="ACT_FORGET_EVERYTHING"):
        deed_of("ForgetEverything")


@pytest.mark.parametrize(
    ("rpc", "subject", "changes", "shows_somebody"),
    [
        ("CreateTenant", Subject.TENANT, True, True),
        ("ListKeys", Subject.KEY, False, True),
        ("RevokeKey", Subject.KEY, True, True),
        ("ListReplicas", Subject.REPLICA, False, False),
        ("DrainReplica", Subject.REPLICA, True, False),
        ("GetCatalog", Subject.UNSPECIFIED, False, False),
    ],
)
def test_a_name_says_what_it_changes_and_whom_it_shows(
    rpc: str, subject: Subject, changes: bool, shows_somebody: bool
) -> None:
    deed = deed_of(rpc)
    assert (deed.subject, deed.changes, deed.shows_somebody) == (subject, changes, shows_somebody)


@pytest.mark.parametrize(
    ("rpc", "message", "number"),
    [
        ("RevokeKey", admin_pb2.RevokeKeyRequest(number=7), 7),
        ("CreateKey", admin_pb2.CreateKeyRequest(tenant="acme"), 0),
        ("CreateKey", admin_pb2.CreateKeyResponse(key=admin_pb2.Key(number=7, tenant=3)), 7),
        ("CreateTenant", admin_pb2.CreateTenantResponse(tenant=admin_pb2.Tenant(number=3)), 3),
        ("ListKeys", admin_pb2.ListKeysResponse(keys=[admin_pb2.Key(number=7)]), 0),
    ],
)
def test_the_number_of_what_an_act_is_about_is_found(rpc: str, message: Any, number: int) -> None:
    assert subject_number(deed_of(rpc), message) == number


def test_a_caller_is_the_owner_of_the_socket_or_the_name_in_a_certificate() -> None:
    assert caller_of(None, owner=1000) == Caller(CallerKind.SOCKET, 1000)
    named = caller_of(("", "ops.example.eu", "other"), owner=1000)
    assert named == Caller(CallerKind.CERTIFICATE, caller_digest("ops.example.eu"))
    assert 0 < named.number < 2**64


def test_an_event_keeps_every_number_and_obeys_the_schema() -> None:
    deed = deed_of("RevokeKey")
    event = ActEvent(
        Identity(1, 2), Identity(3, 4), 5, 6, 1_790_000_000_000_000, 8, deed, Stage.REFUSED,
        Reason.CALLER_NOT_ALLOWED, Caller(CallerKind.CERTIFICATE, 9), 10, 11,
    )  # fmt: skip
    message = admin_act(event)
    protovalidate.validate(message)
    assert (message.event_id_high, message.event_id_low) == (1, 2)
    assert (message.request_id_high, message.request_id_low) == (3, 4)
    assert (message.region, message.config_digest, message.duration_microseconds) == (5, 6, 8)
    assert (message.act, message.stage, message.reason) == (usage_pb2.ACT_REVOKE_KEY, 3, 32)
    assert (message.caller_kind, message.caller) == (usage_pb2.CALLER_KIND_CERTIFICATE, 9)
    assert (message.subject, message.subject_number, message.requests) == (usage_pb2.SUBJECT_KEY, 10, 11)
    # A pseudonym beside the number would say whose it is.
    assert (message.tenant_low, message.key_low) == (0, 0)


@pytest.mark.parametrize(
    ("names", "schema"),
    [
        (Stage, usage_pb2.ActStage),
        (CallerKind, usage_pb2.CallerKind),
        (Subject, usage_pb2.Subject),
    ],
)
def test_the_words_of_the_domain_are_those_of_the_schema(names: Any, schema: Any) -> None:
    stored = {
        name.removeprefix(schema.Name(0).removesuffix("UNSPECIFIED")): number
        for name, number in schema.items()
    }
    assert {one.name: int(one) for one in names}.items() <= stored.items()
