"""What one caller reserves and does not use, or uses and gives back, costs others seconds at most."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from services.kernel.errors import Reason
from services.runtime.grpc.status import error_from
from tests.system.serving_processes import MODEL, ServingProcesses

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

CHAT: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "Bonjour"}]}
# Tickets live for 10 s, and the router hears of their use within 2 s more; the rest is a busy machine.
TICKETS_END_SECONDS = 12 + 18


@asynccontextmanager
async def serving(folder: Path, **settings: Any) -> AsyncIterator[ServingProcesses]:
    processes = ServingProcesses(folder, **settings)
    try:
        await processes.start()
        yield processes
    finally:
        await processes.stop()


async def until(ask: Callable[[], Awaitable[bool]], seconds: float) -> float:
    """Asks until the answer is yes; how long that took."""
    began_seconds = time.monotonic()
    async with asyncio.timeout(seconds):
        while not await ask():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.1)
    return time.monotonic() - began_seconds


async def is_admitted(processes: ServingProcesses, api_key: str) -> bool:
    try:
        await processes.admit(api_key)
    except grpc.aio.AioRpcError:
        return False
    return True


async def has_places(processes: ServingProcesses, api_key: str, count: int) -> bool:
    """Whether so many requests are admitted side by side; each is used, so that asking leaves nothing."""
    calls = [processes.admit(api_key, max_output_tokens=1) for _ in range(count)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    admitted = [result for result in results if not isinstance(result, BaseException)]
    await asyncio.gather(*(_used_tokens(processes.generate(one.offer)) for one in admitted))
    return len(admitted) == count


async def reason_of(call: Awaitable[object]) -> Reason:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return error_from(failure.value).reason


def chat(client: httpx.AsyncClient, api_key: str, **fields: Any) -> Awaitable[httpx.Response]:
    headers = {"authorization": f"Bearer {api_key}"}
    return client.post("/v1/chat/completions", json={**CHAT, **fields}, headers=headers)


async def test_256_admissions_that_are_never_used_keep_others_out_for_seconds_only(tmp_path: Path) -> None:
    async with serving(tmp_path) as processes, _client(processes) as client:
        abuser, other = await processes.key("abuser", concurrency=256), await processes.key("other")
        await until(lambda: is_admitted(processes, other), 30)
        for _ in range(255):
            await processes.admit(abuser)

        async def is_answered() -> bool:
            return (await chat(client, other)).status_code == httpx.codes.OK

        assert await until(is_answered, 15) < 10
        await until(lambda: is_admitted(processes, abuser), TICKETS_END_SECONDS)


async def test_a_cancelled_admit_keeps_its_key_out_for_seconds_only(tmp_path: Path) -> None:
    async with serving(tmp_path) as processes:
        api_key = await processes.key("acme", concurrency=60)
        await until(lambda: is_admitted(processes, api_key), 30)
        for number in range(1_000):
            call = asyncio.ensure_future(processes.admit(api_key))
            await asyncio.sleep(0.0005 * (number % 8))
            call.cancel()

        await until(lambda: has_places(processes, api_key, 60), TICKETS_END_SECONDS)


async def test_an_edge_that_is_killed_frees_the_places_of_its_requests_within_seconds(tmp_path: Path) -> None:
    slow = {"simulated": {"answer_tokens": 900, "itl_seconds": 0.1}}
    async with serving(tmp_path, generator=slow) as processes:
        api_key = await processes.key("acme", concurrency=64)
        async with httpx.AsyncClient(
            base_url=processes.base_url, timeout=60, limits=httpx.Limits(max_connections=None)
        ) as client:
            await _until_ready(client)
            asking = [asyncio.ensure_future(chat(client, api_key)) for _ in range(64)]
            # Some are admitted, some accepted, some not even read.
            await asyncio.sleep(0.15)
            processes.kill("edge")
            await asyncio.gather(*asking, return_exceptions=True)

        await until(lambda: has_places(processes, api_key, 64), TICKETS_END_SECONDS)


async def test_a_replica_that_is_killed_frees_the_places_of_its_requests_within_seconds(
    tmp_path: Path,
) -> None:
    slow = {"simulated": {"answer_tokens": 900, "itl_seconds": 0.1}}
    async with serving(tmp_path, replicas=2, generator=slow) as processes:
        api_key = await processes.key("acme", concurrency=1)
        await until(lambda: _has_offers(processes, api_key, 2), TICKETS_END_SECONDS)
        admitted = await _admitted(processes, api_key)
        call = processes.generate(admitted.offer)
        await call.read()
        replica = admitted.offer.generator_address.rpartition("/")[2]
        await asyncio.sleep(0.5)
        assert await reason_of(processes.admit(api_key)) is Reason.CONCURRENCY_EXHAUSTED
        processes.kill(replica)
        assert await until(lambda: is_admitted(processes, api_key), 30) < 20


async def test_a_lease_that_is_released_while_it_is_used_is_charged(tmp_path: Path) -> None:
    slow = {"simulated": {"itl_seconds": 0.02}}
    async with serving(tmp_path, generator=slow) as processes:
        api_key = await processes.key("acme", tokens_per_minute=2_000, concurrency=2)
        await until(lambda: is_admitted(processes, api_key), 30)
        began_seconds, used_tokens, streams = time.monotonic(), 0, 0

        async def attack(*, releases_first: bool) -> int:
            nonlocal streams
            admitted = await processes.admit(api_key, max_output_tokens=160)
            if releases_first:
                await processes.release(admitted)
            call = processes.generate(admitted.offer)
            await call.read()
            streams += 1
            await processes.release(admitted)
            return await _used_tokens(call)

        while time.monotonic() < began_seconds + 7:
            attacks = [attack(releases_first=bool(number % 2)) for number in range(6)]
            results = await asyncio.gather(*attacks, return_exceptions=True)
            used_tokens += sum(result for result in results if isinstance(result, int))
        lent_tokens = 2_000 * (1 + (time.monotonic() - began_seconds) / 60)
        assert 0 < used_tokens <= lent_tokens, f"{used_tokens} tokens over {streams} streams"


async def test_every_ticket_that_is_used_of_one_lease_is_charged(tmp_path: Path) -> None:
    async with serving(tmp_path, replicas=3) as processes:
        api_key, other = await processes.key("acme", tokens_per_minute=1_000), await processes.key("other")
        await until(lambda: _has_offers(processes, other, 3), 30)
        began_seconds = time.monotonic()
        admitted = await processes.admit(api_key)
        more = [await processes.next_offer(api_key, admitted) for _ in range(2)]
        offers = [admitted.offer, *more]
        used = await asyncio.gather(*(_used_tokens(processes.generate(offer)) for offer in offers))

        async def is_charged() -> bool:
            asked = await processes.admit(api_key)
            await processes.release(asked)
            came_back = 1_000 / 60 * (time.monotonic() - began_seconds)
            return bool(asked.quota.remaining_tokens <= 1_000 - sum(used) - 140 + came_back)

        # In twice the time enough would have come back for one more.
        await until(is_charged, 12)
        assert min(used) > 100


async def test_a_client_that_asks_one_thing_after_another_is_never_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as processes, _client(processes) as client:
        api_key = await processes.key("acme", concurrency=1)
        await _until_ready(client)
        statuses = [(await chat(client, api_key, max_tokens=2)).status_code for _ in range(60)]
        assert statuses.count(httpx.codes.OK) == 60


async def _used_tokens(call: Any) -> int:
    while (answer := await call.read()) is not grpc.aio.EOF:
        if answer.HasField("finished"):
            return int(answer.finished.input_tokens + answer.finished.output_tokens)
    raise AssertionError("the answer is not whole")


def _client(processes: ServingProcesses) -> httpx.AsyncClient:
    # httpx's own five seconds are less than what an answer may take on a busy machine.
    return httpx.AsyncClient(base_url=processes.base_url, timeout=60)


async def _until_ready(client: httpx.AsyncClient) -> None:
    async def is_ready() -> bool:
        try:
            return (await client.get("/readyz")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    await until(is_ready, 60)


async def _has_offers(processes: ServingProcesses, api_key: str, count: int) -> bool:
    try:
        admitted = await processes.admit(api_key)
        for _ in range(count - 1):
            await processes.next_offer(api_key, admitted)
    except grpc.aio.AioRpcError:
        return False
    return True


async def _admitted(processes: ServingProcesses, api_key: str) -> Any:
    found: list[Any] = []

    async def is_found() -> bool:
        try:
            found.append(await processes.admit(api_key))
        except grpc.aio.AioRpcError:
            return False
        return True

    await until(is_found, TICKETS_END_SECONDS)
    return found[0]
