"""Only batch asks the gate, and where that holds it back it keeps to the cheapest GPU class."""

from dataclasses import replace

import pytest

from services.contract.first_tokens import FirstTokens, bucket_of
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.domain.batch_holding import BatchRules
from services.router.domain.first_places import FirstPlaces
from services.router.domain.limits import GpuPrice
from services.router.domain.offers import Want
from services.router.domain.tenancy import Priority
from tests.fakes.router import IDLE, AdmissionWorld, changed_limits

SLOW = replace(IDLE, first_tokens=FirstTokens(interactive=(0,) * bucket_of(3.0) + (100,)))
BATCH = Want(1, 100, 20, priority=Priority.BATCH)


class Placed:
    """A cheap replica with one place and a dear one, by whose answers batch is held back or not."""

    def __init__(self, *, is_slow: bool) -> None:
        rules = BatchRules(interactive_ttft_p95_seconds=1.0)
        prices = tuple(GpuPrice(gpu_class=number, price_per_hour=number) for number in (1, 2))
        self.world = AdmissionWorld(limits=changed_limits(batch=rules, gpu_prices=prices))
        self.world.add_replica(1, load=SLOW if is_slow else IDLE, gpu_class=1, max_requests=1)
        self.world.add_replica(2, gpu_class=2)
        self.places = FirstPlaces(self.world.offers, self.world.batch)

    def replica(self, want: Want) -> int:
        return self.places.place(Identity.random(), want).replica


def test_batch_goes_to_the_cheap_one_and_on_to_the_dear_one_when_that_is_full() -> None:
    placed = Placed(is_slow=False)
    assert [placed.replica(BATCH) for _ in range(2)] == [1, 2]


def test_batch_that_trickles_keeps_to_the_cheap_one() -> None:
    placed = Placed(is_slow=True)
    assert placed.replica(BATCH) == 1
    with pytest.raises(ComptoirError) as full:
        placed.replica(BATCH)
    assert full.value.reason is Reason.REPLICA_OVERLOADED
    placed.places.note_begun(BATCH)
    with pytest.raises(ComptoirError) as held:
        placed.replica(BATCH)
    assert held.value.reason is Reason.BATCH_HELD_BACK


def test_what_another_class_begins_is_no_trickle() -> None:
    placed = Placed(is_slow=True)
    want = replace(BATCH, priority=Priority.DEFAULT)
    assert {placed.replica(want), placed.replica(want)} == {1, 2}
    placed.places.note_begun(want)
    placed.world.batch.check(1)
