import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from services.edge.adapters.router_client import RouterClient
from services.edge.domain.nearest_router import NearestRouter
from services.edge.domain.prefixes import PrefixDigests
from services.edge.process import Edge, HttpSide, prefix_secret, router_spread
from services.edge.settings import EdgeSettings, HttpListen
from services.kernel.clock import SystemClock
from services.runtime.parts import Parts
from services.runtime.settings import SettingsError, load_settings
from tests.services.edge.conftest import CHAT, LIMITS, Stage
from tests.services.edge.memory import MemoryGenerators, MemoryRouter, MemoryUsage
from tests.services.edge.scripts import UsageScript

PATH = "/v1/chat/completions"


async def test_health_follows_the_router(stage: Stage) -> None:
    client = await stage.start()
    assert (await client.get("/healthz")).json() == {"status": "alive"}
    assert (await client.get("/readyz")).status_code == 200


async def test_the_edge_is_not_ready_without_its_router(stage: Stage) -> None:
    stage.router.is_serving = False
    client = await stage.start()
    assert (await client.get("/healthz")).status_code == 200
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["reason"]) == (503, "router_unreachable")


async def test_a_drain_lets_answers_end_and_takes_no_new_ones(stage: Stage) -> None:
    gate = asyncio.Event()
    stage.generators[0].steps = ["a", gate, "b"]
    client = await stage.start(drain_notice_seconds=0.2)
    async with client.stream("POST", PATH, json=CHAT | {"stream": True}) as answer:
        texts = answer.aiter_text()
        body = await anext(texts)
        draining = asyncio.create_task(stage.drain())
        await asyncio.sleep(0)
        assert (await client.get("/readyz")).status_code == 503
        gate.set()
        body += "".join([text async for text in texts])
    assert 'content":"b"' in body
    assert body.endswith("data: [DONE]\n\n")
    port = stage.port
    await asyncio.wait_for(draining, 5)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    (event,) = stage.emitter.events
    assert not event.is_client_cancelled


async def test_answers_that_do_not_end_in_a_drain_end_with_an_error(stage: Stage) -> None:
    stage.generators[0].steps = ["a", asyncio.Event()]
    client = await stage.start(drain_seconds=0)
    async with client.stream("POST", PATH, json=CHAT | {"stream": True}) as answer:
        texts = answer.aiter_text()
        body = await anext(texts)
        draining = asyncio.create_task(stage.drain())
        body += "".join([text async for text in texts])
    assert '"code":"replica_draining"' in body
    assert body.endswith("data: [DONE]\n\n")
    await asyncio.wait_for(draining, 5)
    await asyncio.wait_for(stage.generators[0].cancelled.wait(), 5)


async def test_an_address_that_is_taken_is_said_in_one_sentence(stage: Stage) -> None:
    await stage.start()
    second = HttpSide(
        LIMITS,
        HttpListen(port=stage.port),
        SystemClock(),
        router=MemoryRouter(stage.router),
        generators=MemoryGenerators({}),
        usage=MemoryUsage(UsageScript()),
    )
    with pytest.raises(SettingsError, match="is taken"):
        await second.start()


def settings_of(folder: Path, secret: str | None) -> EdgeSettings:
    edge: dict[str, object] = {
        "listen": {"port": 0},
        "router": {"address": "127.0.0.1:1"},
        "emitter": {"address": "127.0.0.1:1"},
    }
    if secret is not None:
        (folder / "prefixes").write_text(secret)
        edge["prefix_secret_file"] = str(folder / "prefixes")
    model = {"number": 1, "name": "tiny-eu", "context_tokens": 1024, "max_output_tokens": 512}
    catalog = {"regions": [{"number": 1, "name": "eu-fr"}], "models": [model]}
    document = {"region": "eu-fr", "catalog": catalog, "edge": edge}
    (folder / "comptoir.yaml").write_text(json.dumps(document))
    return load_settings(EdgeSettings, section="edge", path=folder / "comptoir.yaml", environ={})


def test_edges_with_one_secret_digest_alike_and_one_without_makes_its_own(tmp_path: Path) -> None:
    given = settings_of(tmp_path, "ab" * 32)
    assert prefix_secret(given) == prefix_secret(given) == bytes.fromhex("ab" * 32)
    alone = settings_of(tmp_path, None)
    assert len(prefix_secret(alone)) == 32
    assert prefix_secret(alone) != prefix_secret(alone)


def test_an_edge_does_not_start_with_a_secret_of_another_length(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="32 bytes"):
        prefix_secret(settings_of(tmp_path, "abcd"))


def loaded(folder: Path, section: dict[str, Any]) -> EdgeSettings:
    model = {"number": 1, "name": "tiny-eu", "context_tokens": 1024, "max_output_tokens": 256}
    own = {"listen": {"port": 0}, "emitter": {"address": f"unix:{folder}/emitter"}, **section}
    (folder / "comptoir.yaml").write_text(json.dumps({"catalog": {"models": [model]}, "edge": own}))
    return load_settings(EdgeSettings, section="edge", path=folder / "comptoir.yaml", environ={})


ROUTERS = {"further_routers": [{"address": "unix:/two"}]}


@pytest.mark.parametrize(
    ("told", "shares"),
    [
        ({**ROUTERS, "spread_over_routers": True}, True),
        (ROUTERS, False),
        ({"spread_over_routers": True}, False),
    ],
)
def test_routers_share_where_there_are_several_and_the_settings_say_so(
    tmp_path: Path, told: dict[str, Any], *, shares: bool
) -> None:
    settings = loaded(tmp_path, {"router": {"address": "unix:/one"}, **told})
    assert (router_spread(settings, PrefixDigests(bytes(32))) is not None) is shares


async def test_nobody_looks_at_routers_whose_connections_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    async def look(nearest: NearestRouter) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            said.append("looked for the last time")

    async def close(router: RouterClient) -> None:
        said.append("closed")

    monkeypatch.setattr(NearestRouter, "watch", look)
    monkeypatch.setattr(RouterClient, "close", close)
    document = {
        "router": {"address": f"unix:{tmp_path}/one"},
        "further_routers": [{"address": f"unix:{tmp_path}/two"}],
        "drain_events_seconds": 0,
    }
    parts = Parts()
    edge = Edge(loaded(tmp_path, document), SystemClock())
    await edge.start(parts)
    await asyncio.sleep(0)
    await edge.drain()
    await parts.end()
    assert said == ["looked for the last time", "closed", "closed"]
