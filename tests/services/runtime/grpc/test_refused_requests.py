"""What is no request, or breaks the schema's rules, is refused by the field and in no words of it."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from comptoir.generator.v1 import generator_pb2
from comptoir.router.v1 import replica_pb2
from google.protobuf.message import Message

from services.kernel.errors import Reason
from services.runtime import logs
from services.runtime.grpc import interceptors
from services.runtime.grpc.interceptors import learn_rules, read_request, reads_itself
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

# One loop for all, as in a process: gRPC hands the late events of a call that is over to the loop of that
# call, and where a test has closed it, asyncio logs an error that these tests would count as theirs.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(autouse=True)
def _debug_logs() -> None:
    logs.configure("test", "debug")


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/s.sock"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (generator_pb2.GenerateRequest(messages=chat().messages), "ticket"),
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


async def test_a_rule_of_the_whole_message_names_the_first_field_that_it_asks_for(address: str) -> None:
    """A request has messages or a prompt: neither is as wrong as both."""
    async with connected(address, generate=stream_that_raises_at_once) as connection:
        for prompt, messages in ((None, []), (generator_pb2.Prompt(text="x"), chat().messages)):
            request = generator_pb2.GenerateRequest(ticket=chat().ticket, prompt=prompt, messages=messages)
            error = error_from(await failure_of(generator(connection).Generate(request)))
            assert (error.reason, error.field) == (Reason.REQUEST_INVALID, "messages")


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


async def test_the_rules_of_every_request_are_known_before_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[str] = []

    class Validator:
        def collect_violations(self, request: Message, **_: object) -> list[object]:
            held.append(request.DESCRIPTOR.name)
            return []

    monkeypatch.setattr(interceptors, "_validator", Validator())
    service = generator_pb2.DESCRIPTOR.services_by_name["GeneratorService"]
    learn_rules(service)
    assert {"GenerateRequest", "GenerateManyRequest", "CountTokensRequest", "EmbedRequest"} <= set(held)
    assert len(held) == len(service.methods)
