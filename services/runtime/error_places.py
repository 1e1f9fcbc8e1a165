"""Where an exception came from, in the names that the code has for it; never what the exception says."""

from types import TracebackType
from typing import Final

_MOST_PLACES: Final = 6
_MOST_CAUSES: Final = 4


def places_of(error: BaseException) -> list[str]:
    """Returns module, line and function of the frames that the exception passed, the innermost first."""
    places: list[str] = []
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        places.append(f"{frame.f_globals.get('__name__', '?')}:{trace.tb_lineno} {frame.f_code.co_name}")
        trace = trace.tb_next
    return places[: -_MOST_PLACES - 1 : -1]


def causes_of(error: BaseException) -> list[str]:
    """Returns type and innermost place of each exception behind this one, the nearest first."""
    causes: list[str] = []
    cause = _behind(error)
    while cause is not None and len(causes) < _MOST_CAUSES:
        causes.append(" ".join([type(cause).__name__, *places_of(cause)[:1]]))
        cause = _behind(cause)
    return causes


def _behind(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None or error.__suppress_context__:
        return error.__cause__
    return error.__context__
