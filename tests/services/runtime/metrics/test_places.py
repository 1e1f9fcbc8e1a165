"""Places of the operations port: a few for each address, and a bound on all of them together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.metrics.places import (
    MAX_CONNECTIONS,
    MAX_OPEN,
    MAX_PLACES,
    MAX_PLACES_OF_ONE,
    Place,
    Places,
)

_FLOOD, _KUBELET = "10.0.0.7", "10.0.0.1"


def entered(places: Places[int], number: int, address: str = _FLOOD) -> Place[int]:
    place, ended = places.enter(number, address, 15)
    assert place is not None
    assert ended is None
    return place


def test_the_one_that_is_open_longest_and_has_not_asked_ends_for_a_newcomer_of_its_address() -> None:
    places = Places[int]()
    first, second, *_ = [entered(places, number) for number in range(MAX_CONNECTIONS)]
    first.has_asked = True
    place, ended = places.enter(99, _FLOOD, 15)
    assert place is not None
    assert ended is second


def test_where_all_others_have_asked_the_newcomer_itself_ends() -> None:
    places = Places[int]()
    for number in range(MAX_CONNECTIONS):
        entered(places, number).has_asked = True
    place, ended = places.enter(99, _FLOOD, 15)
    assert place is ended is not None


def test_an_address_that_has_all_its_places_keeps_no_other_one_out() -> None:
    places = Places[int]()
    first = entered(places, 0)
    others = [places.enter(number, _FLOOD, 15)[0] for number in range(1, 100)]
    assert 1 + sum(place is not None for place in others) == MAX_PLACES_OF_ONE
    entered(places, 1, _KUBELET)
    places.leave(first)
    assert places.enter(100, _FLOOD, 15)[0] is not None


def crowd(places: Places[int], of_each: int, has_asked: bool) -> list[Place[int]]:
    """As many addresses as it takes to have all open that may be, each with some connections."""
    found = []
    for number in range(MAX_OPEN):
        found.append(entered(places, number, f"10.1.0.{number // of_each}"))
        found[-1].has_asked = has_asked
    return found


@pytest.mark.parametrize("has_asked", [False, True])
@pytest.mark.parametrize("of_each", [1, MAX_CONNECTIONS])
def test_where_many_addresses_hold_all_that_may_be_open_the_longest_open_ends_for_a_newcomer(
    of_each: int, has_asked: bool
) -> None:
    places = Places[int]()
    first, *_ = crowd(places, of_each, has_asked)
    place, ended = places.enter(99, _KUBELET, 15)
    assert place is not None
    assert ended is first


def test_who_has_asked_stays_while_another_has_not_and_who_has_few_while_another_has_more() -> None:
    places = Places[int]()
    first, second, *others = crowd(places, MAX_CONNECTIONS, has_asked=False)
    first.has_asked = True
    places.leave(second)
    # Of that address two are silent, of each other one four.
    place, _ = places.enter(98, _KUBELET, 15)
    assert place is not None
    _, ended = places.enter(99, "10.0.0.2", 15)
    assert ended is others[2]


def test_who_has_been_there_for_too_long_is_named_once_though_it_has_asked() -> None:
    places = Places[int]()
    early, _ = places.enter(1, _FLOOD, 10)
    assert early is not None
    early.has_asked = True
    entered(places, 2)
    assert places.overdue(12) == [early]
    assert places.overdue(12) == []


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(("enter", "enter", "ask", "leave"))), max_size=99)
)
def test_whoever_comes_there_are_never_more_places_taken_than_there_are(acts: list[tuple[int, str]]) -> None:
    places, inside = Places[int](), list[Place[int]]()
    for number, act in acts:
        if act == "enter":
            place, ended = places.enter(number, f"10.0.0.{number}", 15)
            inside += [] if place is None else [place]
            assert ended is None or ended in inside
        elif inside and act == "ask":
            inside[number % len(inside)].has_asked = True
        elif inside:
            places.leave(inside.pop(number % len(inside)))
        addresses = [place.address for place in inside]
        assert len(addresses) <= MAX_PLACES
        assert all(addresses.count(address) <= MAX_PLACES_OF_ONE for address in addresses)
    for place in inside:
        places.leave(place)
    entered(places, 1)


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=200))
def test_whoever_is_connected_a_probe_of_another_address_finds_a_place_and_keeps_it(
    callers: list[tuple[int, bool]],
) -> None:
    places, inside = Places[int](), list[Place[int]]()
    for number, has_asked in callers:
        place, ended = places.enter(number, f"10.0.1.{number}", 15)
        assert place is not None
        place.has_asked = has_asked
        inside.append(place)
        if ended is not None:
            # Its thread sees that its connection has ended.
            inside.remove(ended)
            places.leave(ended)
        assert len(inside) <= MAX_OPEN
    place, ended = places.enter(99, _KUBELET, 15)
    assert place is not None
    assert ended is not place
