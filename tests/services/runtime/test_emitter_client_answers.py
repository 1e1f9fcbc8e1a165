"""Answers of the emitter that come in one message, or while this process stands still."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from comptoir.emitter.v1 import emitter_pb2
from comptoir.usage.v1 import usage_pb2

from services.kernel.clock import ManualClock, SystemClock
from services.kernel.errors import ComptoirError, Reason
from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.emitter_client import EmitterClient
from services.runtime.grpc.error_details import detail_from
from tests.services.emitter.requests import replica_load
from tests.services.runtime.running import Emitter, Gate, serving


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/e.sock"


@pytest.fixture
async def client(address: str) -> AsyncIterator[EmitterClient]:
    client = EmitterClient(GrpcTarget(address=address), clock=SystemClock(), wait_seconds=5.0)
    yield client
    await client.close()


def load(number: int) -> usage_pb2.ReplicaLoad:
    return replica_load(event_id_low=number)


class _AnswersTogether(Emitter):
    """Answers two batches in one message: the first is durable, the second is refused for good."""

    async def RecordMany(self, requests: AsyncIterator[Any], context: Any) -> None:  # type: ignore[override] # noqa: N802
        first, second = [(await anext(requests)).call_number for _ in range(2)]
        refused = detail_from(ComptoirError(Reason.REQUEST_INVALID, field="replica_loads.region"))
        others = [emitter_pb2.RecordManyResponse(call_number=second, refused=refused)]
        await context.write(
            emitter_pb2.RecordManyResponse(
                call_number=first, recorded=emitter_pb2.RecordResponse(accepted=1), others=others
            )
        )
        await asyncio.Event().wait()


async def test_batches_that_are_answered_together_have_each_its_own_answer(
    address: str, client: EmitterClient
) -> None:
    async with serving(GrpcListen(address=address), emitter=_AnswersTogether()):
        taken = asyncio.create_task(client.record(load(1)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        refused = asyncio.create_task(client.record(load(2)))
        await asyncio.wait_for(taken, 5)
        with pytest.raises(ComptoirError) as refusal:
            await asyncio.wait_for(refused, 5)
        assert refusal.value.reason is Reason.REQUEST_INVALID
        await client.close()


async def test_a_process_that_was_stopped_over_a_record_has_its_time_left_when_it_goes_on(
    address: str,
) -> None:
    clock = ManualClock()
    client = EmitterClient(GrpcTarget(address=address), clock=clock, wait_seconds=5.0)
    emitter, gate = Emitter(), Gate()

    async def breaks_off(request: emitter_pb2.RecordRequest) -> None:
        await gate(request)
        emitter.answer = None
        raise ComptoirError(Reason.UNAVAILABLE)

    emitter.answer = breaks_off
    async with serving(GrpcListen(address=address), emitter=emitter):
        recording = asyncio.create_task(client.record(load(1)))
        await asyncio.wait_for(gate.reached.wait(), 5)
        clock.advance(3600.0)
        gate.opened.set()
        await asyncio.wait_for(recording, 5)
        assert len(emitter.requests) == 2
        await client.close()
