"""An event of each kind, handed to the emitter as any process does, is a row of its table."""

import random

import grpc
import pytest
from comptoir.emitter.v1 import emitter_pb2_grpc

from services.contract.events import Kind
from services.kernel.clock import SystemClock
from services.runtime.event_messages import request_of
from tests.services.emitter.requests import least
from tests.system.stack_process import Stack

pytestmark = pytest.mark.system


@pytest.mark.parametrize("kind", list(Kind))
def test_an_event_is_a_row_that_is_counted(stack: Stack, kind: Kind) -> None:
    high, low = random.getrandbits(64), random.getrandbits(64)
    now = SystemClock().wall_microseconds()
    event = least(kind, request_id_high=high, request_id_low=low, started_at_microseconds=now)
    with grpc.insecure_channel(stack.description["grpc"]["emitter"]) as channel:
        taken = emitter_pb2_grpc.EmitterServiceStub(channel).Record(request_of([event]), timeout=30)
    assert taken.accepted == 1
    row = stack.row_of(kind.table, f"{high:016x}{low:016x}")
    assert row["started_at_microseconds"] == now
    (counted,) = stack.rows(
        "SELECT last_sequence, missing_rows, double_rows FROM comptoir.completeness"
        " WHERE kind = {kind:String}",
        kind=kind.label,
    )
    assert counted["last_sequence"] >= row["producer_sequence"]
    assert (counted["missing_rows"], counted["double_rows"]) == (0, 0)
