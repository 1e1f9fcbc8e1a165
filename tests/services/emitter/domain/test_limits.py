from pathlib import Path

import pytest

from services.emitter.domain.limits import SpoolFile, SpoolState, refuse_if_full
from services.kernel.errors import ComptoirError, Reason

LIMITS = SpoolFile(spool_folder=Path(), spool_max_age_seconds=10).model_copy(
    update={"spool_max_bytes": 1_000}
)
NOW = 1_790_000_000_000_000


def test_an_empty_spool_takes_what_fits() -> None:
    refuse_if_full(SpoolState(0, 0, 0), LIMITS, NOW, 1_000)


@pytest.mark.parametrize(
    ("size_bytes", "age_seconds", "incoming_bytes"), [(0, 0, 1_001), (999, 0, 2), (10, 10.1, 1)]
)
def test_too_many_bytes_or_too_old_an_event_is_refused(
    size_bytes: int, age_seconds: float, incoming_bytes: int
) -> None:
    state = SpoolState(1, size_bytes, NOW - round(age_seconds * 1_000_000))
    with pytest.raises(ComptoirError) as refusal:
        refuse_if_full(state, LIMITS, NOW, incoming_bytes)
    assert refusal.value.reason is Reason.SPOOL_FULL
    assert refusal.value.retry_after_seconds > 0


def test_the_age_of_an_empty_spool_is_0() -> None:
    assert SpoolState(0, 0, 0).age_seconds(NOW) == 0


def test_an_age_is_never_negative() -> None:
    assert SpoolState(1, 1, NOW + 5).age_seconds(NOW) == 0
