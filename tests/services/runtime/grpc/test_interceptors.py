"""Around every call: a request id, the end of its handler, and errors that never repeat what was sent."""

import asyncio
import gc
import weakref
from pathlib import Path
from typing import Any

import grpc
import pytest
from comptoir.generator.v1 import generator_pb2
from comptoir.router.v1 import replica_pb2

from services.kernel.errors import ComptoirError, Reason
from services.runtime import logs
from services.runtime.grpc.status import error_from
from tests.services.runtime.grpc.calls import (
    CANARY,
    chat,
    connected,
    delta,
    failure_of,
    generator,
    lines,
    replica,
    stream_that_raises_at_once,
)
from tests.services.runtime.running import Script

# One loop for all, as in a process: gRPC hands the late events of a call that is over to the loop of that
# call, and where a test has closed it, asyncio logs an error that these tests would count as theirs.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(autouse=True)
def _debug_logs() -> None:
    logs.configure("test", "debug")


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/s.sock"


async def unary_that_raises(request: generator_pb2.GetLoadRequest, context: Any) -> Any:
    raise KeyError(CANARY)


class Text:
    """What a request brought."""


async def fails_with_a_text(texts: "list[weakref.ref[Text]]") -> None:
    text = Text()
    texts.append(weakref.ref(text))
    raise ComptoirError(Reason.NO_REPLICA)


async def stream_that_raises_later(request: generator_pb2.GenerateRequest, context: Any) -> Any:
    yield delta("one")
    raise KeyError(request.messages[0].text)


async def writer_that_raises(request: generator_pb2.GenerateRequest, context: Any) -> None:
    await context.write(delta("one"))
    raise KeyError(request.messages[0].text)


async def stream_that_raises_in_a_group(request: generator_pb2.GenerateRequest, context: Any) -> Any:
    yield delta("one")
    raise ExceptionGroup(CANARY, [KeyError(request.messages[0].text)])


async def test_an_unexpected_failure_of_a_unary_call_leaves_as_its_type_name(
    address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with connected(address, get_load=unary_that_raises) as connection:
        failed = await failure_of(generator(connection).GetLoad(generator_pb2.GetLoadRequest()))
    assert (failed.code(), failed.details()) == (grpc.StatusCode.INTERNAL, "internal error: KeyError")
    assert error_from(failed).reason is Reason.INTERNAL
    (logged,) = [line for line in lines(capfd) if line["event"] == "call_failed"]
    assert (logged["error_type"], logged["module"]) == ("KeyError", __name__)
    assert logged["method"] == "comptoir.generator.v1.GeneratorService/GetLoad"


async def test_what_a_failed_call_had_goes_with_it_and_waits_for_no_collector(address: str) -> None:
    texts: list[weakref.ref[Text]] = []

    async def failing(_request: Any, _context: Any) -> None:
        # The frame that waits has the task, which has its failure.
        task = asyncio.create_task(fails_with_a_text(texts))
        await task

    gc.collect()
    gc.disable()
    try:
        async with connected(address, get_load=failing) as connection:
            await failure_of(generator(connection).GetLoad(generator_pb2.GetLoadRequest()))
            assert [text() for text in texts] == [None]
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("script", "type_name", "before"),
    [
        (stream_that_raises_at_once, "KeyError", 0),
        (stream_that_raises_later, "KeyError", 1),
        (writer_that_raises, "KeyError", 1),
        (stream_that_raises_in_a_group, "ExceptionGroup", 1),
    ],
)
async def test_an_unexpected_failure_of_a_stream_leaves_as_its_type_name(
    address: str, capfd: pytest.CaptureFixture[str], script: Script, type_name: str, before: int
) -> None:
    async with connected(address, generate=script) as connection:
        got: list[generator_pb2.GenerateResponse] = []
        failed = await failure_of(generator(connection).Generate(chat()), got)
    assert [message.delta.text for message in got] == ["one"] * before
    assert failed.details() == f"internal error: {type_name}"
    assert [line["event"] for line in lines(capfd) if line["level"] == "error"] == ["call_failed"]


