"""Three routers and edges under load on one Valkey: a router is killed, and the Valkey; limits stay exact."""

import asyncio
import itertools
import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio
from comptoir.usage.v1 import usage_pb2

from tests.system.region_processes import RegionProcesses
from tests.system.serving_processes import MODEL

pytestmark = [
    pytest.mark.system,
    pytest.mark.alone,
    pytest.mark.timeout(400),
    pytest.mark.asyncio(loop_scope="module"),
]

PLACES: Final = 6
# Of some 115 tokens each: what all that ask use up while a test lasts.
REQUESTS, TOKENS = 36, 4_000
CALLERS: Final = 9
# An answer takes longer than that from when it is asked for: a step of the engine for each of its tokens. Its
# place is taken as long, however late its caller hears of it.
ANSWER_SECONDS: Final = 1.9
GENERATOR: Final = {"simulated": {"ttft_seconds": 0.05, "itl_seconds": 0.02, "answer_tokens": 100}}
SPENT: Final = (429, "rate_limit_exceeded")
AWAY: Final = (503, "quota_unavailable")
OK: Final = (200, "")


@dataclass(frozen=True)
class Asked:
    """One request as its caller saw it: when it was sent, when its first text came, and when it was over."""

    sent_seconds: float
    text_seconds: float
    ended_seconds: float
    outcome: tuple[int, str]
    tokens: int = 0
    request_id: str = ""


async def ask(client: httpx.AsyncClient, api_key: str) -> Asked:
    sent_seconds, text_seconds, tokens = time.monotonic(), 0.0, 0
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Bonjour"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 100,
    }
    headers = {"authorization": f"Bearer {api_key}"}
    async with client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as response:
        if response.status_code != httpx.codes.OK:
            error = json.loads(await response.aread())["error"]
            outcome = (response.status_code, str(error["code"]))
            return Asked(sent_seconds, 0.0, time.monotonic(), outcome)
        async for line in response.aiter_lines():
            if '"content":"' in line and '"content":""' not in line:
                text_seconds = text_seconds or time.monotonic()
            if '"usage":{' in line:
                tokens = json.loads(line.removeprefix("data: "))["usage"]["total_tokens"]
            assert '"error"' not in line, "an answer that had begun failed"
    assert tokens, "an answer ended in silence"
    request_id = response.headers["x-request-id"]
    return Asked(sent_seconds, text_seconds, time.monotonic(), OK, tokens, request_id)


