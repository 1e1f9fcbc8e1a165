import asyncio
import logging

import grpc
import pytest
from comptoir.generator.v1 import generator_pb2

from services.generator.domain.terminal_event import Counts, Outcome
from services.kernel.errors import Reason
from services.kernel.identity import Identity
from services.runtime.grpc.status import error_from
from tests.contracts.engine_requests import until
from tests.services.generator.running import CANARY, RunningGenerator, reason_of

Stream = grpc.aio.UnaryStreamCall[generator_pb2.GenerateRequest, generator_pb2.GenerateResponse]


async def read_all(stream: Stream) -> list[generator_pb2.GenerateResponse]:
    return [response async for response in stream]


async def test_an_answer_is_started_then_deltas_then_finished(running: RunningGenerator) -> None:
    claims = running.claims()
    call = await running.generate(running.request(ticket=running.signed(claims)))
    kinds = [response.WhichOneof("event") for response in call.responses]
    assert kinds == ["started", *["delta"] * (len(kinds) - 2), "finished"]
    started = call.responses[0].started
    assert (started.request_id_high, started.request_id_low) == (
        claims.request_id_high,
        claims.request_id_low,
    )
    assert started.input_tokens == call.finished.input_tokens > 0
    assert call.finished.output_tokens == 40
    assert call.finished.finish_reason == generator_pb2.FINISH_REASON_STOP
    assert call.finished.duration_microseconds >= call.finished.ttft_microseconds > 0


