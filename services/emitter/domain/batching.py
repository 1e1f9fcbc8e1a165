"""When events become a frame: enough of them, or old enough."""

from dataclasses import dataclass

from services.contract.events import Kind
from services.emitter.domain.limits import SpoolFile


@dataclass(frozen=True, slots=True)
class Unsealed:
    """The events of one kind that no frame holds yet, and when the oldest was taken."""

    kind: Kind
    count: int
    oldest_at_microseconds: int


def events_to_seal(
    unsealed: Unsealed,
    spool: SpoolFile,
    *,
    now_microseconds: int,
    is_frame_waiting: bool,
    is_draining: bool,
) -> int:
    """Returns how many events the next frame takes, 0 if none is due.

    A small frame is not sealed behind one that still waits for Kafka: it would not leave any sooner, and
    a long outage would leave thousands of small frames instead of a few full ones.
    """
    if unsealed.count >= spool.frame_max_events:
        return spool.frame_max_events
    if unsealed.count == 0 or is_draining:
        return unsealed.count
    if is_frame_waiting:
        return 0
    age_seconds = (now_microseconds - unsealed.oldest_at_microseconds) / 1_000_000
    # A negative age means that the clock was set back; waiting for it to catch up could take hours.
    return 0 if 0 <= age_seconds < spool.linger_seconds(unsealed.kind) else unsealed.count