@dataclass
class Load:
    """Callers of two keys at every edge, for as long as something happens, and what they saw."""

    region: RegionProcesses
    keys: dict[str, str]

    async def during(self, happening: Callable[[], Awaitable[None]]) -> dict[str, list[Asked]]:
        found: dict[str, list[Asked]] = {name: [] for name in self.keys}
        is_over = asyncio.Event()

        async def call(client: httpx.AsyncClient, name: str) -> None:
            while not is_over.is_set():
                found[name].append(asked := await ask(client, self.keys[name]))
                # As a client does that is told to come again.
                await asyncio.sleep(0.0 if asked.outcome == OK else 0.2)

        async with asyncio.TaskGroup() as group:
            clients = [httpx.AsyncClient(base_url=url, timeout=60) for url in self.region.base_urls]
            callers = itertools.product(clients, self.keys, range(CALLERS // len(clients)))
            calling = [group.create_task(call(client, name)) for client, name, _ in callers]
            await happening()
            is_over.set()
            await asyncio.wait(calling)
            for client in clients:
                await client.aclose()
        return found


def most_at_once(asked: list[Asked]) -> int:
    """How many had a place at once, of those whose caller had text while they certainly had one."""
    held = [(one.text_seconds, one.sent_seconds + ANSWER_SECONDS) for one in asked if one.tokens]
    changes = [change for begins, ends in held if begins < ends for change in ((begins, 1), (ends, -1))]
    return max(itertools.accumulate(step for _, step in sorted(changes)))


def assert_rates(asked: list[Asked]) -> None:
    """All is used, and in no window is more admitted than the bucket holds and gets back meanwhile."""
    assert SPENT in {one.outcome for one in asked}
    admitted = [one for one in asked if one.tokens]
    for first in admitted:
        count = tokens = 0
        for one in sorted(admitted, key=lambda one: one.ended_seconds):
            if one.sent_seconds < first.sent_seconds:
                continue
            count, tokens = count + 1, tokens + one.tokens
            minutes = (one.ended_seconds - first.sent_seconds) / 60
            assert count <= REQUESTS * (1 + minutes)
            assert tokens <= TOKENS * (1 + minutes)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def region(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RegionProcesses]:
    folder = tmp_path_factory.mktemp("region")
    processes = RegionProcesses(folder, lease_store=request.param, generator=GENERATOR)
    try:
        await processes.start()
        yield processes
    finally:
        await processes.stop()


def request_of(event: usage_pb2.Generation | usage_pb2.Admission) -> str:
    return f"{event.request_id_high:016x}{event.request_id_low:016x}"


async def _events_of(region: RegionProcesses, names: set[str]) -> tuple[dict[str, list[int]], "Counter[str]"]:
    """The tokens of each time that these requests were generated, and how often each was admitted."""
    rows, admissions = await region.events()
    generated = {name: [tokens_of(row) for row in rows if request_of(row) == name] for name in names}
    return generated, Counter(name for name in map(request_of, admissions) if name in names)


def tokens_of(row: usage_pb2.Generation) -> int:
    return row.input_tokens + row.output_tokens


async def _load(region: RegionProcesses, killed: str) -> Load:
    places = await region.key(f"places-{killed}", concurrency=PLACES)
    rates = await region.key(f"rates-{killed}", requests_per_minute=REQUESTS, tokens_per_minute=TOKENS)
    return Load(region, {"places": places, "rates": rates})


async def all_places_are_free(load: Load) -> None:
    """All places of the key are taken side by side, and one more is not there."""

    async def are_free(client: httpx.AsyncClient) -> bool:
        asked = await asyncio.gather(*(ask(client, load.keys["places"]) for _ in range(PLACES + 2)))
        return sorted(one.outcome for one in asked) == [OK] * PLACES + [SPENT] * 2

    async with httpx.AsyncClient(base_url=load.region.base_urls[0], timeout=60) as client:
        async with asyncio.timeout(60):
            while not await are_free(client):  # noqa: ASYNC110 - it can only be asked
                await asyncio.sleep(0.1)


def outcomes(asked: dict[str, list[Asked]]) -> set[tuple[int, str]]:
    return {one.outcome for each in asked.values() for one in each}


@pytest.mark.parametrize("region", [{}], ids=["refuse"], indirect=True)
async def test_a_router_that_is_killed_costs_no_request_and_limits_stay_exact(
    region: RegionProcesses,
) -> None:
    load = await _load(region, "router")

    async def happening() -> None:
        await asyncio.sleep(5)
        region.kill("router1")
        await asyncio.sleep(5)
        region.launch("router1")
        await asyncio.sleep(5)

    asked = await load.during(happening)
    assert outcomes(asked) == {OK, SPENT}
    assert most_at_once(asked["places"]) == PLACES
    assert_rates(asked["rates"])
    await all_places_are_free(load)


@pytest.mark.parametrize("region", [{}], ids=["refuse"], indirect=True)
async def test_what_is_generated_twice_for_a_router_that_hangs_is_admitted_and_charged_for_each_time(
    region: RegionProcesses,
) -> None:
    api_key = await region.key("doubt")
    async with httpx.AsyncClient(base_url=region.base_urls[0], timeout=60) as client:
        # What is admitted now is generated, and waits to be recorded.
        region.signal("emitter", signal.SIGSTOP)
        asking = [asyncio.create_task(ask(client, api_key)) for _ in range(3)]
        await region.until_accepted(len(asking))
        region.signal("router1", signal.SIGSTOP)
        region.signal("emitter", signal.SIGCONT)
        asked = await asyncio.gather(*asking)
        region.signal("router1", signal.SIGCONT)
    assert {one.outcome for one in asked} == {OK}
    names = {one.request_id for one in asked}
    async with asyncio.timeout(120):
        generated, admitted = await _events_of(region, names)
        # What stood still with a router or an emitter comes once they go on, an answer's row last.
        while any(not len(generated[name]) == admitted[name] >= 2 for name in names):
            generated, admitted = await _events_of(region, names)
    assert all(one.tokens in generated[one.request_id] for one in asked)
    used = sum(map(sum, generated.values()))
    async with asyncio.timeout(60):
        while await region.spent_tokens("doubt") != used:  # noqa: ASYNC110 - it can only be asked
            await asyncio.sleep(0.1)


SHARE: Final[dict[str, Any]] = {"while_away": "local_share", "sharing_routers": 3}


@pytest.mark.parametrize("region", [{}, SHARE], ids=["refuse", "local_share"], indirect=True)
async def test_a_valkey_that_is_killed_refuses_or_leaves_shares_and_limits_stay_exact(
    region: RegionProcesses, request: pytest.FixtureRequest
) -> None:
    load, is_sharing = await _load(region, "valkey"), "local_share" in request.node.callspec.id
    away: list[float] = []

    async def happening() -> None:
        await asyncio.sleep(5)
        region.valkey.kill()
        away.append(time.monotonic())
        await asyncio.sleep(6)
        away.append(time.monotonic())
        region.valkey.start()
        await region.valkey.ready()
        away.append(time.monotonic())
        await asyncio.sleep(5)

    asked = await load.during(happening)
    assert outcomes(asked) <= {OK, SPENT, AWAY}
    began, starts, ended = away
    for one in (*asked["places"], *asked["rates"]):
        if one.outcome == AWAY:
            assert one.ended_seconds >= began
            assert one.sent_seconds <= ended + 5, "it is back"
    meanwhile = [one for one in asked["places"] if began + 2 < one.sent_seconds < one.text_seconds < starts]
    assert bool(meanwhile) == is_sharing
    # What ran when the Valkey went away, and all shares.
    assert most_at_once(asked["places"]) <= PLACES * (1 + is_sharing)
    assert_rates(asked["rates"])
    await all_places_are_free(load)
