"""Places of the operations port: a few for each address, and a bound on all of them together."""

from hypothesis import given
from hypothesis import strategies as st

from services.runtime.metrics.places import MAX_CONNECTIONS, MAX_PLACES, MAX_PLACES_OF_ONE, Place, Places

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
            assert ended is None or (ended in inside and ended.address == f"10.0.0.{number}")
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
