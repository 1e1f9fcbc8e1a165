import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.edge.adapters.router_client import RouterClient
from services.edge.domain.generation import Message, Role
from services.edge.domain.nearest_router import NearestRouter
from services.edge.domain.ports import NotReadyReason, Standing
from services.edge.domain.prefixes import PrefixDigests
from services.kernel.clock import SystemClock
from services.kernel.engine_features import EngineFeature
from services.kernel.errors import ComptoirError, Reason
from services.runtime.addresses import GrpcTarget
from tests.contracts.edge_router_port import CHAT, REQUEST, RouterPortContract
from tests.contracts.engine_requests import until
from tests.services.edge.memory import MemoryRouter
from tests.services.edge.neighbours import serve_router
from tests.services.edge.scripts import GOOD_KEY, RouterScript


@pytest.fixture
def script() -> RouterScript:
    return RouterScript(["127.0.0.1:1", "127.0.0.1:2"])


class TestMemoryRouter(RouterPortContract):
    @pytest.fixture
    def router(self, script: RouterScript) -> MemoryRouter:
        return MemoryRouter(script)


class TestRouterClient(RouterPortContract):
    @pytest.fixture
    async def router(self, script: RouterScript, tmp_path: Path) -> AsyncIterator[RouterClient]:
        server = await serve_router(script, tmp_path / "router")
        client = RouterClient(GrpcTarget(address=f"unix:{tmp_path}/router"), timeout_seconds=5)
        yield client
        await client.close()
        await server.drain(0)

    async def test_a_router_that_drains_is_not_ready(self, script: RouterScript, tmp_path: Path) -> None:
        script.is_serving = False
        server = await serve_router(script, tmp_path / "draining")
        client = RouterClient(GrpcTarget(address=f"unix:{tmp_path}/draining"), timeout_seconds=5)
        assert await client.not_ready_reason() is NotReadyReason.ROUTER_UNREACHABLE
        await client.close()
        await server.drain(0)


async def test_a_router_without_a_ready_replica_is_told_from_one_that_is_older_and_does_not_say(
    tmp_path: Path,
) -> None:
    server = await serve_router(RouterScript([]), tmp_path / "router")
    client = RouterClient(GrpcTarget(address=f"unix:{tmp_path}/router"), timeout_seconds=5)
    assert await client.not_ready_reason() is None
    for is_serving, reason in ((False, NotReadyReason.NO_REPLICA), (True, None)):
        await server.set_service("comptoir.router.v1.RouterService", is_serving=is_serving)
        assert await client.not_ready_reason() is reason
    await client.close()
    await server.drain(0)


async def test_the_router_is_told_how_a_prompt_begins_by_digests_alone(
    script: RouterScript, tmp_path: Path
) -> None:
    server = await serve_router(script, tmp_path / "router")
    target, prefixes = GrpcTarget(address=f"unix:{tmp_path}/router"), PrefixDigests(b"s" * 32)
    long = replace(CHAT, messages=(Message(Role.USER, "Bonjour " * 200),))
    for client in (
        RouterClient(target, timeout_seconds=5, prefixes=prefixes),
        RouterClient(target, timeout_seconds=5),
    ):
        await client.admit(key=GOOD_KEY, request=long, request_id=REQUEST, within_seconds=5)
        await client.close()
    await server.drain(0)
    assert script.beginnings == [prefixes.of(GOOD_KEY, long), []]
    assert len(script.beginnings[0]) == 3


async def test_a_router_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    client = RouterClient(GrpcTarget(address=f"unix:{tmp_path}/nobody"), timeout_seconds=5)
    with pytest.raises(ComptoirError) as raised:
        await client.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5)
    assert raised.value.reason is Reason.UNAVAILABLE
    assert await client.not_ready_reason() is NotReadyReason.ROUTER_UNREACHABLE
    await client.close()


async def test_a_router_that_was_lost_is_asked_until_it_serves_and_then_at_once(
    script: RouterScript, tmp_path: Path
) -> None:
    client = RouterClient(GrpcTarget(address=f"unix:{tmp_path}/router"), timeout_seconds=5)
    router = NearestRouter([client], SystemClock(), unreachable_seconds=30, nearer_seconds=60)
    asking = [
        asyncio.ensure_future(router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=30))
        for _ in range(5)
    ]
    await asyncio.wait(asking, timeout=0.3)
    assert [client.standing] == [Standing.LOST]
    assert not any(one.done() for one in asking)
    server = await serve_router(script, tmp_path / "router")
    await asyncio.wait_for(asyncio.gather(*asking), 20)
    assert [client.standing] == [Standing.PLACING]
    await client.close()
    await server.drain(0)


async def test_a_question_that_a_router_leaves_open_while_it_does_not_serve_is_asked_of_another(
    script: RouterScript, tmp_path: Path
) -> None:
    held, other = RouterScript(["a"], hold=asyncio.Event()), script
    servers = [await serve_router(held, tmp_path / "1"), await serve_router(other, tmp_path / "2")]
    clients = [RouterClient(GrpcTarget(address=f"unix:{tmp_path}/{n}"), timeout_seconds=5) for n in (1, 2)]
    router = NearestRouter(clients, SystemClock(), unreachable_seconds=30, nearer_seconds=60)
    asking = asyncio.ensure_future(
        router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=30)
    )
    await until(lambda: bool(held.request_ids), 5)
    await servers[0].set_serving(is_serving=False)
    await asyncio.gather(*(client.look() for client in clients))
    assert [client.standing for client in clients] == [Standing.LOST, Standing.PLACING]
    await asyncio.wait_for(asking, 20)
    await asyncio.wait_for(held.is_left.wait(), 5)
    await servers[0].set_serving(is_serving=True)
    await until(lambda: clients[0].standing is Standing.PLACING, 5)
    for client in clients:
        await client.close()
    for server in servers:
        await server.drain(0)


