"""Callers that were refused: each is counted, and each kind of them logged once."""

from collections.abc import Sequence
from typing import Final

from services.kernel.process_names import process_of
from services.runtime.grpc.callers import Refusal
from services.runtime.logs import get_logger
from services.runtime.metrics.registry import shared as metrics
from services.runtime.telemetry import counter

_log = get_logger(__name__)
# Kinds are made of what certificates say.
_MOST_TOLD: Final = 256
# Others may have the name of a person or a tenant.
_PROCESSES: Final = frozenset(metrics.EVERY)


class RefusedCallers:
    """Counts the refusals of one server, and says once why it refuses whom."""

    def __init__(self) -> None:
        self._count = counter(metrics.RPC_CALLERS_REFUSED)
        self._told: set[tuple[Refusal, str, str]] = set()

    def tell(self, refusal: Refusal, method: str, uris: Sequence[str]) -> None:
        """Counts a refused call of a certificate with these URIs."""
        self._count.add(1, {"reason": str(refusal)})
        kind = _kind(uris)
        said = (refusal, method, kind)
        if said in self._told or len(self._told) >= _MOST_TOLD:
            return
        self._told.add(said)
        _log.warning("caller_refused", reason=str(refusal), method=method, kind=kind)


def _kind(uris: Sequence[str]) -> str:
    name = process_of(uris)
    if name is None:
        return "unnamed"
    return f"{name.of.region}/{name.process if name.process in _PROCESSES else 'other'}"