async def test_the_event_has_what_the_ticket_and_the_engine_said(running: RunningGenerator) -> None:
    claims = running.claims()
    call = await running.generate(running.request(ticket=running.signed(claims)))
    (event,) = await running.events()
    assert event.ending.outcome is Outcome.STOP
    assert event.ending.reason is Reason.UNSPECIFIED
    assert (event.claims.tenant, event.claims.key, event.claims.transfer_record) == (11, 12, 0)
    assert event.counts.output_tokens == call.finished.output_tokens
    assert event.counts.input_tokens == call.finished.input_tokens
    assert event.actual_kv_blocks == -(-(event.counts.input_tokens + 40) // 16)
    assert event.timings.ttft_microseconds == call.finished.ttft_microseconds
    assert event.timings.prefill_microseconds > 0
    assert event.is_streamed
    lease = Identity(claims.lease_id_high, claims.lease_id_low)
    assert running.link.accepted_tickets == [Identity(claims.ticket_id_high, claims.ticket_id_low)]
    assert running.link.settled_leases == [(lease, event.counts.input_tokens, 40)]


async def test_the_event_is_durable_before_the_caller_hears_that_it_is_over(
    running: RunningGenerator,
) -> None:
    running.sink.gate.clear()
    stream = running.stub.Generate(running.request(), timeout=10)
    reading = asyncio.create_task(read_all(stream))
    await until(lambda: running.recorder.unrecorded == 1, 5)
    await running.until_idle()
    assert not reading.done()
    running.sink.gate.set()
    async with asyncio.timeout(5):
        assert (await reading)[-1].HasField("finished")
    assert len(running.sink.events) == 1


async def test_a_shorter_answer_ends_at_its_length(running: RunningGenerator) -> None:
    call = await running.generate(running.request(max_output_tokens=3))
    assert call.finished.finish_reason == generator_pb2.FINISH_REASON_LENGTH
    assert call.finished.output_tokens == 3
    assert (await running.events())[0].ending.outcome is Outcome.LENGTH


async def test_usage_that_is_not_recorded_in_time_fails_the_call_and_is_recorded_later(
    running: RunningGenerator,
) -> None:
    running.sink.failures = 2
    call = await running.generate()
    assert reason_of(call) is Reason.USAGE_NOT_RECORDED
    (event,) = await running.events()
    assert event.ending.outcome is Outcome.STOP
    assert running.sleeps == 2


async def test_a_client_that_goes_away_in_decode_frees_the_engine_and_is_counted(
    running: RunningGenerator,
) -> None:
    running.slow(answer_tokens=5000, itl_seconds=0.005)
    stream = running.stub.Generate(running.request(), timeout=10)
    for _ in range(4):
        await stream.read()
    stream.cancel()
    await running.until_idle()
    (event,) = await running.events()
    assert event.ending.outcome is Outcome.CLIENT_CANCELLED
    assert event.counts.output_tokens >= 3
    assert len(running.link.settled_leases) == 1


async def test_a_client_that_goes_away_in_prefill_frees_the_engine_and_is_counted(
    running: RunningGenerator,
) -> None:
    running.slow(ttft_seconds=60.0)
    stream = running.stub.Generate(running.request(), timeout=10)
    await stream.read()
    stream.cancel()
    await running.until_idle()
    (event,) = await running.events()
    assert event.ending.outcome is Outcome.CLIENT_CANCELLED
    assert event.counts.input_tokens > 0
    assert event.counts.output_tokens == 0
    assert event.timings.ttft_microseconds == 0


async def test_a_client_that_goes_away_while_usage_is_recorded_changes_nothing(
    running: RunningGenerator,
) -> None:
    running.sink.gate.clear()
    stream = running.stub.Generate(running.request(max_output_tokens=2), timeout=10)
    await stream.read()
    await until(lambda: running.recorder.unrecorded > 0, 5)
    stream.cancel()
    running.sink.gate.set()
    (event,) = await running.events()
    assert event.ending.outcome is Outcome.LENGTH


async def test_a_deadline_is_told_from_a_cancel(running: RunningGenerator) -> None:
    running.slow(answer_tokens=5000, itl_seconds=0.005)
    call = await running.generate(seconds=1)
    assert call.error is not None
    assert call.error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    (event,) = await running.events()
    assert event.ending.outcome is Outcome.DEADLINE
    await running.until_idle()


async def test_an_engine_lost_before_the_first_delta_leaves_the_lease_to_the_next_ticket(
    running: RunningGenerator,
) -> None:
    running.slow(ttft_seconds=60.0)
    stream = running.stub.Generate(running.request(), timeout=10)
    await stream.read()
    running.engine.die()
    with pytest.raises(grpc.aio.AioRpcError):
        await stream.read()
    await running.events()
    assert running.link.settled_leases == []
    assert len(running.link.accepted_tickets) == len(running.link.unserved_leases) == 1


async def test_a_draining_replica_refuses_and_hands_the_lease_back(running: RunningGenerator) -> None:
    running.generations.close_gate()
    call = await running.generate()
    assert reason_of(call) is Reason.REPLICA_DRAINING
    assert running.sink.events == []
    assert not running.link.accepted_tickets
    assert not running.link.settled_leases
    assert len(running.link.unserved_leases) == 1


async def test_more_streams_than_allowed_are_refused(running: RunningGenerator) -> None:
    running.slow(answer_tokens=5000, itl_seconds=0.005)
    streams = [running.stub.Generate(running.request(), timeout=10) for _ in range(20)]
    for stream in streams:
        await stream.read()
    assert reason_of(await running.generate()) is Reason.REPLICA_OVERLOADED
    for stream in streams:
        stream.cancel()
    assert len(await running.events(20)) == 20


@pytest.mark.parametrize(
    ("characters", "reason"),
    [(320, Reason.TICKET_LIMIT_EXCEEDED), (500_000, Reason.CONTEXT_TOO_LONG)],
)
async def test_a_prompt_that_is_too_long_is_refused_before_the_first_message(
    running: RunningGenerator, characters: int, reason: Reason
) -> None:
    call = await running.generate(running.request(text="a" * characters))
    assert reason_of(call) is reason
    assert call.responses == []
    (event,) = await running.events()
    assert (event.ending.outcome, event.ending.reason) == (Outcome.REFUSED, reason)
    assert event.counts == Counts(0, 0, 0)
    assert [used for _, *used in running.link.settled_leases] == [[0, 0]]


async def test_an_answer_that_does_not_fit_beside_its_prompt_is_cut_to_what_does(
    running: RunningGenerator,
) -> None:
    for wish in (0, 200):
        call = await running.generate(running.request(text="a" * 250, max_output_tokens=wish))
        assert call.error is None


async def test_a_prompt_that_is_too_long_is_told_the_context_and_its_own_length(
    running: RunningGenerator,
) -> None:
    call = await running.generate(running.request(text="a" * 500_000))
    assert call.error is not None
    numbers = error_from(call.error).numbers
    assert 0 < numbers.limit < numbers.requested


async def test_a_request_against_the_schema_is_refused_without_its_content(running: RunningGenerator) -> None:
    request = running.request()
    request.messages[0].role = generator_pb2.ROLE_UNSPECIFIED
    call = await running.generate(request)
    assert reason_of(call) is Reason.REQUEST_INVALID
    assert CANARY not in str(call.error)


async def test_nothing_of_the_text_is_logged_or_told(
    running: RunningGenerator, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await running.generate()
    refused = await running.generate(running.request(text=CANARY * 5000))
    running.engine.die()
    failed = await running.generate()
    for call in (refused, failed):
        assert call.error is not None
        assert CANARY not in f"{call.error!r} {call.error.details()} {call.error.debug_error_string()}"
    written = capfd.readouterr()
    assert CANARY not in written.out + written.err + caplog.text
    assert all(CANARY not in repr(event) for event in running.sink.events)


async def test_the_load_is_exact_and_idle_means_idle(running: RunningGenerator) -> None:
    running.slow(answer_tokens=5000, itl_seconds=0.005)
    stream = running.stub.Generate(running.request(), timeout=10)
    for _ in range(2):
        await stream.read()
    busy = await running.stub.GetLoad(generator_pb2.GetLoadRequest())
    assert (busy.open_streams, busy.unfinished_requests, busy.running_requests) == (1, 1, 1)
    assert busy.kv_usage_permille > 0
    stream.cancel()
    await running.until_idle()
    await running.events()
    idle = await running.stub.GetLoad(generator_pb2.GetLoadRequest())
    assert (idle.open_streams, idle.unfinished_requests, idle.is_draining) == (0, 0, False)
