"""What every process shows of itself: its build, and whether it is ready, or why not."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Final

from services.kernel.readiness import Unready
from services.runtime.metrics.registry import shared as metrics
from services.runtime.telemetry import Observations, gauge, gauges

_DRAINING: Final = Unready.DRAINING.name


def show_build(process: str, region: str) -> None:
    """Shows which version of which process runs where."""
    attributes = {"version": version("comptoir"), "process": process, "comptoir.region": region}
    gauge(metrics.BUILD_INFO, read=lambda: 1.0, attributes=attributes)


def show_state(why_unready: Callable[[], str]) -> None:
    """Shows what is told at every collection: why the process is not ready, or nothing where it is.

    The meter outlives the process's parts and keeps what it reads: let that be small.
    """

    def reasons() -> Observations:
        reason = why_unready()
        return [(1.0, {"reason": reason})] if reason else []

    gauge(metrics.READY, read=lambda: float(not why_unready()))
    gauge(metrics.DRAINING, read=lambda: float(why_unready() == _DRAINING))
    gauges(metrics.UNREADY_REASON, reasons)


class ShownState:
    """A state that is told as it changes, for processes whose readiness is not that of one server."""

    def __init__(self) -> None:
        self.reason = Unready.STARTING.name
        show_state(lambda: self.reason)

    def tell(self, reason: str) -> None:
        """Takes why the process is not ready, or nothing where it is; a drain has no end."""
        if self.reason != _DRAINING:
            self.reason = reason

    def drain(self) -> None:
        """Says that the process drains."""
        self.reason = _DRAINING
