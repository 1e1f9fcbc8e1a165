"""Over TCP only those call who are on the list, told by their certificates and refused unread."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from comptoir.emitter.v1 import emitter_pb2
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from comptoir.router.v1 import replica_pb2, replica_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import Reason
from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.grpc.callers import Callers, Refusal
from services.runtime.grpc.readiness_client import ask_readiness
from services.runtime.grpc.server import channel
from services.runtime.grpc.status import error_from
from tests.ports import free_port
from tests.services.runtime.certificates import Authority
from tests.services.runtime.running import Emitter, serving

METHOD = "comptoir.router.v1.ReplicaService/Report"
LISTS: dict[str, tuple[str, ...]] = {
    "EmitterService": ("generator-*", "edge.example", "spiffe://example/router"),
    "ReplicaService/Report": ("generator-1",),
    "GeneratorService/GetLoad": ("operator",),
}


async def _load(_request: generator_pb2.GetLoadRequest, _context: Any) -> generator_pb2.GetLoadResponse:
    return generator_pb2.GetLoadResponse()


async def _report(requests: Any, _context: Any) -> AsyncIterator[replica_pb2.ReportResponse]:
    async for _ in requests:
        yield replica_pb2.ReportResponse()


class World:
    """A server with lists over TLS, and its callers."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "authority")
        self.address = f"127.0.0.1:{free_port()}"
        self.emitter = Emitter()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        listen = GrpcListen(address=self.address, tls=self.authority.files("server"), callers=LISTS)
        async with serving(listen, get_load=_load, report=_report, emitter=self.emitter):
            yield

    def caller(self, name: str, **others: Any) -> grpc.aio.Channel:
        return channel(GrpcTarget(address=self.address, tls=self.authority.files(name, **others)))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    async with world.serving():
        yield world


async def record(caller: grpc.aio.Channel, content: bytes = b"") -> Reason | None:
    call: Any = caller.unary_unary("/comptoir.emitter.v1.EmitterService/Record")
    try:
        await call(content, timeout=10)
    except grpc.aio.AioRpcError as failure:
        return error_from(failure).reason
    return None


async def report(caller: grpc.aio.Channel) -> Reason | None:
    stub: replica_pb2_grpc.ReplicaServiceAsyncStub = replica_pb2_grpc.ReplicaServiceStub(caller)
    call = stub.Report(timeout=10)
    try:
        await call.write(replica_pb2.ReportRequest())
        assert await call.read() is not grpc.aio.EOF
    except grpc.aio.AioRpcError as failure:
        return error_from(failure).reason
    return None


def test_the_name_that_may_call_comes_before_one_that_many_certificates_have() -> None:
    callers = Callers(LISTS)
    assert callers.in_order(METHOD, ("shared", "generator-1")) == ("generator-1", "shared")
    assert callers.in_order(METHOD, ("shared", "other")) == ("shared", "other")
    assert Callers({}).in_order(METHOD, ("b", "a")) == ("b", "a")


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("generator-1", {}),
        ("generator-22", {}),
        ("someone", {"dns": "edge.example"}),
        ("someone", {"uri": "spiffe://example/router"}),
    ],
    ids=["name", "pattern", "DNS name", "URI"],
)
async def test_who_is_on_the_list_may_call(world: World, name: str, others: dict[str, str]) -> None:
    async with world.caller(name, **others) as caller:
        assert await record(caller, emitter_pb2.RecordRequest().SerializeToString()) is None
    assert len(world.emitter.requests) == 1


@pytest.mark.parametrize("name", ["operator", "generator", "edge.example.evil", "server"])
async def test_who_is_not_on_the_list_is_refused_although_the_same_authority_vouches(
    world: World, name: str
) -> None:
    async with world.caller(name) as caller:
        assert await record(caller) is Reason.CALLER_NOT_ALLOWED
        assert await report(caller) is Reason.CALLER_NOT_ALLOWED
    assert world.emitter.requests == []


async def test_a_caller_that_is_not_allowed_is_refused_before_anything_is_read(world: World) -> None:
    no_message = b"\xff" * 1_000_000
    async with world.caller("operator") as other, world.caller("generator-1") as ours:
        assert await record(other, no_message) is Reason.CALLER_NOT_ALLOWED
        assert await record(ours, no_message) is Reason.REQUEST_INVALID


async def test_lists_are_by_call(world: World) -> None:
    async with world.caller("generator-1") as first, world.caller("generator-2") as second:
        assert await report(first) is None
        assert await report(second) is Reason.CALLER_NOT_ALLOWED
    async with world.caller("operator") as operator:
        stub: generator_pb2_grpc.GeneratorServiceAsyncStub = generator_pb2_grpc.GeneratorServiceStub(operator)
        await stub.GetLoad(generator_pb2.GetLoadRequest(), timeout=10)


async def test_health_answers_everyone_whom_the_authority_vouches_for(world: World) -> None:
    async with world.caller("prober") as caller:
        answer = await health_pb2_grpc.HealthStub(caller).Check(health_pb2.HealthCheckRequest(), timeout=10)
        readiness = await ask_readiness(caller, timeout_seconds=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert readiness.is_ready


def refuses(lists: dict[str, list[str]], *names: str, method: str = METHOD) -> bool:
    return Callers(lists).refusal(method, names) is Refusal.NOT_LISTED


def test_a_list_of_a_call_goes_before_that_of_its_service() -> None:
    lists = {"ReplicaService": ["a"], "ReplicaService/Report": ["b"]}
    assert refuses(lists, "a")
    assert not refuses(lists, "b")


def test_what_no_list_names_nobody_may_call() -> None:
    assert refuses({"EmitterService": ["*"]}, "a")
    assert refuses({"ReplicaService": ["*"]})
    assert not refuses({})


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_name_without_a_star_allows_only_itself(listed: str, name: str) -> None:
    if not set(listed) & set("*?["):
        assert refuses({"ReplicaService": [listed]}, name) == (listed != name)


@pytest.mark.parametrize(
    ("pattern", "is_allowed"),
    [
        ("spiffe://x/region/eu-fr/process/edge", True),
        ("spiffe://x/region/eu-fr/process/*", True),
        ("spiffe://x/region/*/process/edge", True),
        ("spiffe://x/region/eu-de/process/edge", False),
        ("spiffe://x/region/*", False),
        ("spiffe://x/*/edge", False),
        ("spiffe://x/region/eu-fr/process/edge/*", False),
        ("*", True),
    ],
)
def test_a_star_in_a_name_of_spiffe_stands_for_one_segment(pattern: str, is_allowed: bool) -> None:
    assert refuses({"ReplicaService": [pattern]}, "spiffe://x/region/eu-fr/process/edge") is not is_allowed


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("spiffe:--example-router", {"dns": "spiffe://example/router"}),
        ("two", {"uri": "spiffe://example/router", "second_uri": "spiffe://example/other"}),
        ("two", {"uri": "spiffe://example/router", "second_uri": "https://example/router"}),
    ],
    ids=["DNS name", "two SPIFFE IDs", "another URI"],
)
async def test_what_is_no_spiffe_id_by_its_rules_passes_for_none(
    world: World, name: str, others: dict[str, str]
) -> None:
    async with world.caller(name, **others) as caller:
        assert await record(caller) is Reason.CALLER_NOT_ALLOWED
