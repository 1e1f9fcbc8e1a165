"""What a replica says in its log of a router that it cannot register with."""

import logging
from typing import Final

from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.runtime.logs import get_logger

_log = get_logger(__name__)

# A refusal that lasts is said again this often.
_REMIND_SECONDS: Final = 30.0
# What no other try mends: an operator has to change a setting or a certificate. Where there is no such
# route, the address is not that of the router's listener for replicas.
_REFUSALS: Final = (
    Reason.ALREADY_EXISTS,
    Reason.CALLER_NOT_ALLOWED,
    Reason.REQUEST_INVALID,
    Reason.ROUTE_NOT_FOUND,
)


class LinkComplaints:
    """Says once that a router is away, and now and then that it refuses the replica."""

    def __init__(self, address: str, clock: Clock) -> None:
        self._address = address
        self._clock = clock
        self._reminded_seconds: float | None = None

    def tell(self, error: ComptoirError, *, replica: int, is_first: bool) -> None:
        """Says why a stream ended; `is_first` where the one before it was well."""
        reason, now_seconds = error.reason.name, self._clock.monotonic_seconds()
        if error.reason not in _REFUSALS:
            level = logging.WARNING if is_first else logging.DEBUG
            _log.log(level, "router_link_lost", reason=reason, address=self._address)
        elif self._reminded_seconds is None or now_seconds - self._reminded_seconds >= _REMIND_SECONDS:
            self._reminded_seconds = now_seconds
            _log.error("registration_refused", replica=replica, reason=reason, kind=error.field)

    def forget(self) -> None:
        """Takes note that the router has taken the replica in."""
        self._reminded_seconds = None
