from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from comptoir.emitter.v1 import emitter_pb2, emitter_pb2_grpc

from services.generator.adapters.usage_emitter import UsageEmitter
from services.generator.domain.load import LoadReport, LoadSample, LoadTotals
from services.generator.domain.ports import EventRefusedError
from services.generator.domain.ticket import Replica
from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.runtime.addresses import GrpcTarget
from services.runtime.grpc.status import STATUS, trailing_metadata
from tests.fakes.joined import RecordsMany
from tests.services.generator.domain.test_recording import EVENT

SAMPLE = LoadSample(
    Identity(3, 4),
    1_790_000_000_000_000,
    LoadReport(2, 2, 1, 1, 500, 0.25, is_draining=False),
    LoadTotals(70, 1),
)


class Emitter(RecordsMany):
    """Remembers what it is given, or refuses it."""

    def __init__(self) -> None:
        self.requests: list[emitter_pb2.RecordRequest] = []
        self.refusal: Reason | None = None

    async def Record(  # noqa: N802
        self,
        request: emitter_pb2.RecordRequest,
        context: grpc.aio.ServicerContext[emitter_pb2.RecordRequest, emitter_pb2.RecordResponse],
    ) -> emitter_pb2.RecordResponse:
        if self.refusal is not None:
            error = ComptoirError(self.refusal, field="generations.model")
            await context.abort(STATUS[error.reason], error.reason.name, trailing_metadata(error))
        self.requests.append(request)
        return emitter_pb2.RecordResponse(accepted=1)


@pytest.fixture
async def emitter(tmp_path: Path) -> AsyncIterator[Emitter]:
    servicer, server = Emitter(), grpc.aio.server()
    emitter_pb2_grpc.add_EmitterServiceServicer_to_server(servicer, server)
    server.add_insecure_port(f"unix:{tmp_path}/emitter.sock")
    await server.start()
    yield servicer
    await server.stop(0)


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[UsageEmitter]:
    target = GrpcTarget(address=f"unix:{tmp_path}/emitter.sock")
    sink = UsageEmitter(
        target,
        Replica(7, 1, 3, gpu_class=5, gpus=2),
        SystemClock(),
        wait_seconds=0.2,
        config_digest=77,
        read_free_bytes=lambda: 40 * 1024**3,
    )
    yield sink
    await sink.close()


async def test_an_event_arrives_in_its_stored_form(emitter: Emitter, sink: UsageEmitter) -> None:
    await sink.record(EVENT)
    (generation,) = emitter.requests[0].generations
    assert (generation.event_id_high, generation.event_id_low) == EVENT.event_id
    assert generation.config_digest == 77


async def test_a_load_sample_arrives_in_its_stored_form(emitter: Emitter, sink: UsageEmitter) -> None:
    await sink.record_load(SAMPLE)
    (load,) = emitter.requests[0].replica_loads
    assert (load.replica, load.region, load.model) == (7, 1, 3)
    assert (load.output_tokens, load.preempted_requests, load.age_milliseconds) == (70, 1, 250)
    assert load.accelerator_free_bytes == 40 * 1024**3
    assert (load.gpu_class, load.gpus) == (5, 2)


async def test_an_emitter_that_is_away_is_not_recorded_in_time(sink: UsageEmitter) -> None:
    with pytest.raises(ComptoirError) as error:
        await sink.record(EVENT)
    assert error.value.reason is Reason.USAGE_NOT_RECORDED


async def test_an_event_that_is_wrong_will_never_be_recorded(emitter: Emitter, sink: UsageEmitter) -> None:
    emitter.refusal = Reason.REQUEST_INVALID
    with pytest.raises(EventRefusedError):
        await sink.record(EVENT)
    with pytest.raises(EventRefusedError):
        await sink.record_load(SAMPLE)
