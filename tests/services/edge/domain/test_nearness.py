from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.nearness import Candidate, RoundTrips, equally_near, nearest
from services.edge.domain.ports import Standing

NEARER_SECONDS = 0.002
PLACING = Standing.PLACING

ways = st.none() | st.floats(min_value=0.0, max_value=0.02)
candidates = st.lists(st.builds(Candidate, st.sampled_from(Standing), ways), min_size=1, max_size=6)


def at(*milliseconds: float | None) -> list[Candidate]:
    return [Candidate(PLACING, None if one is None else one / 1000) for one in milliseconds]


def choose(known: Sequence[Candidate], chosen: int | None = None) -> int:
    return nearest(known, chosen, NEARER_SECONDS)


def test_of_routers_that_are_about_equally_far_the_first_of_the_list_is_asked() -> None:
    assert choose(at(2.0, 0.5, 1.0)) == 0


def test_a_router_that_is_clearly_nearer_is_asked_wherever_it_stands() -> None:
    assert choose(at(9.0, 4.0, 1.0)) == 2


def test_of_a_router_whose_way_is_not_known_nothing_is_concluded() -> None:
    assert (choose(at(None, 0.1)), choose(at(50.0, None))) == (0, 0)


def test_the_one_asked_so_far_is_left_only_where_it_is_not_nearer_by_half() -> None:
    assert (choose(at(2.5, 1.0), chosen=1), choose(at(2.5, 1.0), chosen=0)) == (1, 0)
    assert choose(at(1.9, 1.0), chosen=1) == 0


def test_routers_are_equally_near_unless_the_way_to_one_is_clearly_longer() -> None:
    assert equally_near(at(2.0, 0.5, 1.0), NEARER_SECONDS) == [0, 1, 2]
    assert equally_near(at(9.0, 4.0, 1.0, None, 2.9), NEARER_SECONDS) == [2, 3, 4]


@given(candidates)
def test_those_equally_near_stand_best_and_the_shortest_way_is_among_them(known: list[Candidate]) -> None:
    near = equally_near(known, NEARER_SECONDS)
    best_standing = max(one.standing for one in known)
    assert near
    assert all(known[place].standing is best_standing for place in near)
    best = [place for place, one in enumerate(known) if one.standing is best_standing]
    ways = {place: known[place].round_trip_seconds for place in best}
    told = {place: way for place, way in ways.items() if way is not None}
    assert not told or min(told, key=lambda place: told[place]) in near


@given(candidates, st.integers(0, 5))
def test_nobody_is_asked_that_stands_behind_another(known: list[Candidate], chosen: int) -> None:
    assert known[choose(known, chosen)].standing == max(one.standing for one in known)


@given(candidates, st.integers(0, 5))
def test_as_long_as_nothing_changes_the_same_router_is_asked(known: list[Candidate], chosen: int) -> None:
    once = choose(known, chosen)
    assert choose(known, once) == once


@given(candidates, st.integers(0, 5))
def test_the_one_that_is_asked_is_no_further_than_the_first_by_more_than_nothing(
    known: list[Candidate], chosen: int
) -> None:
    asked = choose(known, chosen)
    first = next(place for place, one in enumerate(known) if one.standing is known[asked].standing)
    ways = known[first].round_trip_seconds, known[asked].round_trip_seconds
    assert asked == first or (ways[0] is not None and ways[1] is not None and ways[1] < ways[0])


@given(
    st.floats(0.0, 0.05),
    st.floats(0.0, 0.05),
    st.lists(st.tuples(st.floats(0, 0.0004), st.floats(0, 0.0004)), max_size=50),
)
def test_ways_that_vary_a_little_let_an_edge_move_once_at_most(
    first: float, second: float, noise: list[tuple[float, float]]
) -> None:
    asked, moves = choose([Candidate(PLACING, first), Candidate(PLACING, second)]), 0
    for more, more_again in noise:
        known = [Candidate(PLACING, first + more), Candidate(PLACING, second + more_again)]
        before, asked = asked, choose(known, asked)
        moves += before != asked
    assert moves <= 1


def test_the_way_is_the_shortest_of_many_round_trips_and_unknown_before() -> None:
    trips = RoundTrips()
    for _ in range(39):
        trips.add(0.001)
    assert trips.least_seconds is None
    trips.add(0.2)
    assert trips.least_seconds == 0.001
    for _ in range(120):
        trips.add(0.005)
    assert trips.least_seconds == 0.005
    trips.forget()
    assert trips.least_seconds is None
