"""Three processes on one Valkey, of which one is killed, and the Valkey too: exact, and nothing is left."""

import asyncio
import itertools
import sys
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError
from services.router.adapters.lease_stores import open_lease_store
from services.router.domain.amount import Amount
from services.router.domain.lease import Reservation, lease_of
from services.router.domain.quota import Payer, Quotas
from services.router.domain.tenancy import UNLIMITED
from services.router.settings import LeaseStoreSettings
from tests.system.lease_hammer import LASTS_SECONDS, PLACES, RATES, TOKENS
from tests.valkey_process import ValkeyProcess

pytestmark = [pytest.mark.system, pytest.mark.guarantee]
_SECONDS: Final = 6.0
_ROUNDING: Final = 1


class Held(NamedTuple):
    """A lease: when it was asked for at the earliest, and for how long it was certainly held."""

    key: int
    asked: float
    start: float
    end: float
    is_settled: bool


def _held(folder: Path) -> list[Held]:
    """Every lease that was held, of those that died too.

    A process that stands still may hold one for longer than it lasts, which is so long after it was asked for
    at the least. One that died has not said until when it held its last one.
    """
    lines = [line.split() for file in folder.glob("held-*.*") for line in file.read_text().splitlines()]
    return [
        Held(int(key), float(asked), float(taken), _end(asked, *more), more[-1:] == ["settled"])
        for key, asked, taken, *more in (line for line in lines if len(line) > 2)
    ]


def _end(asked: str, until: str = "-inf", _became: str = "") -> float:
    return min(float(until), float(asked) + LASTS_SECONDS)


def _most_at_once(held: list[tuple[float, float]]) -> int:
    changes = sorted(change for start, end in held if start < end for change in ((start, 1), (end, -1)))
    return max(itertools.accumulate(step for _, step in changes))


async def test_limits_are_exact_and_nothing_is_left_when_a_router_and_the_server_are_killed(
    tmp_path: Path,
) -> None:
    server = ValkeyProcess(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    server.start()
    await server.ready()
    command = [sys.executable, "-m", "tests.system.lease_hammer", str(server.socket)]
    hammers = [
        await asyncio.create_subprocess_exec(*command, str(tmp_path / f"held-{number}"), str(_SECONDS))
        for number in range(3)
    ]
    try:
        await asyncio.sleep(_SECONDS / 3)
        hammers[0].kill()
        await asyncio.sleep(_SECONDS / 6)
        server.kill()
        server.start()
        await server.ready()
        async with asyncio.timeout(120):
            codes = [await hammer.wait() for hammer in hammers[1:]]
        assert codes == [0, 0]
        held = _held(tmp_path)
        places = [(one.start, one.end) for one in held if one.key == 1]
        rates = [one for one in held if one.key == 2]
        assert 1 < _most_at_once(places) <= PLACES.concurrency, "oversold"
        assert len(places) > 100, "the load was none"
        minutes = 1 + (max(one.start for one in rates) - min(one.asked for one in rates)) / 60
        assert len(rates) <= RATES.requests_per_minute * minutes + _ROUNDING, "oversold"
        # What nobody accepted or settled came back.
        used_tokens = TOKENS * sum(one.is_settled for one in rates)
        assert used_tokens <= RATES.tokens_per_minute * minutes + _ROUNDING * TOKENS, "oversold"
        await _nothing_is_left(server)
    finally:
        for hammer in hammers:
            if hammer.returncode is None:
                hammer.kill()
                await hammer.wait()
        server.kill()


async def _nothing_is_left(server: ValkeyProcess) -> None:
    """All places can be taken once what was abandoned has ended."""
    settings = LeaseStoreSettings(address=f"unix:{server.socket}", timeout_seconds=30)
    store = open_lease_store(settings, SystemClock(), region=1)
    taken = 0
    async with asyncio.timeout(LASTS_SECONDS + 60):
        while taken < PLACES.concurrency:
            await store.expire()
            try:
                await store.reserve(
                    Reservation(lease_of(1), Payer(1, 1), Quotas(PLACES, UNLIMITED), Amount(1), 600.0)
                )
                taken += 1
            except ComptoirError:
                await asyncio.sleep(0.1)
    await store.close()
