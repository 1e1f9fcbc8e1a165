from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.edge.domain.prefixes import PREFIX_SECRET_BYTES, PrefixDigests
from services.edge.domain.router_spread import REMEMBERED, RouterSpread, most_of
from services.kernel.identity import Identity
from tests.contracts.edge_router_port import CHAT

PREFIXES = PrefixDigests(bytes(PREFIX_SECRET_BYTES))
REQUEST = Identity(1, 2)

few = settings(max_examples=25)
turns = st.integers(0, 2**64 - 1)
sizes = st.integers(2, 16)


def spread(routers: int) -> RouterSpread:
    return RouterSpread([f"comptoir-router-{number}:8401" for number in range(routers)], PREFIXES)


def asked(over: RouterSpread, among: list[int], questions: list[int]) -> Counter[int]:
    counts: Counter[int] = Counter()
    for turn in questions:
        place = over.choose(among, turn)
        over.count(place)
        counts[place] += 1
    return counts


def test_who_waits_for_a_router_and_looks_again_and_again_takes_no_place_of_others() -> None:
    over, among = spread(3), [0, 1, 2]
    first = over.choose(among, 7)
    assert {over.choose(among, 7) for _ in range(1_000)} == {first}
    for place in (0, 1, 2, 9):
        over.count(place)
    assert over.choose(among, 7) == first


@few
@given(sizes, st.lists(turns, min_size=1, max_size=5), st.integers(1, REMEMBERED))
def test_no_router_is_asked_more_than_its_share_and_a_quarter_however_few_beginnings_there_are(
    routers: int, beginnings: list[int], questions: int
) -> None:
    counts = asked(
        spread(routers),
        list(range(routers)),
        [beginnings[number % len(beginnings)] for number in range(questions)],
    )
    assert max(counts.values()) <= most_of(questions, routers)


@pytest.mark.parametrize("routers", [2, 3, 4])
def test_what_lasts_is_held_to_the_same_share(routers: int) -> None:
    counts = asked(spread(routers), list(range(routers)), [7] * 20_000)
    assert max(counts.values()) <= 1.3 * 20_000 / routers


@few
@given(sizes, turns)
def test_prompts_that_begin_alike_are_asked_of_one_router_and_differing_ones_of_all(
    routers: int, turn: int
) -> None:
    over, among = spread(routers), list(range(routers))
    others = [turn ^ (number + 1) for number in range(400)]
    assert len(asked(over, among, [turn] * 8)) == 1
    counts = asked(over, among, others)
    assert len(counts) == routers


@given(sizes, turns, st.data())
def test_of_a_router_that_goes_no_turn_hears_that_was_not_its_own(
    routers: int, turn: int, data: st.DataObject
) -> None:
    over, among = spread(routers), list(range(routers))
    gone = data.draw(st.sampled_from(among))
    left = [place for place in among if place != gone]
    assert over.ranked(left, turn) == [place for place in over.ranked(among, turn) if place != gone]


@given(sizes, turns)
def test_every_edge_asks_the_same_router_whatever_the_order_of_its_list(routers: int, turn: int) -> None:
    names = [f"router-{number}" for number in range(routers)]
    one, other = RouterSpread(names, PREFIXES), RouterSpread(names[::-1], PREFIXES)
    among = list(range(routers))
    assert names[one.choose(among, turn)] == names[::-1][other.choose(among, turn)]


def test_the_turns_of_a_lost_router_spread_over_all_that_are_left() -> None:
    over, among = spread(4), [0, 1, 2, 3]
    of_the_lost = [turn for turn in range(1_000) if over.ranked(among, turn)[0] == 3]
    counts = asked(over, [0, 1, 2], of_the_lost)
    assert len(of_the_lost) > 150
    assert max(counts.values()) <= most_of(len(of_the_lost), 3)


def test_a_router_that_comes_back_has_its_share_and_not_what_it_missed() -> None:
    over = spread(2)
    asked(over, [0], list(range(900)))
    counts = asked(over, [0, 1], list(range(200)))
    assert max(counts.values()) <= most_of(200, 2)


def test_the_turn_of_an_admission_is_how_its_prompt_begins_else_the_request_s_own() -> None:
    over = spread(2)
    long = [replace(CHAT, messages=(), prompt="x" * 3_000 + end) for end in ("a", "b")]
    same = {over.turn_of("key", request, Identity(1, number)) for number, request in enumerate(long)}
    assert len(same) == 1
    assert over.turn_of("other", long[0], REQUEST) not in same
    assert over.turn_of("key", replace(CHAT, messages=(), prompt="x"), REQUEST) == REQUEST.low
