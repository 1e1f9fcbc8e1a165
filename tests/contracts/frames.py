"""Builds `frames.json`: one frame of every kind, bytes and meaning, for writers and readers of frames.

`python -m tests.contracts.frames` writes the file again; a test says when it is out of date.
"""

import json
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict

from pipelines.usage.wire import BOUNDS
from services.contract.events import Kind
from services.contract.frame import Frame, decode, seal
from services.runtime.event_messages import EVENT_TYPES, FRAME_TYPES

FILE = Path(__file__).with_suffix(".json")

PRODUCER_ID = 0xC0FFEE0123456789
_COMMON = {
    "schema_version": 1,
    "producer_id": PRODUCER_ID,
    "request_id_high": 0x0123456789ABCDEF,
    "request_id_low": 0xFEDCBA9876543210,
    "region": 1,
    "home_region": 2,
    "transfer_record": 7,
    "config_digest": 0x1111222233334444,
    "tenant_high": 0x5555666677778888,
    "tenant_low": 0x9999AAAABBBBCCCC,
    "key_high": 0xDDDDEEEEFFFF0000,
    "key_low": 0x0F0E0D0C0B0A0908,
    "key_epoch": 3,
    "started_at_microseconds": 1_790_000_000_123_456,
}
_CALL = {"model": 1, "replica": 4, "priority": 100}
# What the first event of a kind holds besides; a kind that is not listed holds the least that it may.
_OWN: dict[Kind, dict[str, int]] = {
    Kind.ADMISSION: {
        **_CALL,
        "decision": 1,
        "reserved_tokens": 812,
        "max_output_tokens": 512,
        "predicted_kv_blocks": 51,
        "tickets": 2,
        "duration_microseconds": 1_234,
    },
    Kind.GENERATION: {
        **_CALL,
        "outcome": 9,
        "reason": 14,
        "ticket_digest": 0x7766554433221100,
        "attempt": 1,
        "is_streamed": 1,
        "input_tokens": 300,
        "cached_input_tokens": 256,
        "output_tokens": 200,
        "predicted_kv_blocks": 51,
        "actual_kv_blocks": 32,
        "queue_microseconds": 1_000,
        "prefill_microseconds": 20_000,
        "ttft_microseconds": 40_000,
        "max_itl_microseconds": 30_000,
        "duration_microseconds": 4_000_000,
    },
    Kind.EDGE_REQUEST: {
        "endpoint": 1,
        "reason": 22,
        "model": 1,
        "http_status": 499,
        "is_streamed": 1,
        "is_client_cancelled": 1,
        "request_bytes": 2_048,
        "response_bytes": 2**40,
        "client_retry_count": 2,
        "admitted_microseconds": 3_000,
        "first_byte_microseconds": 50_000,
        "duration_microseconds": 4_100_000,
    },
    Kind.REPLICA_LOAD: {
        "model": 1,
        "replica": 4,
        "running_requests": 12,
        "waiting_requests": 3,
        "kv_usage_permille": 870,
        "output_tokens": 1_234,
        "preempted_requests": 1,
        "open_streams": 15,
        "unfinished_requests": 15,
        "accelerator_free_bytes": 2**36,
        "age_milliseconds": 40,
    },
}


def frame_of(kind: Kind, first_sequence: int = 2**33, count: int = 2) -> Frame:
    """A frame whose first event is full and whose others hold little."""
    events = []
    for index in range(count):
        sequence = first_sequence + index
        own = _OWN[kind] if index == 0 and kind in _OWN else least_of(kind)
        fields = {
            **_COMMON,
            **own,
            "event_id_high": kind.value,
            "event_id_low": 2**63 + index,
        }
        events.append(EVENT_TYPES[kind](**fields, producer_sequence=sequence).SerializeToString())
    return seal(kind, PRODUCER_ID, first_sequence, events)


def read(value: bytes) -> Frame:
    """The frame in `value`, of whatever kind its header says; FrameError if it is none."""
    return decode(value, kind=Kind(value[5]))


def least_of(kind: Kind) -> dict[str, int]:
    """The fields that may not be absent, with the least that each may be."""
    if kind is Kind.ADMISSION:
        return {"decision": 2, "reason": 9}
    members = {name: bounds.members for name, bounds in BOUNDS[kind].items() if bounds.members is not None}
    return {name: min(numbers) for name, numbers in members.items() if min(numbers)}


def document() -> dict[str, Any]:
    """What the file says."""
    return {
        "frames": [_described(frame_of(kind)) for kind in Kind],
        "broken": [{"rule": rule, "value": value.hex()} for rule, value in broken().items()],
    }


def broken() -> dict[str, bytes]:
    """Values that no reader may take for a frame, by the rule that each breaks."""
    value = frame_of(Kind.GENERATION).value
    return {
        "shorter than a header": value[:35],
        "not a frame": b"XPTR" + value[4:],
        "another header version": value[:4] + b"\x02" + value[5:],
        "an unknown kind": value[:5] + b"\x05" + value[6:],
        "another schema version": value[:6] + b"\x02\x00" + value[8:],
        "no events": value[:24] + bytes(4) + value[28:],
        "a length that is not the body's": value[:28] + b"\x01" + value[29:],
        "a body that was cut": value[:-1],
        "a body with bytes behind it": value + b"\x00",
        "a checksum that is not the body's": value[:-1] + bytes([value[-1] ^ 1]),
    }


def _described(frame: Frame) -> dict[str, Any]:
    fields = MessageToDict(
        FRAME_TYPES[frame.kind].FromString(frame.body),
        preserving_proto_field_name=True,
        use_integers_for_enums=True,
    )
    return {
        "kind": frame.kind.value,
        "producer_id": f"{frame.producer_id:016x}",
        "first_sequence": frame.first_sequence,
        "count": frame.count,
        "crc": f"{frame.crc:08x}",
        "insert_token": frame.token,
        "kafka_key": frame.producer_id.to_bytes(8, "big").hex(),
        "value": frame.value.hex(),
        "events": fields["events"],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(document(), indent=2) + "\n", encoding="ascii")
