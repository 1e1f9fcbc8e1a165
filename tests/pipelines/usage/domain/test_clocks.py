"""Which clock is wrong, told from the others; and no event is given up because of one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.usage.domain.clocks import Clocks, Moment, Stamp, judge
from pipelines.usage.domain.errors import BadFrameError, Fault
from pipelines.usage.domain.retention import DAY_MICROSECONDS as DAY
from pipelines.usage.domain.retention import expires_at_microseconds
from services.contract.events import EVENT_MAX_SKEW_MICROSECONDS
from tests.pipelines.usage.frames import NOW_MICROSECONDS as NOW

HOUR = EVENT_MAX_SKEW_MICROSECONDS


def brokers(microseconds: int) -> Stamp:
    return Stamp(microseconds, is_brokers=True)


def producers(microseconds: int) -> Stamp:
    return Stamp(microseconds, is_brokers=False)


def fault(
    newest: int,
    stamp: Stamp | None,
    *,
    pipeline: int = NOW,
    store: int | None = NOW,
    log: int | None = NOW,
    retention_days: int = 30,
) -> Fault | None:
    try:
        judge(newest, stamp, Moment(pipeline, store, log), retention_days)
    except BadFrameError as bad:
        return bad.fault
    return None


def test_an_event_of_now_by_clocks_that_agree_is_stored() -> None:
    assert fault(NOW, brokers(NOW)) is None


@pytest.mark.parametrize("offset", [-HOUR, HOUR])
def test_clocks_may_differ_by_an_hour(offset: int) -> None:
    assert fault(NOW, brokers(NOW), pipeline=NOW + offset) is None
    assert fault(NOW + HOUR, brokers(NOW)) is None


@pytest.mark.parametrize("store", [NOW, None])
def test_my_clock_a_day_slow_is_named(store: int | None) -> None:
    assert fault(NOW, brokers(NOW), pipeline=NOW - DAY, store=store) is Fault.CLOCK_BEHIND


def test_my_clock_and_the_stores_both_a_day_slow_are_told_from_the_brokers() -> None:
    assert fault(NOW, brokers(NOW), pipeline=NOW - DAY, store=NOW - DAY) is Fault.CLOCK_BEHIND


@pytest.mark.parametrize("store", [NOW, None, NOW + 40 * DAY])
def test_my_clock_40_days_fast_is_named_and_nothing_has_expired(store: int | None) -> None:
    assert fault(NOW, brokers(NOW), pipeline=NOW + 40 * DAY, store=store) is Fault.CLOCK_AHEAD


def test_a_store_whose_clock_is_fast_gets_no_rows_because_it_would_drop_them() -> None:
    assert fault(NOW, brokers(NOW), store=NOW + 40 * DAY) is Fault.STORE_CLOCK_WRONG


def test_after_an_outage_of_hours_the_store_is_still_told_from_my_clock() -> None:
    old = NOW - 5 * HOUR
    assert fault(old, brokers(old), store=NOW + 40 * DAY, log=old) is Fault.STORE_CLOCK_WRONG
    assert fault(old, brokers(old), pipeline=NOW + 40 * DAY, log=old) is Fault.CLOCK_AHEAD


def test_a_brokers_clock_that_is_wrong_alone_stops_nothing() -> None:
    assert fault(NOW, brokers(NOW + 40 * DAY), log=NOW + 40 * DAY) is None
    assert fault(NOW, brokers(NOW - 40 * DAY), log=NOW - 40 * DAY) is None


@pytest.mark.parametrize("stamp", [brokers(NOW), producers(NOW + 2 * DAY), None])
def test_an_event_of_the_day_after_tomorrow_is_a_producers_fault(stamp: Stamp | None) -> None:
    assert fault(NOW + 2 * DAY, stamp) is Fault.STARTED_IN_THE_FUTURE


@pytest.mark.parametrize("stamp", [brokers(NOW), producers(NOW - 40 * DAY), None])
def test_an_event_that_was_too_old_when_it_came_waits_and_is_not_given_up(stamp: Stamp | None) -> None:
    assert fault(NOW - 40 * DAY, stamp) is Fault.EXPIRED_ON_ARRIVAL


def test_what_really_expired_in_the_log_is_given_up_once_a_stamp_of_now_confirms_my_clock() -> None:
    started, entered = NOW - 31 * DAY, NOW - 3 * DAY
    assert fault(started, brokers(entered)) is Fault.EXPIRED
    assert fault(started, brokers(entered), log=entered) is Fault.CLOCK_AHEAD


def test_a_refusal_says_by_how_many_seconds() -> None:
    with pytest.raises(BadFrameError) as bad:
        judge(NOW, brokers(NOW), Moment(NOW - DAY, NOW, NOW), 30)
    assert bad.value.figures == {"offset_seconds": 86_400}


OFFSETS = st.integers(min_value=-400 * DAY, max_value=400 * DAY)


@given(OFFSETS, st.one_of(st.none(), OFFSETS), st.booleans(), st.integers(7, 30))
def test_an_event_of_today_is_never_given_up_whatever_the_clocks_say(
    pipeline: int, store: int | None, is_brokers: bool, days: int
) -> None:
    stores = None if store is None else NOW + store
    found = fault(NOW, Stamp(NOW, is_brokers), pipeline=NOW + pipeline, store=stores, retention_days=days)
    assert found is None or not found.is_corrupt
    if found is None:
        # What is stored is not dropped at once: neither clock is past its retention.
        assert expires_at_microseconds(NOW, days) > max(NOW + pipeline, stores or NOW)


@given(OFFSETS)
def test_events_of_any_age_are_stored_or_refused_and_given_up_only_by_clocks_that_agree(age: int) -> None:
    found = fault(NOW - age, brokers(NOW))
    assert found in {None, Fault.STARTED_IN_THE_FUTURE, Fault.EXPIRED_ON_ARRIVAL}


def test_the_other_clocks_run_on_while_mine_is_set() -> None:
    clocks = Clocks()
    clocks.saw_store(NOW, monotonic_seconds=100.0)
    clocks.saw_stamp(brokers(NOW - 5), monotonic_seconds=100.0)
    clocks.saw_stamp(brokers(NOW - 500), monotonic_seconds=100.0)
    moment = clocks.moment(7, monotonic_seconds=160.0)
    assert moment == Moment(7, NOW + 60_000_000, NOW + 60_000_000 - 5)
    assert moment.middle == NOW + 60_000_000 - 5


def test_who_was_never_asked_has_no_clock() -> None:
    moment = Clocks().moment(NOW, monotonic_seconds=5.0)
    assert moment == Moment(NOW, None, None)
    assert moment.middle == NOW
    assert not moment.is_confirmed
