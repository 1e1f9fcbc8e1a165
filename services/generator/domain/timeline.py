"""The times of one generation, all from one monotonic clock of this process."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timings:
    """Durations in whole microseconds; 0 where the thing did not happen."""

    queue_microseconds: int
    prefill_microseconds: int
    ttft_microseconds: int
    max_itl_microseconds: int
    duration_microseconds: int


class Timeline:
    """Stamps of one generation.

    TTFT = first step with output tokens - received. Max ITL = longest gap between two
    such steps. Duration = last such step - received, or end - received if there was none.
    Queue and prefill are differences on the engine's own clock, which is another one.
    """

    def __init__(self, received_seconds: float) -> None:
        self._received_seconds = received_seconds
        self._first_seconds: float | None = None
        self._last_seconds: float | None = None
        self._max_itl_seconds = 0.0
        self._queue_seconds = 0.0
        self._prefill_seconds = 0.0

    def output(self, now_seconds: float) -> None:
        """Notes that the engine gave output tokens."""
        if self._last_seconds is None:
            self._first_seconds = now_seconds
        else:
            self._max_itl_seconds = max(self._max_itl_seconds, now_seconds - self._last_seconds)
        self._last_seconds = now_seconds

    def engine_waits(self, *, queue_seconds: float, prefill_seconds: float) -> None:
        """Notes what the engine says of its own queue and prefill; once known, it stays."""
        self._queue_seconds = max(self._queue_seconds, queue_seconds)
        self._prefill_seconds = max(self._prefill_seconds, prefill_seconds)

    @property
    def late_seconds(self) -> float:
        """By how much later the first output was seen than the engine had it; 0 where it does not say when.

        It includes what came before the engine: what this process did with the prompt.
        """
        if self._first_seconds is None or not self._prefill_seconds:
            return 0.0
        engine_seconds = self._queue_seconds + self._prefill_seconds
        return max(0.0, self._first_seconds - self._received_seconds - engine_seconds)

    def close(self, now_seconds: float) -> Timings:
        """Returns the durations, the generation having ended at `now_seconds`."""
        end_seconds = now_seconds if self._last_seconds is None else self._last_seconds
        first_seconds = self._received_seconds if self._first_seconds is None else self._first_seconds
        return Timings(
            queue_microseconds=_microseconds(self._queue_seconds),
            prefill_microseconds=_microseconds(self._prefill_seconds),
            ttft_microseconds=_microseconds(first_seconds - self._received_seconds),
            max_itl_microseconds=_microseconds(self._max_itl_seconds),
            duration_microseconds=_microseconds(end_seconds - self._received_seconds),
        )


def _microseconds(seconds: float) -> int:
    return max(0, round(seconds * 1_000_000))
