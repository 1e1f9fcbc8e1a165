"""Events as producers send them, for the emitter's tests."""

import random
from collections.abc import Callable
from typing import Any

from comptoir.emitter.v1.emitter_pb2 import RecordRequest
from comptoir.usage.v1 import usage_pb2
from google.protobuf.message import Message

from services.contract.events import Kind
from services.runtime.event_messages import EVENT_TYPES, request_of
from tests.contracts.frames import least_of

STARTED = 1_790_000_000_000_000


def _common(**fields: Any) -> dict[str, Any]:
    return {
        "event_id_high": random.getrandbits(64),
        "event_id_low": random.getrandbits(64),
        "schema_version": 1,
        "request_id_high": random.getrandbits(64),
        "request_id_low": random.getrandbits(64),
        "region": 1,
        "tenant_low": 5,
        "key_low": 9,
        "started_at_microseconds": STARTED,
        "model": 1,
        **fields,
    }


def admission(**fields: Any) -> usage_pb2.Admission:
    return usage_pb2.Admission(**_common(decision=1) | fields)


def generation(**fields: Any) -> usage_pb2.Generation:
    return usage_pb2.Generation(**_common(outcome=1, input_tokens=300, output_tokens=200) | fields)


def edge_request(**fields: Any) -> usage_pb2.EdgeRequest:
    return usage_pb2.EdgeRequest(**_common(endpoint=1, http_status=200) | fields)


def replica_load(**fields: Any) -> usage_pb2.ReplicaLoad:
    return usage_pb2.ReplicaLoad(**_common(replica=1, tenant_low=0, key_low=0) | fields)


_WITH_COUNTS: dict[Kind, Callable[[], Message]] = {
    Kind.ADMISSION: admission,
    Kind.GENERATION: generation,
    Kind.EDGE_REQUEST: edge_request,
    Kind.REPLICA_LOAD: replica_load,
}


def one_of_each() -> RecordRequest:
    return request_of([_WITH_COUNTS[kind]() if kind in _WITH_COUNTS else least(kind) for kind in Kind])


def least(kind: Kind, **fields: Any) -> Message:
    """An event of a kind with as little as it may hold."""
    known = EVENT_TYPES[kind].DESCRIPTOR.fields_by_name
    common = {name: number for name, number in _common().items() if name in known}
    event: Message = EVENT_TYPES[kind](**{**common, **least_of(kind), **fields})
    return event
