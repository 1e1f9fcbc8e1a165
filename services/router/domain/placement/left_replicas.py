"""Replicas that left a short time ago: one that restarts comes back with what it had."""

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from services.router.domain.limits import RouterLimits
from services.router.domain.placement.replica import Registration

# Those that left first are forgotten first.
_MOST_LEFT: Final = 1024


@dataclass(frozen=True, slots=True)
class Left:
    """A replica that is away, when it was ready last and when it said goodbye; -inf where it never did."""

    registration: Registration
    ready_at_seconds: float
    left_at_seconds: float
    noted_at_seconds: float


class LeftReplicas:
    """Remembers each by its number for as long as one may take to come back.

    That is the longest of `hold_seconds`, `replica_return_seconds` and `first_replica_seconds`. Of what is
    scaled, replicas of a model that serve its tenant of `scaled_models`, it is for ever: all of them may be
    away because nobody asked for them.
    """

    def __init__(self, limits: RouterLimits, scaled_models: Mapping[int, int]) -> None:
        self._kept_seconds = max(
            limits.hold_seconds, limits.replica_return_seconds, limits.first_replica_seconds
        )
        self._scaled_models = scaled_models
        self._left: OrderedDict[int, Left] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def note(self, left: Left) -> None:
        """Remembers a replica that is not registered any more."""
        self._drop_old(left.noted_at_seconds)
        self._left[left.registration.replica] = left
        self._left.move_to_end(left.registration.replica)
        if len(self._left) > _MOST_LEFT:
            self._left.popitem(last=False)

    def come_back(self, registration: Registration) -> float:
        """Forgets the one whose number is registered again; returns when it was ready last."""
        left = self._left.pop(registration.replica, None)
        is_same = left is not None and _pool_of(left.registration) == _pool_of(registration)
        return left.ready_at_seconds if left is not None and is_same else -math.inf

    def of(self, model: int, region: int, now_seconds: float) -> Iterator[Left]:
        """Returns those of a model in a region that may come back."""
        self._drop_old(now_seconds)
        return (left for left in self._left.values() if _pool_of(left.registration) == (model, region))

    def _drop_old(self, now_seconds: float) -> None:
        over_seconds = now_seconds - self._kept_seconds
        for number, left in list(self._left.items()):
            if left.noted_at_seconds > over_seconds:
                break
            if self._scaled_models.get(left.registration.model) != left.registration.tenant:
                del self._left[number]


def _pool_of(registration: Registration) -> tuple[int, int]:
    return registration.model, registration.region
