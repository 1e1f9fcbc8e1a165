"""One authority, two regions: processes of one answer requests together, and none of the other is let in."""

import itertools
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc
import httpx
import pytest
import pytest_asyncio

from services.kernel.errors import Reason
from services.kernel.process_names import RegionName
from services.runtime.addresses import TlsFiles
from services.runtime.grpc.server import channel
from services.runtime.grpc.status import error_from
from tests.system.named_processes import CARELESS_STRANGER, ELSEWHERE, HOME, STRANGER, NamedProcesses

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]

SECONDS: Final = 60
CALLERS: Final = ("edge", "router", "generator", "emitter", "usage")
# By listener: a call there, and who makes it in a region.
CALLS: Final = {
    "emitter": ("comptoir.emitter.v1.EmitterService/Record", {"edge", "router", "generator"}),
    "router": ("comptoir.router.v1.RouterService/Admit", {"edge"}),
    "replicas": ("comptoir.router.v1.ReplicaService/Report", {"generator"}),
    "generator1": ("comptoir.generator.v1.GeneratorService/GetLoad", {"edge"}),
}
ALONE: list[tuple[str, int | str]] = [("grpc.use_local_subchannel_pool", 1)]
# No message of any schema.
NOTHING: Final = b"\xff"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def region(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NamedProcesses]:
    processes = NamedProcesses(tmp_path_factory.mktemp("named"))
    try:
        await processes.start()
        yield processes
    finally:
        await processes.stop()


async def answer(region: NamedProcesses, api_key: str) -> str:
    body = {"model": "tiny-eu", "messages": [{"role": "user", "content": "Bonjour"}], "max_tokens": 8}
    async with httpx.AsyncClient(base_url=region.base_url, timeout=SECONDS) as client:
        answered = await client.post(
            "/v1/chat/completions", json=body, headers={"authorization": f"Bearer {api_key}"}
        )
    assert answered.status_code == httpx.codes.OK, answered.text
    return str(answered.json()["choices"][0]["message"]["content"])


async def refusal(
    region: NamedProcesses, at: str, files: TlsFiles, peer_region: RegionName | None = None
) -> Reason | grpc.StatusCode:
    """How a call without a message ends; whoever may call is told that it is none."""
    async with channel(region.target(at, files, peer_region), options=ALONE) as own:
        call: Any = own.unary_unary(f"/{CALLS[at][0]}")
        try:
            await call(NOTHING, timeout=SECONDS)
        except grpc.aio.AioRpcError as failure:
            if failure.code() is grpc.StatusCode.UNAVAILABLE:
                return failure.code()
            return error_from(failure).reason
    raise AssertionError(f"{at} took what is no message")


async def test_the_processes_of_a_region_answer_and_go_on_when_their_certificates_are_renewed(
    region: NamedProcesses,
) -> None:
    api_key = await region.key("acme")
    assert await answer(region, api_key)
    region.renew()
    assert await answer(region, api_key)


@pytest.mark.parametrize(("at", "process"), list(itertools.product(CALLS, CALLERS)))
async def test_each_process_is_let_in_where_it_belongs_and_no_process_of_another_region(
    region: NamedProcesses, at: str, process: str
) -> None:
    own = await refusal(region, at, region.files(process, HOME))
    assert own is (Reason.REQUEST_INVALID if process in CALLS[at][1] else Reason.CALLER_NOT_ALLOWED)
    assert await refusal(region, at, region.files(process, ELSEWHERE)) is Reason.CALLER_NOT_ALLOWED


@pytest.mark.parametrize("at", CALLS)
async def test_a_process_of_another_region_sends_nothing_here(region: NamedProcesses, at: str) -> None:
    files = region.files("edge", ELSEWHERE)
    assert await refusal(region, at, files, ELSEWHERE) is grpc.StatusCode.UNAVAILABLE


async def test_replicas_of_another_region_do_not_register_here(region: NamedProcesses) -> None:
    for name in (STRANGER, CARELESS_STRANGER):
        region.launch(name)
    await region.until_logged(STRANGER, "router_link_lost", "UNAVAILABLE")
    await region.until_logged(CARELESS_STRANGER, "registration_refused", "certificate.region")
    await region.until_logged("router", "caller_refused", "other_region", "eu-de/generator")
    assert await region.replica_states() == ["ready"]