async def test_an_unexpected_failure_of_a_stream_both_ways_leaves_as_its_type_name(
    address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async def report(requests: Any, context: Any) -> Any:
        async for request in requests:
            yield replica_pb2.ReportResponse()
            raise KeyError(request.registration.address)

    first = replica_pb2.ReportRequest(
        registration=replica_pb2.Registration(
            replica=1, region=1, model=1, address=CANARY, context_tokens=1, max_requests=1
        )
    )
    async with connected(address, report=report) as connection:
        failed = await failure_of(replica(connection).Report(iter([first])))
    assert failed.details() == "internal error: KeyError"
    assert [line["event"] for line in lines(capfd) if line["level"] == "error"] == ["call_failed"]


@pytest.mark.parametrize("script", [stream_that_raises_later, writer_that_raises])
async def test_a_reason_travels_from_a_stream(address: str, script: Script) -> None:
    async def refuse(request: Any, context: Any) -> Any:
        yield delta("one")
        raise ComptoirError(Reason.REPLICA_DRAINING, retry_after_seconds=2.0)

    async with connected(address, generate=refuse) as connection:
        failed = await failure_of(generator(connection).Generate(chat()))
    assert (failed.code(), failed.details()) == (grpc.StatusCode.UNAVAILABLE, "REPLICA_DRAINING")
    got = error_from(failed)
    assert (got.reason, got.retry_after_seconds) == (Reason.REPLICA_DRAINING, 2.0)


@pytest.mark.parametrize("way", ["iterated", "writes"])
async def test_a_cancelled_stream_ends_its_handler_at_once(
    address: str, capfd: pytest.CaptureFixture[str], way: str
) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def iterated(request: Any, context: Any) -> Any:
        try:
            while True:
                yield delta("x" * 1000)
                started.set()
        finally:
            ended.set()

    async def writes(request: Any, context: Any) -> None:
        try:
            while True:
                await context.write(delta("x" * 1000))
                started.set()
        finally:
            ended.set()

    async with connected(address, generate={"iterated": iterated, "writes": writes}[way]) as connection:
        call = generator(connection).Generate(chat())
        await asyncio.wait_for(started.wait(), 5)
        call.cancel()
        await asyncio.wait_for(ended.wait(), 5)
    assert not [line for line in lines(capfd) if line["level"] == "error"]


async def test_a_handler_that_waits_is_cancelled_with_its_call(
    address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def waits(request: Any, context: Any) -> generator_pb2.GetLoadResponse:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return generator_pb2.GetLoadResponse()

    async with connected(address, get_load=waits) as connection:
        call = generator(connection).GetLoad(generator_pb2.GetLoadRequest())
        await asyncio.wait_for(started.wait(), 5)
        call.cancel()
        await asyncio.wait_for(ended.wait(), 5)
        late = generator(connection).GetLoad(generator_pb2.GetLoadRequest(), timeout=0.05)
        failed = await failure_of(late)
    assert error_from(failed).reason is Reason.DEADLINE_EXCEEDED
    assert not [line for line in lines(capfd) if line["level"] == "error"]


@pytest.mark.parametrize(
    ("given", "is_kept"), [("ab" * 16, True), (CANARY, False), ("AB" * 16, False), ("ab" * 17, False)]
)
async def test_a_request_id_is_kept_only_if_it_can_hold_no_text(
    address: str, capfd: pytest.CaptureFixture[str], given: str, is_kept: bool
) -> None:
    async def get_load(request: Any, context: Any) -> generator_pb2.GetLoadResponse:
        logs.get_logger("x").info("seen")
        return generator_pb2.GetLoadResponse()

    async with connected(address, get_load=get_load) as connection:
        metadata = (("x-request-id", given),)
        await generator(connection).GetLoad(generator_pb2.GetLoadRequest(), metadata=metadata)
    (seen,) = [line for line in lines(capfd) if line["event"] == "seen"]
    assert (seen["request_id"] == given) == is_kept
    assert len(seen["request_id"]) == 32


async def test_a_handler_may_end_a_call_by_itself(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    async def get_load(request: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.ABORTED, "done")

    async with connected(address, get_load=get_load) as connection:
        failed = await failure_of(generator(connection).GetLoad(generator_pb2.GetLoadRequest()))
    assert failed.code() is grpc.StatusCode.ABORTED
    assert not [line for line in lines(capfd) if line["level"] == "error"]
