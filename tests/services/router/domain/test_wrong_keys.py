"""Look-ups of keys that nobody knows are bounded: of one source, and of all together."""

from contextlib import suppress

import pytest

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from services.router.domain import wrong_keys
from services.router.domain.wrong_keys import WrongKeyLimits, WrongKeys

LIMITS = WrongKeyLimits(per_client_per_minute=6, per_minute=20)


def taken(counted: WrongKeys, source: int, times: int) -> int:
    """How many look-ups of `times` are permitted."""
    permitted = 0
    with suppress(ComptoirError):
        for _ in range(times):
            counted.take(source)
            permitted += 1
    return permitted


def test_a_source_has_its_minute_and_another_one_its_own() -> None:
    clock = ManualClock()
    counted = WrongKeys(LIMITS, clock)
    assert taken(counted, 1, 100) == 6
    assert taken(counted, 2, 100) == 6
    clock.advance(10)
    assert taken(counted, 1, 100) == 1


def test_many_sources_have_a_bound_together_and_so_have_callers_that_say_none() -> None:
    counted = WrongKeys(LIMITS, ManualClock())
    assert sum(taken(counted, source, 100) for source in range(1, 100)) == 20
    counted = WrongKeys(LIMITS, ManualClock())
    assert taken(counted, 0, 100) == 20


def test_a_refusal_says_its_limit_and_when_it_is_over() -> None:
    clock = ManualClock()
    counted = WrongKeys(LIMITS, clock)
    taken(counted, 1, 6)
    with pytest.raises(ComptoirError) as refusal:
        counted.take(1)
    assert refusal.value.reason is Reason.TOO_MANY_WRONG_KEYS
    assert refusal.value.numbers.limit == 6
    assert refusal.value.numbers.available == 0
    assert refusal.value.retry_after_seconds == pytest.approx(10)
    clock.advance(refusal.value.retry_after_seconds)
    counted.take(1)


def test_what_is_refused_costs_the_others_nothing() -> None:
    counted = WrongKeys(LIMITS, ManualClock())
    assert [taken(counted, 1, 1) for _ in range(100)].count(1) == 6
    assert taken(counted, 0, 1_000) == 14


def test_a_key_that_was_found_counts_for_nobody() -> None:
    counted = WrongKeys(LIMITS, ManualClock())
    for _ in range(1_000):
        counted.take(1)
        counted.give_back(1)
    assert taken(counted, 1, 100) == 6


def test_no_limit_limits_nothing() -> None:
    counted = WrongKeys(WrongKeyLimits(per_client_per_minute=0, per_minute=0), ManualClock())
    assert taken(counted, 1, 1_000) == 1_000


def test_sources_are_remembered_up_to_a_bound_and_the_oldest_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wrong_keys, "MAX_SOURCES", 2)
    counted = WrongKeys(WrongKeyLimits(per_client_per_minute=1, per_minute=100), ManualClock())
    assert [taken(counted, source, 2) for source in (1, 2, 1, 3, 1, 2)] == [1, 1, 0, 1, 0, 1]
    assert len(counted._sources) == 2
