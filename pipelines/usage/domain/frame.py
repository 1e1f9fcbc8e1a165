"""Frames as the pipeline reads them: a broken one is a fault, and each event has a key in the store."""

from typing import NamedTuple

from pipelines.usage.domain.errors import BadFrameError, Fault
from services.contract import frame
from services.contract.events import Kind


class EventKey(NamedTuple):
    """One event of a producer: its sequence and its own id.

    Both, because a spool that was brought back from a copy gives its sequences out again.
    """

    sequence: int
    id_high: int
    id_low: int


def decode(value: bytes, *, kind: Kind) -> frame.Frame:
    """Returns the frame that `value` holds, for a topic of `kind`; raises BadFrameError."""
    try:
        return frame.decode(value, kind=kind)
    except frame.FrameError as error:
        raise BadFrameError(Fault[error.fault.name], **error.figures) from None
