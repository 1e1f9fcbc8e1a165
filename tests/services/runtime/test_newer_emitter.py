"""What a producer makes of the answers of an emitter that is newer than itself."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from comptoir.emitter.v1 import emitter_pb2, emitter_pb2_grpc
from comptoir.error.v1.error_reason_pb2 import ErrorDetail

from services.kernel.clock import SystemClock
from services.runtime.addresses import GrpcTarget
from services.runtime.emitter_client import EmitterClient
from services.runtime.grpc.status import DETAIL_KEY
from tests.fakes.joined import RecordsMany
from tests.services.emitter.requests import replica_load


class NewerEmitter(RecordsMany):
    """Refuses one event for a reason that this build does not know, while it is told to."""

    is_refusing = True

    async def Record(  # noqa: N802 - the name in the schema
        self, request: emitter_pb2.RecordRequest, context: Any
    ) -> emitter_pb2.RecordResponse:
        """Says by its status that the request is at fault."""
        if self.is_refusing and any(sample.event_id_low == 7 for sample in request.replica_loads):
            detail = ErrorDetail(reason=999)  # type: ignore[arg-type] # a later version's
            metadata = ((DETAIL_KEY, detail.SerializeToString()),)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "", metadata)
        return emitter_pb2.RecordResponse()


@pytest.fixture
async def emitter(tmp_path: Path) -> AsyncIterator[NewerEmitter]:
    newer, server = NewerEmitter(), grpc.aio.server()
    emitter_pb2_grpc.add_EmitterServiceServicer_to_server(newer, server)
    server.add_insecure_port(f"unix:{tmp_path}/e.sock")
    await server.start()
    yield newer
    await server.stop(None)


async def test_a_refusal_for_a_reason_of_a_later_version_is_not_for_good(
    emitter: NewerEmitter, tmp_path: Path
) -> None:
    client = EmitterClient(
        GrpcTarget(address=f"unix:{tmp_path}/e.sock"), clock=SystemClock(), wait_seconds=5.0
    )
    held = asyncio.create_task(client.record(replica_load(event_id_low=7)))
    await asyncio.wait_for(client.record(replica_load(event_id_low=8)), 5)
    assert not held.done()
    emitter.is_refusing = False
    await asyncio.wait_for(held, 5)
    await client.close()
