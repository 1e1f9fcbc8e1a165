"""Calls of one moment are one round trip; a store that is away, or comes back empty, is told apart."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState
from services.router.adapters import lease_calls
from services.router.adapters.lease_calls import FUNCTIONS, LeaseCalls, Library
from services.router.adapters.redis_leases import RedisLeases
from services.router.domain.tenancy import Quota
from tests.contracts.leases import lease, reserve
from tests.valkey_process import ValkeyProcess

ONE, WIDE = Quota(concurrency=1), Quota(requests_per_minute=100)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyProcess]:
    process = ValkeyProcess(tmp_path)
    process.start()
    yield process
    process.kill()


async def _refused(store: RedisLeases, number: int) -> None:
    with pytest.raises(ComptoirError) as refusal:
        await store.reserve(lease(number))
    assert refusal.value.reason is Reason.QUOTA_UNAVAILABLE
    assert refusal.value.retry_after_seconds > 0


async def _back(store: RedisLeases, number: int) -> QuotaState:
    """What the store answers once it is asked again: while it rests, calls fail at once."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await store.reserve(lease(number, quota=WIDE))
            except ComptoirError as error:
                assert error.reason is Reason.QUOTA_UNAVAILABLE  # noqa: PT017 - it is not back yet
                await asyncio.sleep(0.05)


async def test_calls_of_one_moment_are_one_round_trip(server: ValkeyProcess) -> None:
    await server.ready()
    client = server.client()
    store = RedisLeases(LeaseCalls(client))
    await reserve(store, 10**6, key=9)
    trips = 0
    pipeline = client.pipeline

    def counted(*, transaction: bool) -> object:
        nonlocal trips
        trips += 1
        return pipeline(transaction=transaction)

    client.pipeline = counted  # type: ignore[assignment,method-assign] # looked at, not changed
    quota = Quota(concurrency=60)
    states = await asyncio.gather(*(store.reserve(lease(number, quota=quota)) for number in range(60)))
    assert (len(states), trips) == (60, 1)
    await store.close()


async def test_a_server_that_was_restarted_without_anything_gets_the_functions_again(
    server: ValkeyProcess,
) -> None:
    await server.ready()
    store = RedisLeases(LeaseCalls(server.client()))
    await reserve(store, 1)
    server.kill()
    await _refused(store, 2)
    # At once, without a question to the server.
    await _refused(store, 3)
    server.start()
    await server.ready()
    assert (await _back(store, 4)).remaining_requests == 99
    await store.close()


async def test_for_how_long_the_server_is_away_is_known_and_nothing_once_it_is_back(
    server: ValkeyProcess,
) -> None:
    await server.ready()
    calls = LeaseCalls(server.client())
    store = RedisLeases(calls)
    await _back(store, 1)
    assert calls.away_seconds == 0
    server.kill()
    await _refused(store, 2)
    first_seconds = calls.away_seconds
    await _refused(store, 3)
    assert 0 < first_seconds < calls.away_seconds
    server.start()
    await server.ready()
    await _back(store, 4)
    assert calls.away_seconds == 0
    await store.close()


async def test_a_server_that_hangs_is_waited_for_no_longer_than_the_settings_say(
    server: ValkeyProcess,
) -> None:
    await server.ready()
    store = RedisLeases(LeaseCalls(server.client(), timeout_seconds=0.2))
    # It says nothing in time on a busy machine, too.
    await _back(store, 1)
    server.hang()
    async with asyncio.timeout(10):
        await asyncio.gather(*(_refused(store, number) for number in range(2, 9)))
    server.go_on()
    await _back(store, 9)
    await store.close()


