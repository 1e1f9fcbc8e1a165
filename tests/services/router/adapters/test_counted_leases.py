"""Counting leases changes nothing for their callers, and the counts add up."""

import random
from collections import Counter

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity
from services.router.adapters import counted_leases
from services.router.adapters.counted_leases import CountedLeases
from services.router.adapters.memory_leases import MemoryLeases
from services.router.domain.tenancy import Quota
from tests.contracts.lease_store import NOW, LeaseStoreContract, accept, issue, lease, process, settle

TAKEN = ("reserved", "accepted_unreserved", "recovered")
FREED = ("settled", "released", "cancelled", "lost", "expired")
OTHERS = ("accepted", "accepted_again", "accepted_late", "settled_unreserved", "settled_after_loss")


class TestCountedLeases(LeaseStoreContract):
    @pytest.fixture
    def leases(self) -> CountedLeases:
        return CountedLeases(MemoryLeases())


async def test_places_that_were_taken_are_those_that_are_free_again_and_those_in_flight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")
    monkeypatch.setattr(counted_leases, "counter", lambda name, **_: meter.create_counter(name))
    memory = MemoryLeases()
    leases, chance = CountedLeases(memory), random.Random(7)
    for number in range(600):
        now_seconds = NOW + number / 10
        try:
            await leases.reserve(lease(number, quota=Quota(concurrency=30)), now_seconds)
        except ComptoirError:
            await leases.expire(now_seconds)
            continue
        await issue(leases, number, attempts=2)
        for _ in range(3):
            await _something(leases, chance, number - chance.randrange(20), now_seconds)
    counts = _counts(reader)
    taken = sum(counts[name] for name in TAKEN)
    assert taken == sum(counts[name] for name in FREED) + memory._book.in_flight
    assert all(counts[name] for name in (*TAKEN, *FREED, *OTHERS, "handed_back", "settled_again"))


async def _something(leases: CountedLeases, chance: random.Random, number: int, now_seconds: float) -> None:
    attempt, lease_id = chance.choice((1, 2)), Identity(0, number)
    match chance.randrange(8):
        case 0 | 1 | 2:
            await accept(leases, number, attempt, now_seconds=now_seconds)
        case 3 | 4:
            is_unserved = chance.random() < 0.3
            await settle(leases, number, 5, attempt, is_unserved=is_unserved, now_seconds=now_seconds)
        case 5:
            await leases.release(lease_id, now_seconds)
        case 6:
            await leases.cancel(lease_id, now_seconds)
        case _ if chance.random() < 0.1:
            await leases.lose(process(attempt), now_seconds)


def _counts(reader: InMemoryMetricReader) -> Counter[str]:
    counts: Counter[str] = Counter()
    data = reader.get_metrics_data()
    assert data is not None
    for point in data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points:
        assert point.attributes is not None
        counts[str(point.attributes["transition"])] += getattr(point, "value", 0)
    return counts
