"""How far requests are: what is counted of each, and the sums over several processes."""

from services.cli.bench.exchange import INTERRUPTED
from services.cli.loading.tally import Tally, joined
from tests.services.cli.bench.exchanges import exchange


def test_each_request_is_under_way_and_then_done() -> None:
    tally = Tally()
    for _ in range(4):
        tally.began()
    tally.ended(exchange(0.0, (0.2, 0.5)))
    tally.ended(exchange(0.0, failure="500"))
    tally.ended(exchange(0.0, failure=INTERRUPTED))
    assert (tally.in_flight, tally.done, tally.failed, list(tally.recent)) == (1, 3, 1, [0.2])


def test_several_are_summed_and_none_of_them_changes() -> None:
    one, other = Tally(1, 2, 3), Tally(10, 20, 30)
    one.recent.append(0.1)
    other.recent.append(0.2)
    whole = joined((one, other))
    assert (whole.in_flight, whole.done, whole.failed, list(whole.recent)) == (11, 22, 33, [0.1, 0.2])
    assert list(one.recent) == [0.1]
