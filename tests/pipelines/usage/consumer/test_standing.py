"""Every reason to pause can be told, and the gravest is told first."""

import pytest

from pipelines.usage.consumer.standing import Standing
from pipelines.usage.domain.errors import BadFrameError, Fault, UnavailableError
from pipelines.usage.domain.ports import Record
from pipelines.usage.domain.rules import Rules
from services.kernel.readiness import Figure, Unready
from tests.pipelines.usage.world import ADMISSIONS, GENERATIONS

RULES = Rules()


def standing() -> Standing:
    made = Standing(RULES)
    made.is_member, made.behind_seconds = True, 0.0
    return made


@pytest.mark.parametrize("fault", [fault for fault in Fault if not fault.is_corrupt])
def test_a_pause_is_told_by_the_name_of_its_fault(fault: Fault) -> None:
    told = standing()
    told.pauses.enter(Record(GENERATIONS[1], 7, b""), BadFrameError(fault), now_seconds=0.0)
    state = told.readiness()
    assert state.reason is Unready[fault.name]
    assert (state.figures[Figure.PARTITION], state.figures[Figure.OFFSET]) == (1, 7)


def test_what_a_person_must_mend_is_told_before_what_follows_from_it() -> None:
    told = standing()
    told.behind_seconds, told.failure = 600.0, UnavailableError("OperationalError")
    assert told.readiness().reason is Unready.STORE_AWAY
    told.took_part(is_member=True, is_stopped_by_bad_frames=False, is_name_contested=True)
    assert told.readiness().reason is Unready.NAME_TAKEN
    assert told.changed.is_set()
    told.is_stopped_by_bad_frames = True
    assert told.readiness().reason is Unready.CORRUPT_FRAMES
    told.pauses.enter(Record(ADMISSIONS, 1, b""), BadFrameError(Fault.CLOCK_AHEAD), now_seconds=0.0)
    told.pauses.enter(Record(GENERATIONS[0], 1, b""), BadFrameError(Fault.REGION_WRONG), now_seconds=0.0)
    state = told.readiness()
    assert state.reason is Unready.CLOCK_AHEAD
    assert (state.figures[Figure.PAUSED_PARTITIONS], state.figures[Figure.BEHIND_SECONDS]) == (2, 600)
