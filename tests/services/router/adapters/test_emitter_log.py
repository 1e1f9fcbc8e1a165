"""Decisions go to the emitter whole, and whatever it says, a caller hears only that it is not durable."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.adapters.emitter_log import MAX_WAITING_REFUSALS, EmitterLog
from services.router.domain.events import AdmissionEvent
from services.router.wire import events as wire

EVENT = AdmissionEvent(
    Identity(1, 2), Identity(3, 4), 1, 1, 5, 6, 7, 1_790_000_000_000_000, 8, Reason.KEY_EXPIRED, 9, 10
)


class MemoryEmitter:
    """Stands for the emitter's client."""

    def __init__(self, failure: ComptoirError | None = None) -> None:
        self.admissions: list[Any] = []
        self._failure = failure
        self.gate = asyncio.Event()
        self.gate.set()

    async def close(self) -> None:
        pass

    async def record(self, *events: Any) -> None:
        await self.gate.wait()
        if self._failure is not None:
            raise self._failure
        self.admissions += events


async def test_a_decision_reaches_the_emitter() -> None:
    emitter = MemoryEmitter()
    await EmitterLog(emitter, {}).record(EVENT)  # type: ignore[arg-type]
    assert emitter.admissions == [wire.admission_event(EVENT)]


@pytest.mark.parametrize("reason", [Reason.USAGE_NOT_RECORDED, Reason.SPOOL_FULL, Reason.REQUEST_INVALID])
async def test_whatever_went_wrong_the_usage_is_not_recorded(reason: Reason) -> None:
    emitter = MemoryEmitter(ComptoirError(reason, field="admissions", retry_after_seconds=2))
    with pytest.raises(ComptoirError) as failure:
        await EmitterLog(emitter, {}).record(EVENT)  # type: ignore[arg-type]
    assert (failure.value.reason, failure.value.field) == (Reason.USAGE_NOT_RECORDED, "")
    assert failure.value.retry_after_seconds == 2


async def test_a_refusal_reaches_the_emitter_though_nobody_waits_for_it() -> None:
    emitter = MemoryEmitter()
    log = EmitterLog(emitter, {})  # type: ignore[arg-type]
    log.record_refusal(EVENT)
    await log.close()
    assert emitter.admissions == [wire.admission_event(EVENT)]


async def test_an_event_whose_record_was_cancelled_is_recorded_later_as_the_same_event() -> None:
    emitter = MemoryEmitter()
    emitter.gate.clear()
    log = EmitterLog(emitter, {})  # type: ignore[arg-type]
    recording = asyncio.ensure_future(log.record(EVENT))
    await asyncio.sleep(0)
    recording.cancel()
    await asyncio.wait([recording])
    log.record_later(EVENT)
    emitter.gate.set()
    await log.close()
    assert emitter.admissions == [wire.admission_event(EVENT)]


async def test_refusals_wait_for_an_emitter_that_is_away_up_to_a_bound() -> None:
    emitter = MemoryEmitter()
    emitter.gate.clear()
    log = EmitterLog(emitter, {})  # type: ignore[arg-type]
    for _ in range(MAX_WAITING_REFUSALS + 10):
        log.record_refusal(replace(EVENT, reason=Reason.MODEL_NOT_FOUND))
    emitter.gate.set()
    await log.close()
    assert len(emitter.admissions) == MAX_WAITING_REFUSALS


async def test_ten_thousand_refusals_of_keys_are_one_event_for_each_reason_and_key() -> None:
    emitter = MemoryEmitter()
    log = EmitterLog(emitter, {})  # type: ignore[arg-type]
    unknown = replace(EVENT, tenant=0, key=0, home_region=0, reason=Reason.KEY_INVALID)
    throttled = replace(unknown, reason=Reason.TOO_MANY_WRONG_KEYS)
    for number in range(10_000):
        log.record_refusal(replace(throttled if number % 10 else unknown, request_id=Identity(1, number)))
        log.record_refusal(EVENT)
    await log.close()
    counts = {(event.reason, event.key_low, event.requests) for event in emitter.admissions}
    assert counts == {(2, 7, 10_000), (1, 0, 1_000), (39, 0, 9_000)}
    assert len(emitter.admissions) == 3
    assert emitter.admissions[0].request_id_low == 0


async def test_refusals_of_requests_are_events_of_their_own() -> None:
    emitter = MemoryEmitter()
    log = EmitterLog(emitter, {})  # type: ignore[arg-type]
    for _ in range(3):
        log.record_refusal(replace(EVENT, reason=Reason.CONTEXT_TOO_LONG))
    await log.close()
    assert [event.requests for event in emitter.admissions] == [0, 0, 0]


async def test_a_refusal_that_is_not_recorded_fails_nobody() -> None:
    log = EmitterLog(MemoryEmitter(ComptoirError(Reason.SPOOL_FULL)), {})  # type: ignore[arg-type]
    log.record_refusal(EVENT)
    await log.close()
