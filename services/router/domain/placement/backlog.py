"""The prompts that wait on a replica between two of its reports: what is sent adds, time takes away."""

from dataclasses import dataclass
from typing import Final

# What a replica computes of prompts per second where it does not say.
ASSUMED_TOKENS_PER_SECOND: Final = 4096.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """So many tokens waited at a moment; the replica has computed on since, at its speed if it says that."""

    tokens: float
    at_seconds: float
    tokens_per_second: float | None = None

    def left_tokens(self, now_seconds: float) -> float:
        """Returns how many of them still wait."""
        speed = self.tokens_per_second or ASSUMED_TOKENS_PER_SECOND
        return max(0.0, self.tokens - (now_seconds - self.at_seconds) * speed)

    def left_seconds(self, now_seconds: float, usual_tokens_per_second: float) -> float:
        """Returns how long it takes to compute them, at the usual speed where it does not say its own."""
        speed = self.tokens_per_second or usual_tokens_per_second
        return max(0.0, self.tokens / speed - (now_seconds - self.at_seconds))

    def with_more(self, tokens: int, now_seconds: float) -> "Backlog":
        """Returns the backlog after a request with so many tokens was sent."""
        left_tokens = self.left_tokens(now_seconds)
        return Backlog(left_tokens + tokens, max(now_seconds, self.at_seconds), self.tokens_per_second)

    def without(self, tokens: int) -> "Backlog":
        """Returns the backlog where so many tokens are counted elsewhere, or are not coming."""
        return Backlog(max(0.0, self.tokens - tokens), self.at_seconds, self.tokens_per_second)
