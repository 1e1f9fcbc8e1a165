import pytest

from pipelines.usage.domain.errors import BadFrameError, Fault
from pipelines.usage.domain.frame import decode
from services.contract.events import Kind
from services.contract.frame import FrameFault
from tests.pipelines.usage.frames import pack, value


@pytest.mark.parametrize("fault", list(FrameFault))
def test_every_fault_of_the_format_can_be_stored(fault: FrameFault) -> None:
    assert Fault[fault.name].name == fault.name


def test_a_whole_frame_is_read() -> None:
    assert decode(value(first=7, count=2), kind=Kind.GENERATION).last_sequence == 8


def test_another_programs_frame_says_its_version_and_ours() -> None:
    with pytest.raises(BadFrameError) as bad:
        decode(pack(2, b"x", count=1, schema_version=7), kind=Kind.GENERATION)
    assert bad.value.fault is Fault.SCHEMA_VERSION_UNKNOWN
    assert bad.value.figures == {"version": 7, "known_version": 1}
