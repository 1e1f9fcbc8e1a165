"""A line is in parts, of those whom the same replicas may serve, and each has its own turns."""

import math

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.place_line import Line
from services.router.domain.place_turns import Asker, Waiting
from services.router.domain.placement.kinds import Kind, Requirement, reach_of

EVERYBODYS, OF_FIVE, BARE = Kind(), Kind(tenant=5), Kind(features=0)
KINDS = frozenset({EVERYBODYS, OF_FIVE, BARE})
REQUIRED = st.builds(Requirement, st.integers(4, 6), st.sampled_from([0, 2]))


def asker(required: Requirement) -> Asker:
    return Asker(1, 1, 10, 99, lambda: math.inf, required)


def waiting(number: int, required: Requirement, reason: Reason = Reason.REPLICA_OVERLOADED) -> Waiting:
    return Waiting(float(number), number, asker(required), 0.0, ComptoirError(reason))


def test_a_newcomer_leaves_to_those_before_it_what_may_serve_them_and_no_more() -> None:
    line = Line()
    line.see(KINDS)
    line.enter(waiting(1, Requirement(4, needs=2)))
    before = line.before(asker(Requirement(5)), 9.0, is_batch_passed=False)
    assert before is not None
    assert before.barred == {EVERYBODYS}
    assert before.left == {OF_FIVE, BARE}
    before = line.before(asker(Requirement(4)), 9.0, is_batch_passed=False)
    assert before is not None
    assert before.left == {BARE}
    before = line.before(asker(Requirement(4, needs=2)), 9.0, is_batch_passed=False)
    assert before is not None
    assert not before.left
    assert line.before(asker(Requirement(5)), 0.5, is_batch_passed=False) is None, "its turn is sooner"


def test_those_who_wait_for_what_is_not_there_are_before_nobody() -> None:
    line = Line()
    line.see(frozenset({BARE}))
    line.enter(waiting(1, Requirement(4, needs=2), Reason.NO_REPLICA))
    assert line.before(asker(Requirement(4)), 9.0, is_batch_passed=False) is None


@given(
    st.lists(REQUIRED, max_size=12),
    st.lists(st.frozensets(st.sampled_from([EVERYBODYS, OF_FIVE, BARE])), max_size=4),
    st.integers(0, 11),
)
def test_each_is_in_one_part_in_its_order_whatever_replicas_come_and_go(
    required: list[Requirement], seen: list[frozenset[Kind]], leaving: int
) -> None:
    line, there = Line(), [waiting(number, one) for number, one in enumerate(required)]
    for one in there:
        line.enter(one)
    for kinds in seen:
        line.see(kinds)
        parts = list(line.parts())
        assert sorted(one for part in parts for one in part.waiting) == line.waiting == there
        assert [part.waiting[0] for part in parts] == sorted(part.waiting[0] for part in parts)
        for part in parts:
            assert part.waiting == sorted(part.waiting)
            assert all(reach_of(kinds, one.asker.required) == part.reach for one in part.waiting)
        if leaving < len(there):
            line.leave(there.pop(leaving))
    for one in list(line.waiting):
        line.leave(one)
    assert not list(line.parts())
