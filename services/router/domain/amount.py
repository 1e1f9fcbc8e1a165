"""What is reserved and used of quotas: tokens by the weight of their model, and money."""

from typing import Final, NamedTuple

# The most that either part of a sum counts: doubles, in which the shared store reckons, are exact up to it.
MOST: Final = 2**53 - 1


class Amount(NamedTuple):
    """Weighted tokens, and billionths of the unit of the catalog's currency."""

    tokens: int = 0
    nanos: int = 0

    def plus(self, other: "Amount") -> "Amount":
        """Returns both together."""
        return Amount(self.tokens + other.tokens, self.nanos + other.nanos)

    def minus(self, other: "Amount") -> "Amount":
        """Returns what is left of it without the other."""
        return Amount(self.tokens - other.tokens, self.nanos - other.nanos)

    def grown(self, other: "Amount") -> "Amount":
        """Returns both together as a sum that is kept: no more than MOST of either."""
        tokens, nanos = self.tokens + other.tokens, self.nanos + other.nanos
        return Amount(min(MOST, tokens), min(MOST, nanos))

    def most(self, other: "Amount") -> "Amount":
        """Returns the larger of either part."""
        return Amount(max(self.tokens, other.tokens), max(self.nanos, other.nanos))


NOTHING: Final = Amount()
