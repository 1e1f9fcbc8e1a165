"""What a generation says of itself, and a whole answer."""

import math
import random
import uuid
from typing import Protocol

import grpc
from comptoir.client.chat import Admissible
from comptoir.client.errors import ComptoirError, Failure, cancelled, error_from, was_accepted
from comptoir.client.losses import Losses
from comptoir.client.progress import Progress
from comptoir.generator.v1.generator_pb2 import Finished
from comptoir.router.v1.router_pb2 import AdmitResponse


class Closable(Protocol):
    """What a generation calls through."""

    @property
    def is_closed(self) -> bool:
        """True once the client is closed."""
        ...


class GenerationState:
    """One request from its admission to its end; both kinds of generation are one."""

    def __init__(self, order: Admissible, through: Closable, losses: Losses) -> None:
        self._order = order
        self._through = through
        self._losses = losses
        self._left_when_admitted_seconds = 0.0
        self._progress: Progress | None = None
        self._is_closed = False

    @property
    def request_id(self) -> uuid.UUID:
        """The identity that stands in every event of the request."""
        return self._order.request_id

    @property
    def admitted(self) -> AdmitResponse:
        """What the router said: the key's quota, the most output tokens; RuntimeError before it did."""
        if self._progress is None:
            raise RuntimeError("the request is not admitted yet")
        return self._progress.admitted

    @property
    def finished(self) -> Finished:
        """The counts of the answer, which are durable; RuntimeError as long as it is not whole."""
        if self._progress is None or self._progress.finished is None:
            raise RuntimeError("the answer is not whole")
        return self._progress.finished

    @property
    def _is_whole(self) -> bool:
        return self._progress is not None and self._progress.finished is not None

    @property
    def _is_cancelled_here(self) -> bool:
        return self._is_closed or self._through.is_closed

    def _pause_seconds(self, progress: Progress, lost: ComptoirError) -> float:
        """Returns how long to wait before the request is admitted anew; raises `lost` where it is not."""
        left_seconds = self._order.left_seconds
        pause_seconds = self._losses.pause_seconds(
            lost,
            accepted=progress.accepted_attempts,
            tried_seconds=self._left_when_admitted_seconds - left_seconds,
            jitter=random.random(),  # noqa: S311 - spreads those that lost the same replica
        )
        if pause_seconds is None or pause_seconds >= left_seconds:
            raise lost
        return pause_seconds

    def _router_pause_seconds(self, error: ComptoirError, failure: Failure) -> float:
        """Returns how long to wait before a router is asked again to admit; raises `error` where none is.

        One that has said nothing for all of an admission's time is not asked again: it may hold the request.
        """
        pause_seconds = self._losses.pause_seconds(
            error,
            accepted=0,
            tried_seconds=math.inf if is_silent(failure) else 0.0,
            jitter=random.random(),  # noqa: S311 - spreads those that lost the same router
        )
        if pause_seconds is None or pause_seconds >= self._order.left_seconds:
            raise error
        return pause_seconds

    def _check_open(self) -> None:
        if self._is_cancelled_here:
            raise cancelled()

    def _error_from(self, failure: Failure) -> ComptoirError:
        if self._progress is not None and was_accepted(failure):
            self._progress.accept()
        return error_from(failure, is_cancelled_here=self._is_cancelled_here)


def is_silent(failure: Failure) -> bool:
    """Returns whether a call failed because nothing was said in its time."""
    return failure.code() is grpc.StatusCode.DEADLINE_EXCEEDED
