"""How fast an engine was lately, in tokens per second of the time in which it had something to do."""

from collections.abc import Hashable
from typing import Final

# What was done so long ago counts half.
_HALF_LIFE_SECONDS: Final = 10.0
# Less than this says nothing.
_LEAST_SECONDS: Final = 0.05
# A pace that was not measured for so long is unknown: one that was slow once is given work again.
_LATELY_SECONDS: Final = 60.0
# What each prompt leaves of those before it, in the share that is cached.
_FADING: Final = 0.95
_MAX_UINT32: Final = 2**32 - 1


class Pace:
    """Tokens by busy time; idle time neither counts nor makes what was done older."""

    def __init__(self) -> None:
        self._tokens = 0.0
        self._seconds = 0.0

    def add(self, tokens: int, busy_seconds: float) -> None:
        """Notes that so many tokens were done, and the time that was busy since the last call."""
        fading = 0.5 ** (busy_seconds / _HALF_LIFE_SECONDS) if busy_seconds else 1.0
        self._tokens = self._tokens * fading + tokens
        self._seconds = self._seconds * fading + busy_seconds

    @property
    def tokens_per_second(self) -> int | None:
        """The pace; None while nothing is known."""
        if self._seconds < _LEAST_SECONDS or not self._tokens:
            return None
        return min(_MAX_UINT32, max(1, round(self._tokens / self._seconds)))


class InputWork:
    """The prompts that wait for their first output token, and how fast such were computed lately."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, int] = {}
        self._marked_seconds = 0.0
        self._pace = Pace()
        self._whole_tokens = 0
        # Of prompts that were begun lately, and what of them was computed.
        self._begun_tokens = self._computed_tokens = 0.0

    @property
    def whole_tokens(self) -> int:
        """Returns how many tokens of prompts wait, those that may be cached among them."""
        return self._whole_tokens

    @property
    def waiting_tokens(self) -> int:
        """Returns how many tokens of prompts wait, less the share of them that was cached lately."""
        share = self._computed_tokens / self._begun_tokens if self._begun_tokens else 1.0
        return round(self._whole_tokens * share)

    def tokens_per_second(self, now_seconds: float) -> int | None:
        """Returns what was computed lately per second in which any prompt waited; None where unknown."""
        is_old = not self._waiting and now_seconds - self._marked_seconds > _LATELY_SECONDS
        return None if is_old else self._pace.tokens_per_second

    def wait(self, request: Hashable, tokens: int, now_seconds: float) -> None:
        """Notes that a prompt waits."""
        if not self._waiting:
            if now_seconds - self._marked_seconds > _LATELY_SECONDS:
                self._pace = Pace()
            self._marked_seconds = now_seconds
        self._whole_tokens += tokens - self._waiting.get(request, 0)
        self._waiting[request] = tokens

    def begun(self, request: Hashable, computed_tokens: int, now_seconds: float) -> None:
        """Notes that a request has its first token, and how much of its prompt was not cached."""
        if request in self._waiting:
            self._pace.add(computed_tokens, now_seconds - self._marked_seconds)
            self._marked_seconds = now_seconds
            self._begun_tokens = self._begun_tokens * _FADING + self._waiting[request]
            self._computed_tokens = self._computed_tokens * _FADING + computed_tokens
            self._leave(request)

    def ended(self, request: Hashable, now_seconds: float) -> None:
        """Notes that a request ended, with a token or without; safe to repeat."""
        if request in self._waiting:
            self._pace.add(0, now_seconds - self._marked_seconds)
            self._marked_seconds = now_seconds
            self._leave(request)

    def _leave(self, request: Hashable) -> None:
        self._whole_tokens -= self._waiting.pop(request)


class OutputWork:
    """How fast output tokens came lately, read from the engine's total at each report."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._total = 0
        self._read_seconds: float | None = None
        self._was_busy = False

    def read(self, total_tokens: int, *, is_busy: bool, now_seconds: float) -> int | None:
        """Returns output tokens per second of the time in which any request was open; None while unknown."""
        if self._read_seconds is not None and self._was_busy:
            self._pace.add(max(0, total_tokens - self._total), now_seconds - self._read_seconds)
        self._total, self._read_seconds, self._was_busy = total_tokens, now_seconds, is_busy
        return self._pace.tokens_per_second
