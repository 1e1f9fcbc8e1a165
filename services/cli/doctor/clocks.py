"""Whether clocks agree well enough for tickets, leases and rows; pure."""

from typing import Final

from services.cli.doctor.facts import SeenClock
from services.cli.doctor.finding import Finding, fail, ok, warn
from services.contract.ticket import TICKET_MAX_SKEW_SECONDS

CLOCKS: Final = "clocks"
_WARN_SECONDS: Final = 1.0
_STEP: Final = "let NTP set both clocks (`timedatectl`, `chronyc tracking`)"


def of_clock(seen: SeenClock) -> Finding:
    """Returns the finding about one other clock; what the question itself took is given to it.

    Tickets are refused beyond TICKET_MAX_SKEW_SECONDS.
    """
    least = max(0.0, abs(seen.ahead_seconds) - seen.within_seconds)
    direction = "ahead of" if seen.ahead_seconds > 0 else "behind"
    known = f"{abs(seen.ahead_seconds):.2f} s {direction} this machine's, within {seen.within_seconds:.2f} s"
    if least > TICKET_MAX_SKEW_SECONDS:
        sentence = f"The clock is {known}; tickets allow {TICKET_MAX_SKEW_SECONDS} s."
        return fail(CLOCKS, seen.subject, sentence, _STEP)
    if least > _WARN_SECONDS:
        sentence = f"The clock is {known}; more than {_WARN_SECONDS:.0f} s is worth a look."
        return warn(CLOCKS, seen.subject, sentence, _STEP)
    return ok(CLOCKS, seen.subject, f"The clock is {known}.")
