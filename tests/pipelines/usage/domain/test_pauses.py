"""A partition that waits: since when, why, until when, and who is told so."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.usage.domain.errors import BadFrameError, Fault
from pipelines.usage.domain.pauses import Pause, Pauses
from pipelines.usage.domain.ports import Partition, Record
from services.kernel.readiness import Unready

ONE, TWO = Partition("topic", 1), Partition("topic", 2)
PAUSING = [fault for fault in Fault if not fault.is_corrupt]


def enter(
    pauses: Pauses,
    partition: Partition = ONE,
    offset: int = 7,
    fault: Fault = Fault.CLOCK_BEHIND,
    now_seconds: float = 100.0,
) -> bool:
    return pauses.enter(Record(partition, offset, b""), BadFrameError(fault), now_seconds=now_seconds)


@pytest.mark.parametrize("fault", PAUSING)
def test_whatever_pauses_a_partition_has_a_name_among_the_reasons_of_a_process_that_is_not_ready(
    fault: Fault,
) -> None:
    assert fault.name in Unready.__members__


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault.is_corrupt])
def test_what_is_a_dead_letter_is_no_reason_to_wait(fault: Fault) -> None:
    assert fault.name not in Unready.__members__


def test_a_pause_says_where_and_why_with_its_figures() -> None:
    pauses = Pauses(retry_seconds=5.0)
    bad = BadFrameError(Fault.STORE_REFUSED, store_code=241)
    assert pauses.enter(Record(ONE, 7, b""), bad, now_seconds=0.0)
    assert pauses.all == (Pause(Fault.STORE_REFUSED, ONE, 7, {"clickhouse_code": 241}),)
    assert pauses.partitions == {ONE}


def test_the_same_pause_again_is_no_news_but_another_record_or_reason_is() -> None:
    pauses = Pauses(retry_seconds=5.0)
    assert enter(pauses)
    assert not enter(pauses, now_seconds=105.0)
    assert enter(pauses, fault=Fault.FIELD_UNKNOWN)
    assert enter(pauses, offset=8, fault=Fault.FIELD_UNKNOWN)
    assert len(pauses.all) == 1


def test_a_paused_partition_is_tried_again_after_the_seconds_and_the_others_at_once() -> None:
    pauses = Pauses(retry_seconds=5.0)
    assert pauses.may_try(ONE, now_seconds=100.0)
    enter(pauses)
    assert not pauses.may_try(ONE, now_seconds=104.9)
    assert pauses.may_try(ONE, now_seconds=105.0)
    assert pauses.may_try(TWO, now_seconds=100.0)
    enter(pauses, now_seconds=105.0)
    assert not pauses.may_try(ONE, now_seconds=109.9)


def test_a_pause_that_ends_is_handed_over_once_and_holds_its_partition_no_longer() -> None:
    pauses = Pauses(retry_seconds=5.0)
    enter(pauses)
    ended = pauses.leave(ONE)
    assert ended is not None
    assert (ended.fault, ended.offset) == (Fault.CLOCK_BEHIND, 7)
    assert pauses.leave(ONE) is None
    assert pauses.may_try(ONE, now_seconds=100.0)


def test_partitions_of_others_are_forgotten_with_their_waits() -> None:
    pauses = Pauses(retry_seconds=5.0)
    enter(pauses, ONE)
    enter(pauses, TWO)
    pauses.forget()
    assert pauses.all == ()
    assert pauses.may_try(ONE, now_seconds=100.0)


class Step(NamedTuple):
    """One thing that happens to a partition."""

    partition: Partition
    is_entered: bool
    offset: int


STEPS = st.builds(Step, st.sampled_from([ONE, TWO]), st.booleans(), st.integers(0, 3))


@given(st.lists(STEPS))
def test_the_pause_that_began_first_stays_the_first_whatever_is_tried_again(steps: list[Step]) -> None:
    pauses = Pauses(retry_seconds=5.0)
    expected: dict[Partition, int] = {}
    for step in steps:
        if step.is_entered:
            enter(pauses, step.partition, step.offset)
            expected[step.partition] = step.offset
        else:
            pauses.leave(step.partition)
            expected.pop(step.partition, None)
    assert [(pause.partition, pause.offset) for pause in pauses.all] == list(expected.items())
    assert pauses.partitions == expected.keys()
