from hypothesis import given
from hypothesis import strategies as st

from services.contract.events import Kind
from services.emitter.domain.agreement import MAX_SOURCES, REMEMBER_SECONDS, Agreement, Source

ROUTER, EDGE = Source(Kind.ADMISSION), Source(Kind.EDGE_REQUEST)
REPLICAS = [Source(Kind.GENERATION, number) for number in range(1, 4)]


def test_an_emitter_that_nobody_has_spoken_to_is_well() -> None:
    assert Agreement().is_well


def test_where_nobody_agrees_it_is_the_emitter() -> None:
    agreement = Agreement()
    agreement.accepted([ROUTER, EDGE], 0.0)
    agreement.refused([ROUTER], 1.0)
    assert agreement.is_well
    agreement.refused([EDGE], 2.0)
    assert not agreement.is_well


def test_while_anybody_agrees_it_is_the_others() -> None:
    agreement = Agreement()
    agreement.accepted([ROUTER], 0.0)
    agreement.refused(REPLICAS, 1.0)
    assert agreement.is_well


def test_who_has_not_been_heard_of_for_long_vouches_for_nothing() -> None:
    agreement = Agreement()
    agreement.accepted([ROUTER], 0.0)
    agreement.refused([EDGE], REMEMBER_SECONDS + 1)
    assert not agreement.is_well


def test_each_change_is_told_once() -> None:
    agreement = Agreement()
    assert agreement.refused([ROUTER], 0.0) == [ROUTER]
    assert agreement.refused([ROUTER], 1.0) == []
    assert agreement.accepted([ROUTER], 2.0) == [ROUTER]
    assert agreement.accepted([ROUTER], 3.0) == []


def test_forged_replicas_take_no_memory() -> None:
    agreement = Agreement()
    for number in range(MAX_SOURCES * 2):
        agreement.refused([Source(Kind.GENERATION, number)], 0.0)
    assert len(agreement._words) == MAX_SOURCES


@given(st.lists(st.tuples(st.sampled_from([ROUTER, EDGE, *REPLICAS]), st.booleans()), min_size=1))
def test_it_is_well_exactly_while_somebodys_latest_word_is_good(words: list[tuple[Source, bool]]) -> None:
    agreement = Agreement()
    for source, is_good in words:
        (agreement.accepted if is_good else agreement.refused)([source], 0.0)
    assert agreement.is_well == any(dict(words).values())
