"""One request of the blocking client that waits for a silent replica, and the ticket that it gets."""

import math
import random
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

import grpc
from comptoir.client.alarms import Alarm, Alarms
from comptoir.client.connections import Cancellable, cast_failure
from comptoir.client.errors import error_from
from comptoir.client.hedging import Hedging, Questions
from comptoir.error.v1.error_reason_pb2 import ERROR_REASON_UNSPECIFIED, ErrorReason
from comptoir.router.v1.router_pb2 import NextOfferResponse, TicketOffer

_Asking: TypeAlias = "grpc.Future[NextOfferResponse]"
Ask: TypeAlias = Callable[[], _Asking]


class Hedge:
    """Asks for another ticket, again and again, while a replica says nothing, and then cancels its call.

    A replica is left only once there is a ticket for another one, and one replica is asked at a time. What
    comes first counts: the replica's word, or the ticket.
    """

    def __init__(self, hedging: Hedging, alarms: Alarms) -> None:
        self._hedging = hedging
        self._alarms = alarms
        self._questions = Questions(hedging)
        self._lock = threading.Lock()
        self._alarm: Alarm | None = None
        self._asking: _Asking | None = None
        self._offer: TicketOffer | None = None
        # The call that is waited for, and how another ticket is asked for meanwhile.
        self._call: Cancellable | None = None
        self._ask: Ask | None = None
        self._is_accepted = False

    def begin(self) -> None:
        """Notes that a replica is asked for the answer now."""
        self._questions.begin(time.monotonic())

    def watch(self, call: Cancellable, ask: Ask, *, is_accepted: bool) -> None:
        """Begins to wait for a replica's word; `left` ends it."""
        with self._lock:
            self._call, self._ask, self._is_accepted = call, ask, is_accepted
            self._arm()
            is_left = self._offer is not None
        if is_left:
            call.cancel()

    def left(self) -> TicketOffer | None:
        """Ends the wait; returns the ticket for which the call was cancelled, None where the word counts."""
        with self._lock:
            self._call = self._ask = None
            self._disarm()
            return self._taken()

    def hurried(self, follow: Callable[[Cancellable], None]) -> TicketOffer | None:
        """Returns the ticket that is there, or on its way, now that the replica failed; None if none is."""
        with self._lock:
            offer = self._taken()
            asking, self._asking = self._asking, None
        if asking is None:
            return offer
        follow(asking)
        try:
            return asking.result().offer
        except (grpc.RpcError, grpc.FutureCancelledError):
            self._hedging.budget.give_back()
            return None

    def stop(self) -> None:
        """Asks no more, since the replica spoke or nobody waits; a ticket that came ends by itself."""
        with self._lock:
            self._call = self._ask = None
            self._disarm()
            asking, self._asking = self._asking, None
            is_unused = asking is not None or self._taken() is not None
        if is_unused:
            self._hedging.budget.give_back()
        if asking is not None:
            asking.cancel()

    def _taken(self) -> TicketOffer | None:
        offer, self._offer = self._offer, None
        return offer

    def _arm(self) -> None:
        self._disarm()
        due_at = self._questions.due_at(is_accepted=self._is_accepted)
        if self._call is not None and self._asking is None and self._offer is None and due_at < math.inf:
            self._alarm = self._alarms.at(due_at, self._begin_asking)

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _begin_asking(self) -> None:
        with self._lock:
            if self._ask is None or self._asking is not None:
                return
            if not self._hedging.budget.spend():
                self._refused(ERROR_REASON_UNSPECIFIED)
                return
            asking = self._asking = self._ask()
        asking.add_done_callback(self._told)

    def _told(self, asking: "_Asking") -> None:
        reason: ErrorReason.ValueType = ERROR_REASON_UNSPECIFIED
        offer: TicketOffer | None = None
        try:
            offer = asking.result().offer
        except grpc.FutureCancelledError:
            pass
        except grpc.RpcError as failure:
            reason = error_from(cast_failure(failure)).reason
        with self._lock:
            if asking is not self._asking:
                # Nobody waits any more, and what was spent is given back.
                return
            self._asking, call = None, self._call
            self._offer = offer
            if offer is None:
                self._hedging.budget.give_back()
                self._refused(reason)
        if offer is not None and call is not None:
            call.cancel()

    def _refused(self, reason: "ErrorReason.ValueType") -> None:
        now = time.monotonic()
        self._questions.refused(reason, now, jitter=random.random())  # noqa: S311 - spreads questions
        self._arm()
