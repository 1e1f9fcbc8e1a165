"""Messages carry what the domain says, field by field, and events carry numbers only."""

import dataclasses

import protovalidate
import pytest
from comptoir.router.v1 import replica_pb2, router_pb2
from comptoir.ticket.v1 import ticket_pb2
from comptoir.usage.v1 import usage_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import Reason
from services.kernel.identity import Identity
from services.router.domain.events import AdmissionEvent
from services.router.domain.lease import Process, Settlement
from services.router.domain.placement import Load, Registration
from services.router.domain.tenancy import Priority
from services.router.domain.ticket import TicketClaims
from services.router.wire import admission as wire

NUMBERS = st.integers(min_value=0, max_value=2**32 - 1)
IDENTITIES = st.builds(Identity, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
EVENT = AdmissionEvent(
    event_id=Identity(1, 2),
    request_id=Identity(3, 4),
    region=5,
    home_region=6,
    config_digest=7,
    tenant=8,
    key=9,
    started_at_microseconds=1_790_000_000_000_000,
    duration_microseconds=10,
    reason=Reason.UNSPECIFIED,
    model=11,
    priority=12,
    replica=13,
    reserved_tokens=14,
    max_output_tokens=15,
    predicted_kv_blocks=16,
    tickets=3,
)


@given(
    st.builds(
        TicketClaims,
        **{
            field.name: IDENTITIES if field.name.endswith("_id") else NUMBERS
            for field in dataclasses.fields(TicketClaims)
        },
    )
)
def test_claims_travel_whole(claims: TicketClaims) -> None:
    message = ticket_pb2.TicketClaims.FromString(wire.claims_bytes(claims))
    for field in dataclasses.fields(claims):
        value = getattr(claims, field.name)
        if isinstance(value, Identity):
            assert (getattr(message, f"{field.name}_high"), getattr(message, f"{field.name}_low")) == value
        else:
            assert getattr(message, field.name) == value
    assert len(wire.claims_bytes(claims)) <= 512


def test_an_admission_event_keeps_every_number_and_obeys_the_schema() -> None:
    message = wire.admission_event(EVENT)
    protovalidate.validate(message)
    for field in dataclasses.fields(EVENT):
        name = {"tenant": "tenant_low", "key": "key_low"}.get(field.name, field.name)
        value = getattr(EVENT, field.name)
        if isinstance(value, Identity):
            assert (getattr(message, f"{name}_high"), getattr(message, f"{name}_low")) == value
        else:
            assert getattr(message, name) == value
    assert (message.decision, message.schema_version) == (usage_pb2.DECISION_ADMITTED, 1)
    assert (message.tenant_high, message.key_high, message.key_epoch, message.producer_sequence) == (
        0,
        0,
        0,
        0,
    )


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.UNSPECIFIED])
def test_every_reason_of_a_refusal_can_be_recorded(reason: Reason) -> None:
    message = wire.admission_event(dataclasses.replace(EVENT, reason=reason, replica=0, tickets=0))
    protovalidate.validate(message)
    assert (message.decision, message.reason) == (usage_pb2.DECISION_REFUSED, int(reason))


def test_a_request_is_read_whole() -> None:
    request = wire.admit_request(
        router_pb2.AdmitRequest(
            api_key="k",
            model="m",
            prompt_tokens_upper_bound=1,
            max_output_tokens=2,
            priority=router_pb2.PRIORITY_BATCH,
            request_id_high=3,
            request_id_low=4,
        )
    )
    assert dataclasses.astuple(request) == ("k", "m", 1, 2, Priority.BATCH, Identity(3, 4))


def test_every_priority_of_the_schema_is_known() -> None:
    for priority in router_pb2.Priority.values():
        assert wire.admit_request(router_pb2.AdmitRequest(priority=priority)).priority in Priority


def test_a_registration_and_a_load_are_read_whole() -> None:
    registration = replica_pb2.Registration(
        replica=1,
        region=2,
        model=3,
        address="127.0.0.1:4",
        context_tokens=5,
        kv_block_tokens=6,
        kv_blocks=7,
        max_requests=8,
        incarnation=9,
    )
    assert wire.registration(registration) == Registration(1, 2, 3, "127.0.0.1:4", 5, 6, 7, 8, 9)
    load = replica_pb2.Load(
        running_requests=1, waiting_requests=2, kv_usage_permille=3, age_milliseconds=1_500, is_draining=True
    )
    assert wire.load(load) == Load(1, 2, 3, 1.5, is_draining=True)


def test_a_settlement_is_read_whole_and_a_report_is_confirmed_whole() -> None:
    message = replica_pb2.Settlement(
        lease_id_high=1,
        lease_id_low=2,
        input_tokens=3,
        output_tokens=4,
        ticket_id_high=5,
        ticket_id_low=6,
        key=7,
        is_unserved=True,
    )
    assert wire.settlement(message, Process(8, 9)) == Settlement(
        Identity(1, 2), Identity(5, 6), 7, 7, Process(8, 9), is_unserved=True
    )
    acceptance = replica_pb2.Acceptance(lease_id_high=10, lease_id_low=11)
    response = wire.report_response(
        replica_pb2.ReportRequest(settlements=[message], acceptances=[acceptance])
    )
    assert [(lease.high, lease.low) for lease in response.closed] == [(1, 2)]
    assert [(lease.high, lease.low) for lease in response.accepted] == [(10, 11)]
