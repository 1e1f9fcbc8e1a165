"""Two members of one name evict each other again and again; silence costs one a place once in a session."""

from hypothesis import given
from hypothesis import strategies as st

from pipelines.usage.domain.evictions import Evictions

SESSION_SECONDS = 30.0


def test_evictions_in_quick_succession_are_another_member_of_the_name_and_are_told_now_and_then() -> None:
    evictions = Evictions(SESSION_SECONDS)
    told = [evictions.note(float(second)) for second in range(0, 130, 2)]
    assert evictions.is_contested(130)
    assert [2 * number for number, is_told in enumerate(told) if is_told] == [4, 64, 124]


def test_once_the_other_one_is_gone_the_name_is_nobody_elses() -> None:
    evictions = Evictions(SESSION_SECONDS)
    for second in (0, 1, 2):
        evictions.note(second)
    assert evictions.is_contested(59)
    assert not evictions.is_contested(60)


# Whole parts of a second that floats hold exactly: a sum of others may end a rounding before two sessions.
@given(st.lists(st.integers(int(SESSION_SECONDS) * 1024, 10 * int(SESSION_SECONDS) * 1024), max_size=20))
def test_a_member_that_falls_silent_again_and_again_is_not_taken_for_two(gaps: list[int]) -> None:
    evictions, parts = Evictions(SESSION_SECONDS), 0
    for gap in gaps:
        parts += gap
        assert not evictions.note(parts / 1024)
