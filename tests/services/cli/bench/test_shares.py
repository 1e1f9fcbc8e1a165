"""Shares of a load: all of them together are the load, and no request is of two."""

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from services.cli.bench.arrivals import Arrivals, due_seconds
from services.cli.bench.load import Closed, Open
from services.cli.bench.shares import WHOLE, Share, due_of, numbers_of, share_of_load

PROCESSES = st.integers(1, 17)


def shares(processes: int) -> list[Share]:
    return [Share(index, processes) for index in range(processes)]


@given(PROCESSES, st.integers(1, 1000))
def test_users_and_places_are_dealt_out_evenly_and_whole(processes: int, count: int) -> None:
    users = [share_of_load(Closed(count), share) for share in shares(processes)]
    counts = [load.users for load in users if isinstance(load, Closed)]
    assert (sum(counts), len(counts)) == (count, processes)
    assert max(counts) - min(counts) <= 1
    places = [share_of_load(Open(Arrivals(1.0), count), share) for share in shares(processes)]
    assert sum(load.most_in_flight for load in places if isinstance(load, Open)) == count


@given(PROCESSES, st.integers(0, 300), st.integers())
def test_requests_and_their_moments_are_those_of_one_process(
    processes: int, requests: int, seed: int
) -> None:
    def drawn(share: Share) -> list[tuple[int, float]]:
        due = due_of(due_seconds(Arrivals(5.0), random.Random(seed)), share)
        return list(zip(numbers_of(share, requests), due, strict=False))

    joined = sorted(itertools.chain.from_iterable(drawn(share) for share in shares(processes)))
    assert joined == drawn(WHOLE)


def test_without_a_number_of_requests_there_is_always_another() -> None:
    assert list(itertools.islice(numbers_of(Share(1, 3), None), 3)) == [1, 4, 7]
