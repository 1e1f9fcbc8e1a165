"""Hands count-only events to the emitter and returns only when they are durable.

Two kinds of refusal may pass: the emitter takes nothing now, or it does not take this very event, because its
clock, program or region is not that of the event's producer. The first stops all, the second must not: such
events are held aside and tried again among themselves, while all others go on.
"""

import asyncio
import itertools
import random
from collections.abc import Sequence
from typing import Final

from comptoir.emitter.v1 import emitter_pb2, emitter_pb2_grpc
from google.protobuf.message import Message

from services.kernel.backoff import Backoff
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.runtime.addresses import GrpcTarget
from services.runtime.awake_clock import AwakeClock
from services.runtime.event_messages import add_to
from services.runtime.grpc.server import channel
from services.runtime.joined_records import JoinedRecords
from services.runtime.logs import get_logger, log_failure
from services.runtime.metrics.registry import shared as metrics
from services.runtime.telemetry import counter

_log = get_logger(__name__)

MAX_EVENTS: Final = 500
# How many callers' events are tried at once of those that the emitter did not take because of what they are.
MAX_HELD_TRIED: Final = 16
# Batches under way: the emitter reads the next one while it writes one to its disk. With more, events travel
# one by one and share its commits all the same, and each message costs both sides more than the event in it.
_MOST_SENDERS: Final = 2
_ATTEMPT_SECONDS: Final = 5.0
_SHORTEST_ATTEMPT_SECONDS: Final = 0.1
# The emitter was slow, or drained while it worked. Nobody cancels on this side: the call is shielded.
_TRY_AGAIN: Final = frozenset({Reason.DEADLINE_EXCEEDED, Reason.CLIENT_CANCELLED})
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0


