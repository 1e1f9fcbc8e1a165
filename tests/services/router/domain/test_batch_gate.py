"""The gate looks at the peak windows and at what all replicas counted, and lets one through now and then."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.contract.first_tokens import FirstTokens, bucket_of
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.router.domain.batch_gate import BatchGate
from services.router.domain.batch_holding import BatchRules, HeldBy
from services.router.domain.peak_windows import PeakWindow
from tests.fakes.router import IDLE, AdmissionWorld, changed_limits, registration

MODEL = 1
# A Thursday, and whatever day it is in the world's clock, it is set to this.
NOON = datetime(2026, 11, 26, 11, 0, tzinfo=UTC)
OFFICE = PeakWindow.model_validate(
    {"begins_at": "08:00", "ends_at": "18:00", "time_zone": "Europe/Paris", "days": ["thu"]}
)


def counted(seconds: float, requests: int) -> FirstTokens:
    return FirstTokens(interactive=(0,) * bucket_of(seconds) + (requests,))


class Waiting:
    def __init__(self) -> None:
        self.seconds = 0.0

    def interactive_wait_seconds(self, model: int) -> float:
        return self.seconds if model == MODEL else 0.0


class Gated:
    """A gate over a directory whose replicas say what a test wants."""

    def __init__(self, **rules: Any) -> None:
        limits = changed_limits(batch=BatchRules(**rules))
        self.world, self.waiting = AdmissionWorld(limits=limits), Waiting()
        self.clock = self.world.clock
        self.gate = BatchGate(self.world.replicas, self.waiting, self.clock, region=1, limits=limits)
        self.sessions = {number: self.world.add_replica(number) for number in (1, 2)}

    def say(self, number: int, first_tokens: FirstTokens | None) -> None:
        load = replace(IDLE, first_tokens=first_tokens)
        self.world.replicas.report(self.sessions[number], load, self.clock.monotonic_seconds())

    def after(self, seconds: float = 1.0) -> HeldBy:
        self.clock.advance(seconds)
        for number in self.sessions:
            entry = next(one for one in self.world.replicas.everyone() if one.registration.replica == number)
            self.world.replicas.report(self.sessions[number], entry.load, self.clock.monotonic_seconds())
        return self.gate.hold(MODEL).by

    def refusal(self) -> ComptoirError | None:
        try:
            self.gate.check(MODEL)
        except ComptoirError as refusal:
            return refusal
        return None


def at(gated: Gated, moment: datetime) -> None:
    gated.clock.advance(moment.timestamp() - gated.clock.wall_microseconds() / 1_000_000)


def test_without_rules_nothing_is_ever_held_back() -> None:
    gated = Gated()
    gated.say(1, counted(100.0, 500))
    assert gated.after() is HeldBy.NOTHING
    assert gated.refusal() is None


def test_in_a_peak_window_none_begins_and_each_is_told_when_it_is_over() -> None:
    gated = Gated(peak_windows=(OFFICE,))
    at(gated, NOON)
    refusal = gated.refusal()
    assert refusal is not None
    assert (refusal.reason, refusal.retry_after_seconds) == (Reason.BATCH_HELD_BACK, 6 * 3600)
    assert refusal.numbers == Numbers()
    gated.clock.advance(6 * 3600 - 1)
    assert gated.refusal() is not None
    gated.clock.advance(1)
    assert gated.refusal() is None


def test_the_p95_is_that_of_all_replicas_together() -> None:
    gated = Gated(interactive_ttft_p95_seconds=1.0)
    gated.say(1, counted(3.0, 3))
    gated.say(2, counted(0.2, 97))
    assert gated.after() is HeldBy.NOTHING
    gated.say(1, counted(3.0, 30))
    assert gated.after() is HeldBy.FIRST_TOKENS
    waits = gated.gate.hold(MODEL).waits
    assert waits.samples == 127
    assert 3.0 <= (waits.ttft_p95_seconds or 0) < 3.6
    refusal = gated.refusal()
    assert refusal is None, "the first that asks begins all the same"
    gated.gate.note_begun(MODEL)
    refusal = gated.refusal()
    assert refusal is not None
    assert (refusal.retry_after_seconds, refusal.numbers.limit) == (10.0, 1000)
    assert 3000 <= refusal.numbers.requested < 3600


def test_batch_goes_on_well_below_the_target_and_not_just_below_it() -> None:
    gated = Gated(interactive_ttft_p95_seconds=1.0)
    holds = []
    for seconds in (0.8, 1.5, 0.85, 0.8, 0.7, 0.85):
        gated.say(1, counted(seconds, 100))
        holds.append(gated.after() is HeldBy.FIRST_TOKENS)
    # The p95 is told as the end of its bucket: 0.86 s, and 0.72 for 0.7.
    assert holds == [False, True, True, True, False, False]


def test_one_begins_in_each_trickle_however_long_the_others_wait() -> None:
    gated = Gated(interactive_ttft_p95_seconds=1.0, trickle_seconds=10.0)
    gated.say(1, counted(3.0, 100))
    begun = 0
    for _ in range(100):
        assert gated.after(1.0) is HeldBy.FIRST_TOKENS
        if gated.refusal() is None:
            gated.gate.note_begun(MODEL)
            begun += 1
    assert begun == 10


def test_replicas_that_say_nothing_or_are_silent_are_unknown() -> None:
    gated = Gated(interactive_ttft_p95_seconds=1.0)
    gated.say(1, None)
    assert gated.after() is HeldBy.NOTHING
    gated.say(1, counted(3.0, 100))
    gated.clock.advance(5.1)
    assert gated.gate.hold(MODEL).by is HeldBy.NOTHING
    assert gated.gate.hold(MODEL).waits.ttft_p95_seconds is None


def test_an_interactive_request_that_waits_at_this_router_holds_batch_back() -> None:
    gated = Gated(interactive_ttft_p95_seconds=1.0)
    gated.waiting.seconds = 1.5
    assert gated.after() is HeldBy.FIRST_TOKENS
    gated.gate.note_begun(MODEL)
    refusal = gated.refusal()
    assert refusal is not None
    assert refusal.numbers.requested == 1500


def test_each_model_is_held_back_by_its_own_requests() -> None:
    gated = Gated(interactive_ttft_p95_seconds=1.0)
    gated.world.replicas.register(registration(9, model=2), gated.clock.monotonic_seconds())
    gated.say(1, counted(3.0, 100))
    gated.after()
    assert {model: hold.by for model, hold in gated.gate.holds().items()} == {
        1: HeldBy.FIRST_TOKENS,
        2: HeldBy.NOTHING,
    }


@pytest.mark.parametrize("advance", [0.1, 0.4])
def test_what_was_found_out_is_good_for_half_a_second(advance: float) -> None:
    gated = Gated(interactive_ttft_p95_seconds=1.0)
    assert gated.after() is HeldBy.NOTHING
    gated.say(1, counted(3.0, 100))
    assert gated.after(advance) is HeldBy.NOTHING
    assert gated.after(0.5) is HeldBy.FIRST_TOKENS


def test_one_that_has_waited_to_its_deadline_begins_in_a_peak_too_and_others_are_told_of_it() -> None:
    gated = Gated(peak_windows=(OFFICE,), deadline_seconds=20.0)
    at(gated, NOON)
    asked_seconds = gated.clock.monotonic_seconds()
    gated.clock.advance(15)
    with pytest.raises(ComptoirError) as held:
        gated.gate.check(MODEL, asked_seconds)
    assert (held.value.reason, held.value.retry_after_seconds) == (Reason.BATCH_HELD_BACK, 5.0)
    gated.clock.advance(5)
    assert gated.gate.check(MODEL, asked_seconds)
    assert gated.refusal() is not None
