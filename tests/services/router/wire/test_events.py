"""Events carry what the domain says, field by field, and numbers only."""

import dataclasses

import protovalidate
import pytest
from comptoir.usage.v1 import usage_pb2

from services.kernel.errors import Reason
from services.kernel.identity import Identity
from services.router.domain.events import AdmissionEvent
from services.router.wire import events as wire

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
    requests=17,
)


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