class EmitterClient:
    """One stream to the emitter; calls of one moment travel together, as those do that find it busy.

    An event is recorded once however often it is sent: the emitter knows it by its event id.
    """

    def __init__(self, target: GrpcTarget, *, clock: Clock, wait_seconds: float) -> None:
        self._awake = AwakeClock(clock)
        self._wait_seconds = wait_seconds
        self._channel = channel(target)
        self._records = JoinedRecords(emitter_pb2_grpc.EmitterServiceStub(self._channel), self._awake)
        self._waiting: list[_Waiting] = []
        self._senders: set[asyncio.Task[None]] = set()
        # True from the start of a sender to its first batch: what comes meanwhile goes with that.
        self._is_sender_starting = False
        self._held: list[_Waiting] = []
        self._holder: asyncio.Task[None] | None = None
        self._is_disagreeing = False
        self._recorded = counter(metrics.USAGE_RECORDED)
        self._unrecorded = counter(metrics.USAGE_UNRECORDED)
        self._disagreed = counter(metrics.USAGE_DISAGREED)

    async def record(self, *events: Message) -> None:
        """Returns once the events are durable; raises USAGE_NOT_RECORDED if they are not in time.

        At most MAX_EVENTS events, of whatever kinds. Events that the emitter refuses raise its reason. A
        process that was stopped has the time left, once it goes on, that it had before.
        """
        waiting = _Waiting(events, self._awake.seconds() + self._wait_seconds)
        self._waiting.append(waiting)
        if not self._is_sender_starting and len(self._senders) < _MOST_SENDERS:
            self._is_sender_starting = True
            sender = asyncio.create_task(self._run())
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        # A caller that is cancelled cancels its own wait and no event.
        await waiting.done

    async def close(self) -> None:
        """Waits for what is under way and closes the connection."""
        holder = [] if self._holder is None else [self._holder]
        await asyncio.gather(*self._senders, *holder, return_exceptions=True)
        await self._records.close()
        await self._channel.close()

    async def _run(self) -> None:
        batch: list[_Waiting] = []
        try:
            await self._send_all(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            log_failure(_log, "sender_failed", error)
        finally:
            self._is_sender_starting = False
            # What waits is the next sender's, where there is one.
            left = batch if len(self._senders) > 1 else [*batch, *self._waiting]
            self._fail(left, ComptoirError(Reason.USAGE_NOT_RECORDED))
            failed = set(left)
            self._waiting[:] = [waiting for waiting in self._waiting if waiting not in failed]

    async def _send_all(self, batch: "list[_Waiting]") -> None:
        """Sends until nothing waits; `batch` is what is under way."""
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while self._waiting:
            self._waiting[:] = self._still_in_time(self._waiting)
            batch[:] = _take(self._waiting)
            self._is_sender_starting = False
            if not batch:
                return
            left, failure = await self._send_apart(batch.copy())
            batch.clear()
            if failure is None or failure.field:
                self._hold(left, failure)
                backoff.reset()
                continue
            self._waiting[:0] = self._still_in_time(left)
            if self._waiting:
                await self._pause(backoff)

    async def _send_apart(self, batch: "list[_Waiting]") -> "tuple[list[_Waiting], ComptoirError | None]":
        """Sends a batch, in halves where one of its events is at fault; returns what was not taken and why.

        What is refused for good has failed then. A failure with a field is about the events that are left,
        one without about the emitter, and nothing more was sent after it.
        """
        parts, left, disagreement = [batch], list[_Waiting](), None
        while parts:
            part = parts.pop()
            failure = await self._send(part)
            if failure is None:
                continue
            is_for_now = failure.reason.row.is_retryable
            if is_for_now and not failure.field:
                return [*left, *part, *itertools.chain(*reversed(parts))], failure
            if len(part) > 1:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
            elif is_for_now:
                left += part
                disagreement = failure
            else:
                self._refuse(part, failure)
        return left, disagreement

    def _hold(self, waiting: "list[_Waiting]", failure: ComptoirError | None) -> None:
        """Keeps events that the emitter does not take now apart from those that it would."""
        if failure is None:
            return
        count = sum(each.size for each in waiting)
        self._disagreed.add(count, {"field": failure.field})
        if not self._is_disagreeing:
            self._is_disagreeing = True
            _log.error("events_held", count=count, field=failure.field)
        self._held += waiting
        if self._holder is None or self._holder.done():
            self._holder = asyncio.create_task(self._run_held())

    async def _run_held(self) -> None:
        try:
            await self._send_held()
        except Exception as error:  # noqa: BLE001 - as above
            log_failure(_log, "sender_failed", error)
        finally:
            self._fail(self._held, ComptoirError(Reason.USAGE_NOT_RECORDED))
            self._held = []

    async def _send_held(self) -> None:
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while self._held:
            await self._pause(backoff)
            self._held[:] = self._still_in_time(self._held)
            tried = _take(self._held[:MAX_HELD_TRIED])
            left, _ = await self._send_apart(tried)
            # Those that were not tried go first next time: one that will never be taken stops no other.
            self._held[:] = [*self._held[len(tried) :], *left]
            if self._is_disagreeing and len(left) < len(tried):
                self._is_disagreeing = False
                _log.info("events_taken_after_all", count=len(tried) - len(left))

    async def _send(self, batch: "list[_Waiting]") -> ComptoirError | None:
        request = emitter_pb2.RecordRequest()
        for waiting in batch:
            add_to(request, waiting.events)
        first_deadline = min(waiting.deadline_seconds for waiting in batch)
        left_seconds = first_deadline - self._awake.seconds()
        timeout_seconds = min(max(left_seconds, _SHORTEST_ATTEMPT_SECONDS), _ATTEMPT_SECONDS)
        try:
            await self._records.record(request, timeout_seconds=timeout_seconds)
        except ComptoirError as failure:
            return _seen(failure)
        for waiting in batch:
            self._recorded.add(waiting.size)
            waiting.succeed()
        return None

    async def _pause(self, backoff: Backoff) -> None:
        await self._awake.pause(backoff.next_seconds(jitter=random.random()))  # noqa: S311 - spreads retries

    def _refuse(self, batch: "list[_Waiting]", failure: ComptoirError) -> None:
        """Fails what can never be stored; each such event is lost, so it is counted and said."""
        count = sum(waiting.size for waiting in batch)
        _log.error("events_refused", count=count, reason=failure.reason.name, field=failure.field)
        self._fail(batch, failure)

    def _still_in_time(self, batch: "list[_Waiting]") -> "list[_Waiting]":
        now = self._awake.seconds()
        late = [waiting for waiting in batch if waiting.deadline_seconds <= now]
        self._fail(late, ComptoirError(Reason.USAGE_NOT_RECORDED, retry_after_seconds=1.0))
        return [waiting for waiting in batch if waiting.deadline_seconds > now]

    def _fail(self, batch: "list[_Waiting]", error: ComptoirError) -> None:
        for waiting in batch:
            if not waiting.done.done():
                self._unrecorded.add(waiting.size)
                waiting.fail(error)


class _Waiting:
    """One caller's events and the future that tells it of their fate."""

    __slots__ = ("deadline_seconds", "done", "events", "size")

    def __init__(self, events: Sequence[Message], deadline_seconds: float) -> None:
        self.events = events
        self.size = len(events)
        self.deadline_seconds = deadline_seconds
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def succeed(self) -> None:
        """Tells the caller that the events are durable."""
        if not self.done.done():
            self.done.set_result(None)

    def fail(self, error: ComptoirError) -> None:
        """Tells the caller that the events are not known to be durable."""
        if not self.done.done():
            self.done.set_exception(
                ComptoirError(error.reason, retry_after_seconds=error.retry_after_seconds)
            )
            # A caller that is cancelled at this moment asks no more: asyncio would log its event's fate.
            self.done.exception()


def _seen(error: ComptoirError) -> ComptoirError:
    """Returns what an answer means to a producer: only an emitter that read an event refuses it for good."""
    if error.reason in _TRY_AGAIN:
        return ComptoirError(Reason.UNAVAILABLE)
    if error.reason is Reason.REQUEST_INVALID and not error.field:
        # A reason of a later version, or not the emitter's answer: it names the field that breaks a rule.
        return ComptoirError(Reason.USAGE_NOT_RECORDED, field="reason")
    return error


def _take(queue: list[_Waiting]) -> list[_Waiting]:
    """Removes from the front of `queue` as many callers' events as one request may carry."""
    size = 0
    for index, waiting in enumerate(queue):
        size += waiting.size
        if size > MAX_EVENTS and index > 0:
            taken = queue[:index]
            del queue[:index]
            return taken
    taken = queue[:]
    queue.clear()
    return taken
