from collections.abc import Mapping, Sequence

import pytest

from pipelines.usage.domain.errors import BadFrameError, Fault
from pipelines.usage.domain.validation import Bounds, Residence, validate
from services.contract.events import Kind
from services.contract.frame import Frame
from tests.pipelines.usage.frames import NOW_MICROSECONDS as NOW

FRAME = Frame(Kind.GENERATION, 1, 5, 10, 2, 0, b"")
BOUNDS = {"priority": Bounds(0, 255), "outcome": Bounds(members=frozenset({1, 2}))}


def columns(**changes: Sequence[int]) -> dict[str, Sequence[int]]:
    return {
        "producer_id": [5, 5],
        "producer_sequence": [10, 11],
        "schema_version": [1, 1],
        "region": [3, 3],
        "started_at_microseconds": [NOW, NOW],
        "priority": [0, 255],
        "outcome": [1, 2],
        **changes,
    }


def check(content: Mapping[str, Sequence[int]]) -> None:
    validate(FRAME, content, BOUNDS, Residence(3, 30))


def test_events_that_are_what_the_header_says_pass() -> None:
    check(columns())


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"producer_sequence": [10]}, Fault.COUNT_WRONG),
        ({"producer_id": [5, 6]}, Fault.PRODUCER_WRONG),
        ({"producer_sequence": [10, 12]}, Fault.SEQUENCE_WRONG),
        ({"producer_sequence": [11, 10]}, Fault.SEQUENCE_WRONG),
        ({"producer_sequence": [11, 12]}, Fault.SEQUENCE_WRONG),
        ({"schema_version": [1, 2]}, Fault.SCHEMA_VERSION_UNKNOWN),
        ({"region": [3, 4]}, Fault.REGION_WRONG),
        ({"priority": [0, 256]}, Fault.VALUE_OUT_OF_BOUNDS),
        ({"outcome": [1, 3]}, Fault.VALUE_OUT_OF_BOUNDS),
        ({"outcome": [0, 1]}, Fault.VALUE_OUT_OF_BOUNDS),
    ],
)
def test_each_broken_rule_has_its_fault(changes: dict[str, Sequence[int]], fault: Fault) -> None:
    with pytest.raises(BadFrameError) as bad:
        check(columns(**changes))
    assert bad.value.fault is fault
