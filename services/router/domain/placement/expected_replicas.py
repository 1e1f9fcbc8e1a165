"""Which replicas may serve a request soon: those that were here, that start, or that are started for it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from services.router.domain.limits import RouterLimits
from services.router.domain.placement.expecting import expected_seconds
from services.router.domain.placement.filters import state_of
from services.router.domain.placement.kinds import NO_KINDS, Kind, KindCounts, Kinds, Requirement
from services.router.domain.placement.left_replicas import Left, LeftReplicas
from services.router.domain.placement.replica import Registration, Replica

NO_MODELS: Final[Mapping[int, int]] = MappingProxyType({})


class ExpectedReplicas:
    """What is known of a model's replicas beside those that are registered.

    Of each model of `scaled_models` somebody starts a replica once a request waits: one that serves the
    tenant of that number alone, or everybody with 0.
    """

    def __init__(
        self, limits: RouterLimits, started_at_seconds: float, scaled_models: Mapping[int, int] = NO_MODELS
    ) -> None:
        self._limits = limits
        self._started_at_seconds = started_at_seconds
        self._scaled_models = scaled_models
        self._left = LeftReplicas(limits, scaled_models)
        self._kinds = KindCounts()
        # When each that is registered could be sent requests last.
        self._ready_at: dict[int, float] = {}

    def register(self, registration: Registration) -> None:
        """Notes that a replica is there."""
        self._kinds.add(registration.model, registration.kind)
        self._ready_at[registration.replica] = self._left.come_back(registration)

    def note_ready(self, replica: int, now_seconds: float) -> None:
        """Notes that a replica that is there can be sent requests."""
        self._ready_at[replica] = now_seconds

    def leave(self, registration: Registration, left_at_seconds: float, now_seconds: float) -> None:
        """Notes that a replica is not there any more; it left at -inf where it said no goodbye."""
        self._kinds.remove(registration.model, registration.kind)
        ready_at_seconds = self._ready_at.pop(registration.replica)
        self._left.note(Left(registration, ready_at_seconds, left_at_seconds, now_seconds))

    def kinds(self, model: int) -> Kinds:
        """Returns of which kinds those of a model are that are registered, in whatever region."""
        return self._kinds.of(model)

    def scaled_kinds(self, model: int, region: int, now_seconds: float) -> Kinds:
        """Returns the kinds of what somebody starts for a request; with any feature where none is known."""
        tenant = self._scaled_models.get(model)
        if tenant is None:
            return NO_KINDS
        left = self._left.of(model, region, now_seconds)
        known = self.kinds(model) | {one.registration.kind for one in left}
        return frozenset(kind for kind in known if kind.tenant == tenant) or frozenset({Kind(tenant)})

    def seconds(
        self, pool: Sequence[Replica], model: int, region: int, now_seconds: float, required: Requirement
    ) -> float:
        """Returns for how much longer one that may serve a request is expected; 0 if none is.

        `pool` has those that are registered for the model in the region.
        """
        if _any_serves(self.scaled_kinds(model, region, now_seconds), required):
            return math.inf
        suited = [one for one in pool if one.registration.kind.may_serve(required)]
        left = [
            one
            for one in self._left.of(model, region, now_seconds)
            if one.registration.kind.may_serve(required)
        ]
        ready_at = [self._ready_at[one.registration.replica] for one in suited]
        ready_at += [one.ready_at_seconds for one in left]
        return expected_seconds(
            [state_of(one, self._limits, now_seconds) for one in suited],
            since_ready_seconds=now_seconds - max(ready_at, default=-math.inf),
            since_left_seconds=now_seconds - max((one.left_at_seconds for one in left), default=-math.inf),
            since_started_seconds=now_seconds - self._started_at_seconds,
            limits=self._limits,
        )

    def may_come(self, model: int, region: int, now_seconds: float, required: Requirement) -> bool:
        """Tells whether one that may serve a request may be away for a while, or not known here yet."""
        if now_seconds - self._started_at_seconds < self._limits.replica_return_seconds:
            return True
        left = {one.registration.kind for one in self._left.of(model, region, now_seconds)}
        return _any_serves(left | self.scaled_kinds(model, region, now_seconds), required)


def _any_serves(kinds: Iterable[Kind], required: Requirement) -> bool:
    return any(kind.may_serve(required) for kind in kinds)
