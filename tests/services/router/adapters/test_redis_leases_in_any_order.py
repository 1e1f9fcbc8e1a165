"""Whatever happens to leases in any order, those in a real Valkey are those in memory, to the last unit."""

import asyncio
from collections.abc import Awaitable, Iterator
from typing import ClassVar, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from services.router.adapters.lease_calls import LeaseCalls
from services.router.adapters.redis_leases import RedisLeases
from services.router.domain.accounts import Accounts
from services.router.domain.spending_book import SpendingBook
from tests.fakes.spending import MemoryRecords
from tests.services.router.adapters.lease_machine import Leases
from tests.services.router.adapters.two_lease_stores import TwoLeaseStores
from tests.valkey_process import ValkeyProcess
from tests.valkey_time import FUNCTIONS_OF_SET_TIME, MILLISECONDS, advance

Got = TypeVar("Got")


class LastingAccounts(Accounts):
    """Accounts that stay, as in the server: its keys end by its own clock, and this test has another one."""

    def forget_idle(self) -> None:
        """Keeps all."""


class LeasesInTwoStores(Leases):
    """Drives both stores; what is left in the server at the end is looked for."""

    server: ClassVar[ValkeyProcess]
    loop: ClassVar[asyncio.AbstractEventLoop]

    def __init__(self) -> None:
        self.client = self.server.client()
        self.done(self.client.flushall())
        self.shared_records = MemoryRecords()
        self.shared_book = SpendingBook(self.shared_records)
        self.redis: RedisLeases | None = None
        super().__init__()

    def start(self) -> None:
        super().start()
        self.memory._accounts = LastingAccounts(self.clock, self.book)
        if self.redis is not None:
            # The server has lost its memory, and the router with it.
            self.done(self.shared_book.write())
            self.done(self.redis.close())
            milliseconds = self.done(self.client.get(MILLISECONDS)) or 0
            self.done(self.client.flushall())
            self.done(self.client.set(MILLISECONDS, milliseconds))
        self.shared_book = SpendingBook(self.shared_records)
        calls = LeaseCalls(self.server.client(), functions=FUNCTIONS_OF_SET_TIME)
        self.redis = RedisLeases(calls, self.shared_book)
        self.store = TwoLeaseStores(self.memory, self.redis)

    def done(self, call: Awaitable[Got]) -> Got:
        return self.loop.run_until_complete(call)

    # Eighths of a second, which floats have exactly, as the server has milliseconds.
    @rule(eighths=st.integers(0, 240))
    def wait(self, eighths: float) -> None:
        super().wait(eighths / 8)

    @rule(hours=st.integers(1, 40 * 24))
    def wait_long(self, hours: int) -> None:
        super().wait(hours * 3_600)

    def pass_time(self, seconds: float) -> None:
        super().pass_time(seconds)
        self.done(advance(self.client, seconds))

    def teardown(self) -> None:
        super().teardown()
        names = self.done(self.client.keys("comptoir:*"))
        kinds = {str(name).split(":")[4] for name in names}
        assert kinds <= {"key", "tenant", "ended"}, "a lease that is over has left something"
        lasting = [name for name in names if self.done(self.client.ttl(name)) < 0]
        assert lasting == []
        assert self.redis is not None
        self.done(self.redis.close())
        self.done(self.client.aclose())


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyProcess]:
    process = ValkeyProcess(tmp_path_factory.mktemp("valkey"))
    process.start()
    yield process
    process.kill()


def test_leases_in_two_stores_are_the_same_whatever_happens(server: ValkeyProcess) -> None:
    with asyncio.Runner() as runner:
        runner.run(server.ready())
        LeasesInTwoStores.server, LeasesInTwoStores.loop = server, runner.get_loop()
        run_state_machine_as_test(
            LeasesInTwoStores,
            settings=settings(max_examples=40, stateful_step_count=40, deadline=None),
        )
