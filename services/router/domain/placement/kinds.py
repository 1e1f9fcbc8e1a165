"""Kinds of replicas of one model: whom they serve, and what their engines have."""

from collections import Counter
from typing import Final, NamedTuple, TypeAlias

from services.kernel.engine_features import ALL_FEATURES, has_all


class Requirement(NamedTuple):
    """What a request asks of its replica: to serve its tenant, and an engine with a sum of EngineFeature."""

    tenant: int = 0
    needs: int = 0


class Kind(NamedTuple):
    """The tenant that replicas serve alone, 0 for none, and the features of their engines."""

    tenant: int = 0
    features: int = ALL_FEATURES

    def may_serve(self, required: Requirement) -> bool:
        """Tells whether such a replica is one that a request may be sent to."""
        return self.tenant in (0, required.tenant) and has_all(self.features, required.needs)


NOTHING_REQUIRED: Final = Requirement()
Kinds: TypeAlias = frozenset[Kind]
NO_KINDS: Final[Kinds] = frozenset()


class KindCounts:
    """How many replicas of each kind are registered for each model."""

    def __init__(self) -> None:
        self._counts: dict[int, Counter[Kind]] = {}
        # Kept, as every change of a replica asks for them.
        self._kinds: dict[int, Kinds] = {}

    def add(self, model: int, kind: Kind) -> None:
        """Counts one more replica."""
        self._counts.setdefault(model, Counter())[kind] += 1
        self._keep(model)

    def remove(self, model: int, kind: Kind) -> None:
        """Counts one fewer."""
        self._counts[model][kind] -= 1
        self._keep(model)

    def of(self, model: int) -> Kinds:
        """Returns the kinds of which there are any."""
        return self._kinds.get(model, NO_KINDS)

    def _keep(self, model: int) -> None:
        counts = self._counts[model] = +self._counts[model]
        self._kinds[model] = frozenset(counts)


def reach_of(kinds: Kinds, required: Requirement) -> Kinds:
    """Returns those of a model's kinds that may serve a request."""
    return frozenset(kind for kind in kinds if kind.may_serve(required))