async def test_a_defect_of_the_client_is_an_answer_to_each_caller_and_the_next_call_works(
    server: ValkeyProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.ready()
    client = server.client()
    store = RedisLeases(LeaseCalls(client))
    with monkeypatch.context() as broken:
        broken.setattr(client, "pipeline", mock.Mock(side_effect=LookupError))
        async with asyncio.timeout(10):
            await asyncio.gather(*(_refused(store, number) for number in range(3)))
    await _back(store, 4)
    await store.close()


async def test_a_server_that_follows_another_one_now_is_connected_to_anew(server: ValkeyProcess) -> None:
    await server.ready()
    client, operator = server.client(), server.client()
    store = RedisLeases(LeaseCalls(client))
    await reserve(store, 1)
    first = await client.client_id()
    await operator.replicaof("127.0.0.1", "1")
    await _refused(store, 2)
    # At once, without a question to the server.
    await _refused(store, 3)
    await operator.replicaof("NO", "ONE")
    await _back(store, 4)
    assert await client.client_id() != first
    await operator.aclose()
    await store.close()


async def test_a_refusal_of_the_server_that_lasts_is_one_line_of_the_log(
    server: ValkeyProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    await server.ready()
    store, operator = RedisLeases(LeaseCalls(server.client())), server.client()
    await reserve(store, 1)
    await operator.config_set("maxmemory", 1)
    for numbers in (range(2, 6), range(6, 10)):
        await asyncio.gather(*(_refused(store, number) for number in numbers))
    assert capsys.readouterr().out.count("lease_function_failed") == 1
    await operator.config_set("maxmemory", 0)
    await _back(store, 10)
    await operator.aclose()
    await store.close()


async def test_a_reservation_whose_caller_went_away_is_not_left(server: ValkeyProcess) -> None:
    await server.ready()
    store = RedisLeases(LeaseCalls(server.client()))
    await store.expire()
    asking = asyncio.ensure_future(store.reserve(lease(1, quota=ONE)))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await store.reserve(lease(2, quota=ONE))
    await store.close()


async def test_a_caller_that_goes_away_while_the_store_is_away_is_cancelled_and_not_refused(
    server: ValkeyProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = LeaseCalls(server.client())
    store = RedisLeases(calls)
    asking = asyncio.ensure_future(store.reserve(lease(1)))
    await asyncio.sleep(0)
    monkeypatch.setattr(lease_calls, "_MOST_WAITING", 0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await store.close()


async def test_a_reservation_that_is_made_twice_is_lent_once(server: ValkeyProcess) -> None:
    await server.ready()
    store = RedisLeases(LeaseCalls(server.client()))
    two = Quota(requests_per_minute=10, concurrency=2)
    states = [await store.reserve(lease(1, quota=two)) for _ in range(2)]
    assert [state.remaining_requests for state in states] == [9, 9]
    await store.reserve(lease(2, quota=two))
    await store.cancel(Identity(0, 1))
    await store.reserve(lease(3, quota=two))
    await store.close()


async def test_two_versions_of_the_functions_serve_side_by_side(server: ValkeyProcess) -> None:
    await server.ready()
    old, new = (
        RedisLeases(LeaseCalls(server.client(), functions=functions))
        for functions in (FUNCTIONS, f"{FUNCTIONS}\n-- newer\n")
    )
    await old.reserve(lease(1, quota=ONE))
    with pytest.raises(ComptoirError) as refusal:
        await new.reserve(lease(2, quota=ONE))
    assert refusal.value.reason is Reason.CONCURRENCY_EXHAUSTED
    await new.cancel(Identity(0, 1))
    await old.reserve(lease(3, quota=ONE))
    await old.close()
    await new.close()


async def test_no_more_calls_wait_than_the_bound(
    server: ValkeyProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.ready()
    monkeypatch.setattr(lease_calls, "_MOST_WAITING", 4)
    store = RedisLeases(LeaseCalls(server.client()))
    asked = (store.reserve(lease(number, quota=Quota())) for number in range(9))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(answer, QuotaState) for answer in answers) == 4
    await store.close()


def test_a_library_is_named_after_its_content() -> None:
    assert Library.of(FUNCTIONS) == Library.of(FUNCTIONS)
    assert Library.of(FUNCTIONS).name != Library.of(FUNCTIONS + " ").name
    assert "LIBRARY" not in Library.of(FUNCTIONS).code
