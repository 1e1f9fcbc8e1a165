"""Counting leases changes nothing for their callers, and the counts add up."""

import random
from collections import Counter

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from services.router.adapters import counted_leases
from services.router.adapters.counted_leases import CountedLeases
from services.router.adapters.memory_leases import MemoryLeases
from services.router.domain.tenancy import Quota
from services.runtime.errors import ComptoirError
from services.runtime.identity import Identity
from tests.contracts.lease_store import NOW, LeaseStoreContract, lease


class TestCountedLeases(LeaseStoreContract):
    @pytest.fixture
    def leases(self) -> CountedLeases:
        return CountedLeases(MemoryLeases())


async def test_reserved_leases_are_those_that_ended_and_those_in_flight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")
    monkeypatch.setattr(counted_leases, "counter", lambda name, **_: meter.create_counter(name))
    leases, chance, in_flight = CountedLeases(MemoryLeases()), random.Random(7), set()
    for number in range(200):
        try:
            await leases.reserve(lease(number, quota=Quota(concurrency=20)), NOW + number)
            in_flight.add(Identity(0, number))
        except ComptoirError:
            await leases.settle(in_flight.pop(), 1, NOW)
        close = chance.choice([leases.release, leases.cancel, None])
        if close is not None and in_flight:
            await close(in_flight.pop(), NOW)
        if number % 20 == 0 and in_flight:
            await leases.lose([in_flight.pop()])
    in_flight.difference_update(await leases.expire(NOW + 600))
    counts = _counts(reader)
    ended = sum(counts[name] for name in ("settled", "released", "cancelled", "lost", "expired"))
    assert counts["reserved"] == ended + len(in_flight)
    assert all(counts[name] for name in ("reserved", "settled", "released", "cancelled", "lost", "expired"))


def _counts(reader: InMemoryMetricReader) -> Counter[str]:
    counts: Counter[str] = Counter()
    data = reader.get_metrics_data()
    assert data is not None
    for point in data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points:
        assert point.attributes is not None
        counts[str(point.attributes["transition"])] += getattr(point, "value", 0)
    return counts
