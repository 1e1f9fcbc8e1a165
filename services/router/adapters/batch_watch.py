"""Looks every half second whether batch requests are held back, and lets those that wait try again."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from services.router.domain.batch_gate import BatchGate
from services.router.domain.batch_holding import Hold
from services.router.domain.place_lines import PlaceLines
from services.runtime.logs import get_logger
from services.runtime.metrics.registry import router as metrics
from services.runtime.telemetry import Observations, gauges

_INTERVAL_SECONDS: Final = 0.5
_NONE: Final = Hold()
_log = get_logger(__name__)


async def watch_batch(gate: BatchGate, places: PlaceLines, names: Mapping[int, str]) -> None:
    """Runs until cancelled; each change of a hold is a line of the log, and metrics show it by model."""
    holds: dict[int, Hold] = {}
    _show(holds, names)
    while True:
        for model, hold in gate.holds().items():
            if holds.get(model, _NONE).by is not hold.by:
                _log.info("batch_held_back", model_number=model, reason=hold.by.name.lower())
            holds[model] = hold
        places.free_batch()
        await asyncio.sleep(_INTERVAL_SECONDS)


def _show(holds: Mapping[int, Hold], names: Mapping[int, str]) -> None:
    """Shows as metrics what the last look found out: they are read by another thread."""

    def each(read: Callable[[Hold], float]) -> Observations:
        for model, name in names.items():
            yield read(holds.get(model, _NONE)), {"gen_ai.request.model": name}

    gauges(metrics.BATCH_HELD_BACK, lambda: each(lambda hold: float(hold.by)))
    gauges(metrics.INTERACTIVE_TTFT, lambda: each(lambda hold: hold.waits.ttft_p95_seconds or 0.0))
