"""One request as the client saw it: times and counts, and nothing of its text."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Final

INTERRUPTED: Final = "interrupted"


class CountedBy(StrEnum):
    """Where the number of output tokens comes from."""

    USAGE = "usage"
    TOKENIZER = "tokenizer"
    EVENTS = "events"


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """Seconds are of one monotonic clock; `failure` is empty where the answer came to its end.

    `scheduled_seconds` is when the request was due. In an open load it is earlier than `sent_seconds` where
    the client, or its bound of requests in flight, was late: who waits for that waits for the endpoint, so
    latencies begin there, and no stall of the endpoint hides the requests that it kept from being sent.
    `held_seconds` is what the bound of requests in flight had of that; the rest is the client's own.
    """

    scheduled_seconds: float
    sent_seconds: float
    ended_seconds: float
    token_seconds: "array[float]" = field(default_factory=lambda: array("d"))
    input_tokens: int = 0
    output_tokens: int = 0
    counted_by: CountedBy = CountedBy.USAGE
    failure: str = ""
    held_seconds: float = 0.0

    @property
    def send_late_seconds(self) -> float:
        """How much later than due it was sent."""
        return self.sent_seconds - self.scheduled_seconds

    @property
    def sender_late_seconds(self) -> float:
        """What of that was the client's: it had a place and had not sent yet."""
        return max(0.0, self.send_late_seconds - self.held_seconds)

    @property
    def ttft_seconds(self) -> float | None:
        """From due to the first output; None where the answer was not streamed, or had none."""
        return self.token_seconds[0] - self.scheduled_seconds if self.token_seconds else None

    @property
    def e2e_seconds(self) -> float:
        """From due to the last byte."""
        return self.ended_seconds - self.scheduled_seconds

    @property
    def decode_seconds(self) -> float:
        """From the first output to the last."""
        return self.token_seconds[-1] - self.token_seconds[0] if self.token_seconds else 0.0

    @property
    def tpot_seconds(self) -> float | None:
        """The mean time of a token after the first; None where no second one was seen to come."""
        if len(self.token_seconds) <= 1 or self.output_tokens <= 1:
            return None
        return self.decode_seconds / (self.output_tokens - 1)

    @property
    def tps(self) -> float | None:
        """Output tokens per second as its reader sees them, behind the first: 1 / TPOT."""
        tpot = self.tpot_seconds
        return 1 / tpot if tpot else None

    def itl_seconds(self) -> Iterator[float]:
        """Yields each gap between two events that brought output."""
        return (later - earlier for earlier, later in pairwise(self.token_seconds))