async def test_a_router_without_a_ready_replica_stands_behind_one_that_has_some(
    script: RouterScript, tmp_path: Path
) -> None:
    server = await serve_router(script, tmp_path / "router")
    client = RouterClient(GrpcTarget(address=f"unix:{tmp_path}/router"), timeout_seconds=5)
    for is_serving, standing in ((False, Standing.SERVING), (True, Standing.PLACING)):
        await server.set_service("comptoir.router.v1.RouterService", is_serving=is_serving)
        await client.look()
        assert client.standing is standing
    await client.close()
    await server.drain(0)


async def test_a_client_that_is_closed_asks_no_more_whether_its_router_serves(tmp_path: Path) -> None:
    client = RouterClient(GrpcTarget(address=f"unix:{tmp_path}/nobody"), timeout_seconds=5)
    client.lose()
    client.lose()
    await asyncio.wait_for(client.close(), 5)


async def test_a_defect_while_a_lost_router_is_asked_does_not_lose_it_for_ever(
    script: RouterScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await serve_router(script, tmp_path / "router")
    client = RouterClient(GrpcTarget(address=f"unix:{tmp_path}/router"), timeout_seconds=5)
    look, looks = client._look, list[bool]()

    async def defective(*, waits: bool = False) -> Standing:
        looks.append(waits)
        if len(looks) < 3:
            raise RuntimeError
        return await look(waits=waits)

    monkeypatch.setattr(client, "_look", defective)
    serves = asyncio.Event()
    client.tell(serves.set)
    client.lose()
    await asyncio.wait_for(serves.wait(), 5)
    assert (client.standing > Standing.LOST, len(looks)) == (True, 3)
    await client.close()
    await server.drain(0)


async def test_what_a_router_that_is_lost_has_not_recorded_is_not_durable(
    script: RouterScript, tmp_path: Path
) -> None:
    script.record_gate = asyncio.Event()
    server = await serve_router(script, tmp_path / "router")
    client = RouterClient(GrpcTarget(address=f"unix:{tmp_path}/router"), timeout_seconds=5)
    admission = await client.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5)
    await server.drain(0)
    with pytest.raises(ComptoirError) as raised:
        await asyncio.wait_for(admission.recorded(), 5)
    assert raised.value.reason is Reason.UNAVAILABLE
    await client.close()


async def test_a_router_that_is_lost_or_silent_gives_no_other_offer(
    script: RouterScript, tmp_path: Path
) -> None:
    script.next_gate = asyncio.Event()
    server = await serve_router(script, tmp_path / "router")
    client = RouterClient(GrpcTarget(address=f"unix:{tmp_path}/router"), timeout_seconds=0.2)
    admission = await client.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=5)
    with pytest.raises(ComptoirError) as raised:
        await asyncio.wait_for(admission.next_offer(), 5)
    assert raised.value.reason is Reason.UNAVAILABLE
    await server.drain(0)
    with pytest.raises(ComptoirError) as raised:
        await asyncio.wait_for(admission.next_offer(), 5)
    assert raised.value.reason is Reason.UNAVAILABLE
    await client.close()


async def test_a_router_that_does_not_answer_in_time_is_unavailable_and_an_admission_has_its_clients_time(
    tmp_path: Path,
) -> None:
    connections = []

    async def keep_silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    path = tmp_path / "silent"
    server = await asyncio.start_unix_server(keep_silent, path)
    client = RouterClient(GrpcTarget(address=f"unix:{path}"), timeout_seconds=0.1)
    with pytest.raises(ComptoirError) as raised:
        await client.list_models(key=GOOD_KEY, request_id=REQUEST)
    assert raised.value.reason is Reason.UNAVAILABLE
    with pytest.raises(ComptoirError) as raised:
        await client.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=0.1)
    assert raised.value.reason is Reason.DEADLINE_EXCEEDED
    await client.close()
    for writer in connections:
        writer.close()
    server.close()


async def test_what_a_request_needs_of_an_engine_is_said_with_every_question_and_refused_by_its_public_name(
    script: RouterScript, tmp_path: Path
) -> None:
    server = await serve_router(script, tmp_path / "router")
    client = RouterClient(GrpcTarget(address=f"unix:{tmp_path}/router"), timeout_seconds=5)
    asked = replace(CHAT, sampling={"logprobs": 2})
    admission = await client.admit(key=GOOD_KEY, request=asked, request_id=REQUEST, within_seconds=5)
    await admission.next_offer()
    assert script.needs == [EngineFeature.LOGPROBS] * 2
    script.refusal = ComptoirError(Reason.PARAMETER_UNSUPPORTED, field="sampling.logprobs")
    with pytest.raises(ComptoirError) as refused:
        await client.admit(key=GOOD_KEY, request=asked, request_id=REQUEST, within_seconds=5)
    assert (refused.value.reason, refused.value.field) == (Reason.PARAMETER_UNSUPPORTED, "logprobs")
    await client.close()
    await server.drain(0)
