"""Events as producers send them, for the emitter's tests."""

import random
from typing import Any

from comptoir.emitter.v1.emitter_pb2 import RecordRequest
from comptoir.usage.v1 import usage_pb2

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


def one_of_each() -> RecordRequest:
    return RecordRequest(
        admissions=[admission()],
        generations=[generation()],
        edge_requests=[edge_request()],
        replica_loads=[replica_load()],
    )
