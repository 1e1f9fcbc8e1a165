"""A whole bench in virtual time: it learns lengths, warms up, sweeps, and the same seed asks the same."""

import asyncio
import io
from array import array

import pytest
from rich.console import Console

from services.cli.bench.arrivals import ArrivalProcess, Arrivals
from services.cli.bench.errors import BenchError
from services.cli.bench.exchange import CountedBy, Exchange
from services.cli.bench.lengths import Lengths
from services.cli.bench.load import Bound, Closed, Open
from services.cli.bench.results import Run
from services.cli.bench.trace import TracedRequest
from services.cli.bench_plan import grammars_of
from services.cli.loading.orders import Order
from services.cli.loading.plan import Plan
from services.cli.loading.progress import Screen
from services.cli.loading.session import Session, title_of
from tests.virtual_time import run

TEMPLATE_TOKENS, CHARACTERS = 7, 5


class Endpoint:
    """Counts a token for each five characters and seven for its template; a token takes 10 ms."""

    def __init__(self, failure: str = "", by: CountedBy = CountedBy.USAGE) -> None:
        self.asked: list[Order] = []
        self.sent: list[float] = []
        self._failure = failure
        self._by = by

    async def send(self, order: Order, scheduled_seconds: float) -> Exchange:
        self.asked.append(order)
        loop = asyncio.get_running_loop()
        sent, tokens = loop.time(), array("d")
        self.sent.append(sent)
        for _ in range(order.output_tokens):
            await asyncio.sleep(0.01)
            tokens.append(loop.time())
        read = TEMPLATE_TOKENS + len(order.prompt) // CHARACTERS
        counts = (read, order.output_tokens, self._by, self._failure)
        return Exchange(scheduled_seconds, sent, loop.time(), tokens, *counts)


class VirtualClocks:
    """The time of the loop, in which this process computes nothing."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def cpu(self) -> float:
        return 0.0


def plan(**fields: object) -> Plan:
    own = {
        "levels": (Closed(2),),
        "grammars": grammars_of("fr,de"),
        "input_lengths": Lengths("fixed", 50),
        "output_lengths": Lengths("uniform", 5, 9),
        "bound": Bound(10),
    }
    return Plan(**{**own, **fields})  # type: ignore[arg-type]


def benched(endpoint: Endpoint, what: Plan, stop_after: float | None = None) -> tuple[list[Run], str]:
    said = io.StringIO()

    async def main() -> list[Run]:
        session = Session(endpoint.send, what, Screen(Console(file=said)), VirtualClocks())
        if stop_after is not None:
            asyncio.get_running_loop().call_later(stop_after, session.stopping.set)
        return await session.run()

    return run(main()), said.getvalue()


def test_prompts_have_the_tokens_that_were_asked_once_the_endpoint_told_its_own() -> None:
    (measured,), _ = benched(Endpoint(), plan())
    assert measured.latencies.input_tokens is not None
    assert (measured.latencies.input_tokens.at(0), measured.latencies.input_tokens.at(100)) == (50, 50)


def test_warm_up_is_sent_and_measured_nowhere() -> None:
    endpoint = Endpoint()
    (measured,), _ = benched(endpoint, plan(warm_up_requests=3))
    assert (measured.requests.sent, measured.warm_up_requests) == (10, 3)
    # Two prompts for each language, by which it learns their lengths.
    assert len(endpoint.asked) == 4 + 3 + 10


def test_a_sweep_runs_level_by_level_with_prompts_of_their_own() -> None:
    endpoint = Endpoint()
    runs, said = benched(endpoint, plan(levels=(Closed(1), Closed(5))))
    assert [measured.load.users for measured in runs] == [1, 5]
    prompts = [order.prompt for order in endpoint.asked]
    assert len(set(prompts)) == len(prompts)
    assert runs[1].rates.requests_per_second > 3 * runs[0].rates.requests_per_second
    assert "5 users begins." in said


def test_the_same_seed_asks_the_same_at_the_same_moments() -> None:
    what = plan(levels=(Open(Arrivals(5.0, ArrivalProcess.GAMMA, 0.5)),))
    first, second, other = Endpoint(), Endpoint(), Endpoint()
    benched(first, what)
    benched(second, what)
    benched(other, plan(levels=what.levels, seed=1))
    assert (first.asked, first.sent) == (second.asked, second.sent)
    assert first.asked != other.asked
    assert first.sent[-10:] != other.sent[-10:]


def test_a_trace_says_lengths_and_moments() -> None:
    endpoint = Endpoint()
    trace = (TracedRequest(20, 3, 0.0), TracedRequest(60, 8, 2.5))
    (measured,), _ = benched(
        endpoint, plan(levels=(Open(None),), trace=trace, bound=Bound(2), warm_up_requests=0)
    )
    assert [order.output_tokens for order in endpoint.asked[-2:]] == [3, 8]
    assert endpoint.sent[-1] - endpoint.sent[-2] == pytest.approx(2.5)
    assert measured.tokens.input == 80


def test_a_stop_keeps_the_levels_that_were_measured_and_begins_no_other() -> None:
    runs, _ = benched(Endpoint(), plan(levels=(Closed(1), Closed(2), Closed(3))), stop_after=1.2)
    assert [measured.load.users for measured in runs][:1] == [1]
    assert len(runs) < 3
    assert sum(measured.requests.interrupted for measured in runs) > 0


def test_a_stop_before_the_first_answer_measures_nothing_and_waits_for_nobody() -> None:
    class Silent(Endpoint):
        async def send(self, order: Order, scheduled_seconds: float) -> Exchange:
            await asyncio.sleep(3600)
            raise AssertionError

    assert benched(Silent(), plan(), stop_after=1.0)[0] == []


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("401 invalid_api_key", "COMPTOIR_API_KEY"),
        ("not_connected", "is it running"),
        ("404 model_not_found", "--model"),
        ("500", "nothing was measured"),
    ],
)
def test_an_endpoint_that_cannot_be_benched_is_told_at_once(failure: str, words: str) -> None:
    endpoint = Endpoint(failure)
    with pytest.raises(BenchError, match=words):
        benched(endpoint, plan())
    assert len(endpoint.asked) <= 2


def test_an_endpoint_without_usage_is_told() -> None:
    _, said = benched(Endpoint(by=CountedBy.EVENTS), plan())
    assert "counts as one token" in said


def test_levels_have_titles() -> None:
    assert title_of(Closed(1)) == "1 user"
    assert title_of(Open(Arrivals(2.5))) == "2.5 requests/s"
    assert title_of(Open(None)) == "trace"
