"""A replica outside the EU takes tickets under a record that it has verified itself, and no others."""

from dataclasses import replace

import pytest

from services.generator.domain.abroad import Abroad
from services.generator.domain.ticket import Replica, TicketGate
from services.kernel.catalog import Catalog, Model, Region
from services.kernel.errors import ComptoirError, Reason
from tests.services.generator.domain.test_ticket import CLAIMS, NOW, START

FRANCE = Region(number=2, name="eu-fr")
US_EAST = Region(number=1, name="us-east", country="US", is_eu=False)
TINY = Model(number=3, name="tiny-eu", context_tokens=1024, max_output_tokens=512)


class Records:
    """One record, which ends when a test says so."""

    def __init__(self) -> None:
        self.in_force = {(7, "us-east", "eu-fr")}

    def permits(self, number: int, region: str, home: str) -> bool:
        return (number, region, home) in self.in_force


def gate(records: Records) -> TicketGate:
    abroad = Abroad(Catalog(models=(TINY,), regions=(FRANCE, US_EAST)), US_EAST, records)
    return TicketGate(Replica(number=7, region=1, model=3), started_at_microseconds=START, abroad=abroad)


def reason_of(records: Records, **changes: int) -> Reason | None:
    try:
        gate(records).check(replace(CLAIMS, **changes), NOW)  # type: ignore[arg-type]
    except ComptoirError as error:
        return error.reason
    return None


def test_a_ticket_under_its_record_passes() -> None:
    assert reason_of(Records(), transfer_record=7) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"transfer_record": 0},
        {"transfer_record": 8},
        {"transfer_record": 7, "home_region": 1},
        {"transfer_record": 7, "home_region": 99},
    ],
)
def test_any_other_ticket_is_refused_though_a_router_signed_it(changes: dict[str, int]) -> None:
    assert reason_of(Records(), **changes) is Reason.REGION_NOT_ALLOWED


def test_a_record_that_ended_after_the_ticket_was_signed_permits_nothing() -> None:
    records = Records()
    records.in_force.clear()
    assert reason_of(records, transfer_record=7) is Reason.REGION_NOT_ALLOWED


def test_within_the_eu_nothing_is_under_a_record() -> None:
    within = TicketGate(Replica(number=7, region=1, model=3), started_at_microseconds=START)
    with pytest.raises(ComptoirError) as refusal:
        within.check(replace(CLAIMS, transfer_record=7), NOW)
    assert refusal.value.reason is Reason.TICKET_INVALID
