"""Batch goes to the cheapest GPU class that has room, and to a dearer one only where the wait is too long."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.batch_holding import BatchRules
from services.router.domain.limits import GpuPrice, RouterLimits
from services.router.domain.placement.asking import Ask
from services.router.domain.placement.cheapest_class import of_cheapest_class
from services.router.domain.placement.filters import is_full
from services.router.domain.placement.placing import place
from services.router.domain.placement.replica import Load, Replica
from tests.fakes.router import IDLE, ask, busy, changed_limits, replica

# An old one, a new one that costs three times as much, and one of which nobody knows the price.
OLD, NEW, UNPRICED = 1, 2, 9
PRICES = (GpuPrice(gpu_class=OLD, price_per_hour=1.0), GpuPrice(gpu_class=NEW, price_per_hour=3.0))
LIMITS = changed_limits(gpu_prices=PRICES, batch=BatchRules(spill_seconds=2.0))
BATCH = replace(ask(), is_batch=True)
KEEPING = replace(BATCH, may_spill=False)

POOLS = st.lists(
    st.tuples(st.sampled_from([0, OLD, NEW, UNPRICED]), st.integers(0, 6), st.integers(0, 100_000)),
    min_size=1,
    max_size=6,
).map(
    lambda drawn: [
        replica(
            number,
            gpu_class=gpu_class,
            in_flight=in_flight,
            load=busy(waiting_input_tokens=waiting, input_tokens_per_second=1_000),
        )
        for number, (gpu_class, in_flight, waiting) in enumerate(drawn, start=1)
    ]
)


def chosen(*replicas: Replica, of: Ask = BATCH, limits: RouterLimits = LIMITS) -> int:
    return place(replicas, of, limits=limits).replica


def waiting(seconds: float) -> Load:
    return busy(waiting_input_tokens=round(seconds * 1_000), input_tokens_per_second=1_000)


def test_batch_takes_the_cheapest_class_however_idle_the_dearer_one_is() -> None:
    old, new = replica(1, gpu_class=OLD, load=waiting(1.5)), replica(2, gpu_class=NEW, load=IDLE)
    assert chosen(old, new) == 1
    assert chosen(old, new, of=ask()) == 2, "other classes go to the one with the least work"


def test_it_spills_over_where_it_would_wait_too_long_or_the_cheaper_are_full() -> None:
    new = replica(2, gpu_class=NEW)
    assert chosen(replica(1, gpu_class=OLD, load=waiting(2.5)), new) == 2
    assert chosen(replica(1, gpu_class=OLD, in_flight=4), new) == 2
    # Where it would wait too long everywhere, nothing is won by the dearer one.
    long = replica(2, gpu_class=NEW, load=waiting(2.5))
    assert chosen(replica(1, gpu_class=OLD, load=waiting(9.0)), long) == 1


def test_it_spills_over_where_it_would_be_done_too_late_by_the_recent_pace() -> None:
    def paced(number: int, gpu_class: int, rate: int) -> Replica:
        return replica(number, gpu_class=gpu_class, load=busy(running=1, output_tokens_per_second=rate))

    old, new = paced(1, OLD, 50), paced(2, NEW, 100)
    assert chosen(old, new, of=replace(BATCH, output_tokens=100)) == 1, "a second later"
    assert chosen(old, new, of=replace(BATCH, output_tokens=300)) == 2, "three seconds later"
    assert chosen(old, paced(2, NEW, 60), of=replace(BATCH, output_tokens=300)) == 1, "both are slow"


def test_it_waits_for_the_cheapest_where_it_may_not_spill() -> None:
    full, new = replica(1, gpu_class=OLD, in_flight=4), replica(2, gpu_class=NEW)
    with pytest.raises(ComptoirError) as refusal:
        chosen(full, new, of=KEEPING)
    assert refusal.value.reason is Reason.REPLICA_OVERLOADED
    assert chosen(replica(1, gpu_class=OLD, load=waiting(9.0)), new, of=KEEPING) == 1
    assert chosen(new, of=KEEPING) == 2, "the cheapest of those that are ready"


def test_a_class_without_a_price_is_the_dearest() -> None:
    unpriced, unknown = replica(1, gpu_class=UNPRICED), replica(2)
    assert chosen(unpriced, unknown, replica(3, gpu_class=NEW)) == 3
    assert chosen(unpriced, unknown) == 1


def test_without_prices_batch_goes_where_others_go() -> None:
    old, new = replica(1, gpu_class=OLD, load=waiting(1.5)), replica(2, gpu_class=NEW)
    assert chosen(old, new, limits=changed_limits()) == 2


@given(POOLS, st.booleans())
def test_what_is_left_is_free_and_of_one_price_and_nothing_cheaper_had_room(
    pool: list[Replica], may_spill: bool
) -> None:
    free = [one for one in pool if not is_full(one)]
    if not free:
        return
    found = of_cheapest_class(free, pool, replace(BATCH, may_spill=may_spill), LIMITS)
    prices = LIMITS.price_of_gpu_class

    def price(one: Replica) -> float:
        return prices.get(one.registration.gpu_class, float("inf"))

    assert len({price(one) for one in found}) <= 1
    assert all(one in free for one in found)
    if may_spill:
        assert found, "a request that may spill finds a place wherever one is free"
        cheaper = [one for one in free if price(one) < price(found[0])]
        soon = [one for one in cheaper if one.load and (one.load.waiting_input_tokens or 0) < 1_000]
        assert not soon
    else:
        assert {price(one) for one in found} <= {min(map(price, pool))}
        assert bool(found) == any(price(one) == min(map(price, pool)) for one in free)


@given(POOLS)
def test_every_replica_of_the_class_is_left_for_the_policy(pool: list[Replica]) -> None:
    found = of_cheapest_class(pool, pool, BATCH, LIMITS)
    same = {one.registration.gpu_class for one in found}
    assert [one for one in pool if one.registration.gpu_class in same] == [
        one for one in found if one.registration.gpu_class in same
    ]
