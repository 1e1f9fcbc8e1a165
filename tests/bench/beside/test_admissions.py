import asyncio
import itertools

import pytest

from tests.bench.beside.admission_load import JOINED, UNARY, AdmissionLoad, Asked, Asking, arrivals
from tests.bench.beside.results import Admissions, Results
from tests.bench.beside.tables import document


def admissions(way: str, rate: float, number: int, *, durable: int, router: float) -> Admissions:
    return Admissions(
        way=way,
        rate=rate,
        in_flight=64,
        round=number,
        durable=durable,
        failures={"UNAVAILABLE": 2},
        ticket_p50_seconds=0.0005,
        ticket_p99_seconds=0.001,
        p50_seconds=0.002,
        p99_seconds=0.004,
        window_seconds=10.0,
        cpu_seconds={"router": router, "emitter": 1.0},
    )


def test_a_row_holds_the_rate_the_waits_and_what_a_core_of_the_router_makes() -> None:
    measured = [
        admissions(JOINED, 0.0, 1, durable=20_000, router=8.0),
        admissions(JOINED, 0.0, 2, durable=20_000, router=10.0),
        admissions(UNARY, 1000.0, 1, durable=10_000, router=8.0),
    ]
    text = document(Results({"cores": "2 cores"}, {}, {}, admissions=measured))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    joined = next(row for row in rows if row[0] == JOINED)
    assert joined[:7] == [JOINED, "64 in flight", "2000", "0.5", "1.0", "2.0", "4.0"]
    assert joined[7:9] == ["2250 (2000 to 2500)", "450 (400 to 500)"]
    unary = next(row for row in rows if row[0] == UNARY)
    assert unary == [UNARY, "1000/s", "1000", "0.5", "1.0", "2.0", "4.0", "1250", "800", "100", "2"]


def test_arrivals_come_at_their_rate_and_the_same_each_time() -> None:
    first = list(itertools.islice(arrivals(1000.0, 7), 20_000))
    assert first == list(itertools.islice(arrivals(1000.0, 7), 20_000))
    assert first == sorted(first)
    assert first[-1] == pytest.approx(20.0, rel=0.05)


class Refusing:
    """A caller that admits every second request, each at its next turn, and has all records in another."""

    def __init__(self) -> None:
        self.begun = 0

    def begin(self, asked: Asked) -> None:
        self.begun += 1
        loop = asyncio.get_running_loop()
        if self.begun % 2:
            loop.call_later(0.001, asked.admitted)
            loop.call_later(0.003, asked.ended, "")
        else:
            loop.call_later(0.001, asked.ended, "RATE_LIMITED")

    async def close(self) -> None:
        return


async def test_what_was_refused_is_no_admission_and_is_asked_for_again() -> None:
    caller = Refusing()
    asking = Asking(caller, AdmissionLoad(JOINED, 0.0, 4, 0.01, 0.1))
    await asking.run()
    assert caller.begun > 4
    assert asking.durable == len(asking.waits_seconds) > 0
    assert asking.failures.keys() == {"RATE_LIMITED"}
    assert min(asking.ticket_waits_seconds) < min(asking.waits_seconds)
