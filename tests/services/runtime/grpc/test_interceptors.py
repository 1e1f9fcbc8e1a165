"""Around every call: a request id, the schema's rules, and errors that never repeat what was sent."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from comptoir.router.v1 import replica_pb2, replica_pb2_grpc
from comptoir.ticket.v1 import ticket_pb2

from services.kernel.errors import ComptoirError, Reason
from services.runtime import logs
from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.grpc.interceptors import read_request, reads_itself
from services.runtime.grpc.server import channel
from services.runtime.grpc.status import error_from
from tests.services.runtime.running import Script, serving

# One loop for all, as in a process: gRPC hands the late events of a call that is over to the loop of that
# call, and where a test has closed it, asyncio logs an error that these tests would count as theirs.
pytestmark = pytest.mark.asyncio(loop_scope="module")

CANARY = "canary7f3a"


@pytest.fixture(autouse=True)
def _debug_logs() -> None:
    logs.configure("test", "debug")


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/s.sock"


@asynccontextmanager
async def connected(address: str, **scripts: Script) -> AsyncIterator[grpc.aio.Channel]:
    async with (
        serving(GrpcListen(address=address), **scripts),  # type: ignore[arg-type] # scripts only
        channel(GrpcTarget(address=address)) as connection,
    ):
        yield connection


def generator(connection: grpc.aio.Channel) -> "generator_pb2_grpc.GeneratorServiceAsyncStub":
    return generator_pb2_grpc.GeneratorServiceStub(connection)


def replica(connection: grpc.aio.Channel) -> "replica_pb2_grpc.ReplicaServiceAsyncStub":
    return replica_pb2_grpc.ReplicaServiceStub(connection)


def chat(text: str = CANARY, **sampling: Any) -> generator_pb2.GenerateRequest:
    return generator_pb2.GenerateRequest(
        ticket=ticket_pb2.SignedTicket(
            claims=CANARY.encode(), signature=CANARY.encode().ljust(64, b"x"), signing_key_number=1
        ),
        messages=[generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text=text)],
        sampling=generator_pb2.Sampling(stop=[CANARY], **sampling),
    )


def delta(text: str) -> generator_pb2.GenerateResponse:
    return generator_pb2.GenerateResponse(delta=generator_pb2.Delta(text=text))


async def failure_of(call: Any, received: list[Any] | None = None) -> grpc.aio.AioRpcError:
    """How a call ends, having made sure that nothing of the request came back."""

    messages = [] if received is None else received

    async def finish() -> None:
        if hasattr(call, "__aiter__"):
            async for message in call:
                messages.append(message)
        else:
            await call

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await asyncio.wait_for(finish(), 5)
    error = failed.value
    said = f"{error.details()} {error.debug_error_string()} {error.trailing_metadata()} {error!r}"
    assert CANARY not in said
    return error


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capfd.readouterr()
    assert CANARY not in captured.out + captured.err
    assert "Traceback" not in captured.out + captured.err
    # gRPC's own C code notes closed connections, unless GRPC_VERBOSITY was set before it was loaded.
    return [json.loads(line) for line in captured.err.splitlines() if line.startswith("{")]


async def unary_that_raises(request: generator_pb2.GetLoadRequest, context: Any) -> Any:
    raise KeyError(CANARY)


async def stream_that_raises_at_once(request: generator_pb2.GenerateRequest, context: Any) -> Any:
    if request.messages:
        raise KeyError(request.messages[0].text)
    yield delta("never")


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


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (generator_pb2.GenerateRequest(), "ticket"),
        (chat("x" * 1_048_577), "messages.text"),
        (chat(temperature=3.0), "sampling.temperature"),
        (chat(temperature=float("nan")), "sampling.temperature"),
    ],
)
async def test_a_broken_rule_names_the_schemas_field_only(
    address: str, capfd: pytest.CaptureFixture[str], request_: generator_pb2.GenerateRequest, field: str
) -> None:
    async with connected(address, generate=stream_that_raises_at_once) as connection:
        failed = await failure_of(generator(connection).Generate(request_))
    assert (failed.code(), failed.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")
    assert error_from(failed).field == field
    lines(capfd)


async def test_every_message_of_a_stream_is_held_against_the_rules(address: str) -> None:
    async def report(requests: Any, context: Any) -> Any:
        async for _request in requests:
            yield replica_pb2.ReportResponse()

    good = replica_pb2.ReportRequest(load=replica_pb2.Load(kv_usage_permille=1000))
    bad = replica_pb2.ReportRequest(load=replica_pb2.Load(kv_usage_permille=1001))
    async with connected(address, report=report) as connection:
        got: list[replica_pb2.ReportResponse] = []
        failed = await failure_of(replica(connection).Report(iter([good, bad])), got)
    assert len(got) == 1
    assert error_from(failed).field == "load.kv_usage_permille"


@pytest.mark.parametrize(
    "content", [b"\xff" * 20, chat().SerializeToString()[:-3], b"\x12\x04\x12\x02\xc3\x28" + CANARY.encode()]
)
async def test_bytes_that_are_no_message_are_refused_without_the_parsers_words(
    address: str, capfd: pytest.CaptureFixture[str], content: bytes
) -> None:
    async with connected(address, generate=stream_that_raises_at_once) as connection:
        generate: Any = connection.unary_stream("/comptoir.generator.v1.GeneratorService/Generate")
        failed = await failure_of(generate(content))
    assert (failed.code(), failed.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")
    lines(capfd)


async def test_an_unknown_method_is_not_repeated(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    async with connected(address) as connection:
        nowhere: Any = connection.unary_unary(f"/{CANARY}/{CANARY}")
        failed = await failure_of(nowhere(b""))
    assert error_from(failed).reason is Reason.ROUTE_NOT_FOUND
    lines(capfd)


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


async def test_a_method_that_reads_for_itself_gets_bytes_and_decides_when_they_are_read(address: str) -> None:
    seen: list[bytes] = []

    @reads_itself
    async def generate(content: bytes, context: Any) -> None:
        seen.append(content)
        read_request(generator_pb2.GenerateRequest.FromString, content)
        await context.write(delta("read"))

    async with connected(address, generate=generate) as connection:
        await generator(connection).Generate(chat()).read()
        error = await failure_of(generator(connection).Generate(chat(temperature=3.0)))
    assert seen == [chat().SerializeToString(), chat(temperature=3.0).SerializeToString()]
    assert (error_from(error).reason, error_from(error).field) == (
        Reason.REQUEST_INVALID,
        "sampling.temperature",
    )


async def test_bytes_that_are_no_request_are_refused_in_no_words(
    address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    @reads_itself
    async def generate(content: bytes, context: Any) -> None:
        read_request(generator_pb2.GenerateRequest.FromString, content)

    async with connected(address, generate=generate) as connection:
        raw: Any = connection.unary_stream("/comptoir.generator.v1.GeneratorService/Generate")
        failed = await failure_of(raw(b"\xff" + CANARY.encode()))
    assert (error_from(failed).reason, error_from(failed).field) == (Reason.REQUEST_INVALID, "")
    lines(capfd)
