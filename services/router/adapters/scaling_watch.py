"""Decides every second how many replicas models should have, and shows it as a metric."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from services.router.domain.desired_replicas import DesiredReplicas
from services.router.domain.scaling import Decision
from services.runtime.logs import get_logger
from services.runtime.metrics.registry import router as metrics
from services.runtime.telemetry import Observations, gauges

_INTERVAL_SECONDS: Final = 1.0
_log = get_logger(__name__)


async def watch_scaling(desired: DesiredReplicas, names: Mapping[int, str]) -> None:
    """Runs until cancelled: what was wanted at a moment at which nobody asked counts too."""
    decisions: dict[int, Decision] = {}
    _show(decisions, names)
    while True:
        for model, decision in desired.decide_all().items():
            _tell(model, decision, decisions.get(model))
            decisions[model] = decision
        await asyncio.sleep(_INTERVAL_SECONDS)


def _tell(model: int, decision: Decision, before: Decision | None) -> None:
    if before is None or before.desired != decision.desired:
        _log.info("desired_replicas", model_number=model, count=decision.desired)
    if decision.failing > (before.failing if before else 0):
        _log.warning("replicas_do_not_start", model_number=model, count=decision.failing)


def _show(decisions: Mapping[int, Decision], names: Mapping[int, str]) -> None:
    none = Decision(desired=0, is_active=False)

    def each(read: Callable[[Decision], int]) -> Observations:
        for model, name in names.items():
            yield float(read(decisions.get(model, none))), {"gen_ai.request.model": name}

    gauges(metrics.DESIRED_REPLICAS, lambda: each(lambda decision: decision.desired))
    gauges(metrics.FAILING_REPLICAS, lambda: each(lambda decision: decision.failing))
