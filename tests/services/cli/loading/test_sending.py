"""Several shares of a load in one virtual time: what is asked, when, and what is seen is that of one."""

import asyncio
import itertools
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cli.bench.arrivals import ArrivalProcess, Arrivals
from services.cli.bench.exchange import Exchange
from services.cli.bench.lengths import Lengths
from services.cli.bench.load import Bound, Closed, Load, Open
from services.cli.bench.metrics import Judged, Observed, run_of
from services.cli.bench.results import LoadLevel
from services.cli.bench.shares import Share
from services.cli.bench.trace import TracedRequest
from services.cli.bench_plan import grammars_of
from services.cli.loading.orders import Order, Stage
from services.cli.loading.plan import Plan
from services.cli.loading.sending import Sending, Sent, joined
from services.cli.loading.tally import Tally
from tests.virtual_time import run

GRAMMARS = grammars_of("fr,de")


class Endpoint:
    """Answers as long as it is asked to, and remembers when it was asked what."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, Order]] = []

    async def send(self, order: Order, scheduled_seconds: float) -> Exchange:
        loop = asyncio.get_running_loop()
        sent, tokens = loop.time(), array("d")
        self.asked.append((sent, order))
        for _ in range(order.output_tokens):
            await asyncio.sleep(0.1)
            tokens.append(loop.time())
        return Exchange(scheduled_seconds, sent, loop.time(), tokens, len(order.prompt), order.output_tokens)


class VirtualClocks:
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def cpu(self) -> float:
        return 0.0


def sent_by(
    processes: int, load: Load, bound: Bound, trace: tuple[TracedRequest, ...] = ()
) -> tuple[Endpoint, Sent]:
    plan = Plan((load,), GRAMMARS, Lengths("uniform", 5, 40), Lengths("uniform", 1, 9), bound, trace, seed=7)
    endpoint, stage = Endpoint(), Stage("level 0", load, bound, {})

    async def main() -> Sent:
        numbers = itertools.count()
        parts = [
            Sending(
                endpoint.send, plan, Tally(), VirtualClocks(), None, Share(index, processes), lambda: numbers
            )
            for index in range(processes)
        ]
        stopping = asyncio.Event()
        runs = (part.run(stage, part.prepared(stage), stopping, 1.0) for part in parts)
        return joined(list(await asyncio.gather(*runs)), 0)

    return endpoint, run(main())


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 5), st.sampled_from(ArrivalProcess), st.integers(1, 40))
def test_an_open_load_asks_the_same_at_the_same_moments_and_has_the_same_numbers(
    processes: int, process: ArrivalProcess, requests: int
) -> None:
    load, bound = Open(Arrivals(8.0, process, 0.5)), Bound(requests)
    alone, whole = sent_by(1, load, bound)
    several, parts = sent_by(processes, load, bound)
    assert [at for at, _ in several.asked] == pytest.approx([at for at, _ in alone.asked])
    assert {order for _, order in several.asked} == {order for _, order in alone.asked}
    level = LoadLevel(kind="open", rate_per_second=8.0)
    one, other = (
        run_of(Observed(level, sent.exchanges, 0, sent.senders), Judged()) for sent in (whole, parts)
    )
    assert other.latencies.ttft_seconds == one.latencies.ttft_seconds
    assert other.latencies.itl_seconds == one.latencies.itl_seconds
    assert other.rates == one.rates
    assert other.client.processes == processes


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 5), st.integers(1, 7), st.integers(1, 40))
def test_users_of_several_processes_take_from_one_pile(processes: int, users: int, requests: int) -> None:
    alone, whole = sent_by(1, Closed(users), Bound(requests))
    several, parts = sent_by(processes, Closed(users), Bound(requests))
    assert {order for _, order in several.asked} == {order for _, order in alone.asked}
    assert len(several.asked) == requests
    # Whoever is free takes the next, in whichever process: the whole ends when that of one did.
    assert parts.exchanges[-1].ended_seconds == pytest.approx(whole.exchanges[-1].ended_seconds)


def test_a_time_ends_all_at_one_moment() -> None:
    alone, _ = sent_by(1, Open(Arrivals(5.0)), Bound(None, 4.0))
    several, _ = sent_by(3, Open(Arrivals(5.0)), Bound(None, 4.0))
    assert [at for at, _ in several.asked] == pytest.approx([at for at, _ in alone.asked])
    closed, _ = sent_by(2, Closed(3), Bound(None, 4.0))
    assert max(at for at, _ in closed.asked) < 5.0


def test_a_trace_is_dealt_out_by_its_order() -> None:
    trace = tuple(TracedRequest(20, 2, at / 2) for at in range(7))
    several, _ = sent_by(3, Open(None), Bound(7), trace)
    assert [at for at, _ in several.asked] == pytest.approx([1 + at / 2 for at in range(7)])
