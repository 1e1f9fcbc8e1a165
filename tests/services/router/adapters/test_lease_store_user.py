"""The user that routers are at Redis or Valkey may do what they do, and nothing that harms the server."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError

from services.cli.secrets.layout import FOLLOWING, LEASE_STORE_COMMANDS
from services.router.adapters.lease_calls import FUNCTIONS, LeaseCalls
from services.router.adapters.redis_leases import RedisLeases
from tests.contracts.leases import lease, settle
from tests.valkey_process import ValkeyProcess

PASSWORD = "0" * 64
DOCS = Path(__file__).parents[4] / "docs"
# Of the client, of its connections and of `comptoir doctor`; all others are what functions call.
BESIDE_FUNCTIONS = {"function|load", "fcall", "client|setinfo", "ping"}
HARMFUL = (
    "FLUSHALL",
    "FLUSHDB",
    "CONFIG GET *",
    "CONFIG SET appendonly no",
    "KEYS *",
    "SCAN 0",
    "DEBUG SLEEP 0",
    "FUNCTION FLUSH",
    "FUNCTION DELETE x",
    "FUNCTION LIST",
    "SCRIPT FLUSH",
    "EVAL return(1) 0",
    "SHUTDOWN NOSAVE",
    "REPLICAOF NO ONE",
    "MONITOR",
    "CLIENT LIST",
    "ACL WHOAMI",
    "SAVE",
    "SWAPDB 0 1",
    "PUBLISH x y",
    "RENAME comptoir:a comptoir:b",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyProcess]:
    folder = tmp_path_factory.mktemp("valkey")
    users = folder / "users.acl"
    users.write_text(FOLLOWING["valkey/users.acl"].content(PASSWORD))
    process = ValkeyProcess(folder, "--aclfile", str(users), "--enable-debug-command", "yes")
    process.start()
    asyncio.run(process.ready())
    yield process
    process.kill()


@pytest.fixture
async def client(server: ValkeyProcess) -> AsyncIterator[Redis]:
    client = Redis(
        unix_socket_path=str(server.socket),
        username="comptoir",
        password=PASSWORD,
        socket_timeout=10.0,
        retry=Retry(NoBackoff(), 0),
    )
    yield client
    await client.aclose()


def test_what_it_may_do_is_what_functions_call_and_no_more() -> None:
    called = {name.lower() for name in re.findall(r"redis\.call\('([A-Z]+)'", FUNCTIONS)}
    assert len(re.findall(r"redis\.p?call", FUNCTIONS)) == len(
        re.findall(r"redis\.call\('[A-Z]+'", FUNCTIONS)
    )
    assert set(LEASE_STORE_COMMANDS) == called | BESIDE_FUNCTIONS


async def test_it_loads_the_functions_and_they_work_by_the_clock_of_the_server(client: Redis) -> None:
    store = RedisLeases(LeaseCalls(client))
    await store.reserve(lease(1))
    await settle(store, 2, 5)


@pytest.mark.parametrize("command", HARMFUL)
async def test_it_may_not_do_what_harms_the_server_or_others(client: Redis, command: str) -> None:
    with pytest.raises(NoPermissionError):
        await client.execute_command(*command.split())  # type: ignore[no-untyped-call] # the library's


@pytest.mark.parametrize("command", ["GET other", "SET other 1", "DEL other"])
async def test_it_may_not_touch_keys_of_others(client: Redis, command: str) -> None:
    with pytest.raises(NoPermissionError):
        await client.execute_command(*command.split())  # type: ignore[no-untyped-call] # the library's


async def test_who_has_no_password_may_ask_whether_it_lives_and_nothing_else(server: ValkeyProcess) -> None:
    client = server.client()
    assert await client.ping()
    with pytest.raises(NoPermissionError):
        await client.get("comptoir:x")
    await client.aclose()


def test_operations_say_the_same_rights() -> None:
    said = " ".join(f"+{name}" for name in LEASE_STORE_COMMANDS)
    assert f"~comptoir:* resetchannels -@all {said}" in (DOCS / "operations.md").read_text()
